"""What every objective promises, with items of every kind: a table beside them is imported, a run is trained, judged, taken home and asked."""
from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from core import cli, events
from core.bundle.load import load_bundle
from core.data.asked import ask
from core.data.edit import save
from core.data.intake.importing import import_path
from core.data.versions import TableChoice, Version, load_version
from core.evaluation.outside import ask as ask_bundle
from core.evaluation.outside import evaluate_bundle
from core.evaluation.report import Report, read_report
from core.jobs import worker
from core.jobs.runs import state_of, submit
from core.models.catalog import find
from core.objectives import OBJECTIVES, objective
from core.owners import LOCAL_OWNER
from core.specs import DataSpec, ModelSpec, TrainConfig
from core.tasks.registry import TASKS
from core.tasks.targets import targets_of
from core.training.presets import plan_for
from core.workspace import Workspace
from tests.core.data.picture_files import encoded, picture, write_tree
from tests.core.data.table_files import csv_bytes
from tests.core.jobs.queued import dataset

N = 40
BRIGHT = 3
"""Kinds of pictures: dark, middle, bright."""


def cell(key: str, n: int) -> str:
    """What the item of this number is labeled: all of it can be seen in its brightness."""
    kind = n % BRIGHT
    return {"single_label": ("dark", "middle", "bright")[kind], "binary": ("no", "no", "yes")[kind],
            "multi_label": ("dark", "dim; dark", "dim; bright")[kind], "regression": f"{20 + 10 * kind + n / 100:.2f} lx"}[key]


def pictures(folder: Path, key: str) -> Path:
    files = {f"{n}.png": encoded(picture(n).point(lambda value, n=n: value // 4 + 60 * (n % BRIGHT)), "PNG") for n in range(N)}
    return write_tree(folder, files | {"labels.csv": csv_bytes([["file", "label"], *([f"{n}.png", cell(key, n)] for n in range(N))])})


def texts(folder: Path, key: str) -> Path:
    """The words tell how bright it is."""
    words = ("night darkness shadow", "evening cloud lamp", "sunshine noon snow")
    rows = [[f"a day of {words[n % BRIGHT]} number {n}", cell(key, n)] for n in range(N)]
    return write_tree(folder, {"t.csv": csv_bytes([["text", "label"], *rows])}) / "t.csv"


MADE: dict[str, Callable[[Path, str], Path]] = {"image": pictures, "text": texts}
"""By task, how a small dataset with a table of labels is made."""
SETTINGS = {"image": {"epochs": 8, "learning_rate": 0.02, "input_size": 64}, "text": {"epochs": 12, "learning_rate": 0.05}}


def test_every_task_is_tried() -> None:
    assert set(MADE) == set(SETTINGS) == set(TASKS)


@dataclass(frozen=True, slots=True)
class Trained:
    ws: Workspace
    data: DataSpec
    version: Version
    report: Report
    folder: Path


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """The worker takes the process's log for itself."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(params=[(task, key) for task in MADE for key in OBJECTIVES], ids=str)
def trained(request: pytest.FixtureRequest, ws: Workspace, tmp_path: Path) -> Trained:
    task, key = request.param
    data = import_path(ws, MADE[task](tmp_path / "in", key), name="set", owner=LOCAL_OWNER, progress=lambda done, total: None,
                       choice=TableChoice(objective=key if key == "binary" else ""))
    row = find(TASKS[task].default_model, ws)
    run = submit(ws, LOCAL_OWNER, data, ModelSpec(row.key), plan_for(row, "head"), TrainConfig(batch_size=8, **SETTINGS[task]))
    worker.run(ws.run(run.id))
    assert state_of(ws.run(run.id)) == "finished", events.read(ws.run(run.id) / "events.jsonl")[-1]
    return Trained(ws, data, load_version(ws, data), read_report(ws.run(run.id) / "report.json"), ws.run(run.id))


def test_a_run_of_every_objective_is_judged_taken_home_and_asked(trained: Trained, tmp_path: Path) -> None:
    data, version, report = trained.data, trained.version, trained.report
    row = objective(data.objective)
    assert version.objective == data.objective == report.objective and report.metric == row.metric and set(report.figures) == set(row.figures)
    assert report.n == len(version.split("test")) and len(report.predictions) == report.n
    _better_than_guessing(trained)
    _targets_are_what_the_items_are_labeled(trained)
    about = json.loads((trained.folder / "best" / "bundle.json").read_text(encoding="utf-8"))
    assert (about["objective"], about["activation"], about["labels"]) == (row.key, row.activation, list(version.labels))
    assert about.get("unit", "") == version.unit == report.unit == ("lx" if row.numeric else "")
    assert about["scores"]["score"] == report.score and report.metric in about["scores"]["metric"]
    items = version.split("test")
    home = load_bundle(trained.folder / "bundle.zip")
    asked = home.predict(home.kind.load_app().contents(trained.ws, data.dataset, [item.sha for item in items]))
    kept = [list(judged.probabilities) for judged in report.predictions]
    assert [[pytest.approx(value, abs=1e-4 * max(1.0, abs(value))) for value in said] for said in kept] == asked
    again = evaluate_bundle(trained.ws, trained.folder / "bundle.zip", data)
    assert again.score == pytest.approx(report.score, rel=1e-4) and again.objective == row.key
    words = [str(item) for item in home.kind.load_app().contents(trained.ws, data.dataset, [item.sha for item in items[:3]])]
    labels, answers = ask_bundle(trained.folder / "bundle.zip", words)
    assert labels == version.labels and [set(answer) for answer in answers] == [{home.kind.item, *SAID[row.key]}] * 3
    if home.kind.task == "text" or row.key == "single_label":  # a process of its own is dear, and what it says of each objective is of one source
        _the_program_says_the_same(trained.folder / "best", words, answers)


SAID = {"single_label": ("label", "probability", "probabilities"), "binary": ("label", "probability", "probabilities"),
        "multi_label": ("labels", "probabilities"), "regression": ("name", "value", "unit")}


def _better_than_guessing(trained: Trained) -> None:
    report = trained.report
    if objective(report.objective).numeric:
        assert report.score < 0.7 * (report.figures["baseline"] or 0)
    else:
        assert report.score > 0.6
    ends = [event for event in events.read(trained.folder / "events.jsonl") if isinstance(event, events.EpochEnd)]
    assert ends[-1].train_loss < ends[0].train_loss


def _the_program_says_the_same(bundle: Path, words: list[str], answers: list[dict]) -> None:
    """The program that goes home, run by itself."""
    said = subprocess.run([sys.executable, str(bundle / "predict.py"), *words, "--json"], capture_output=True, text=True, timeout=120, cwd=bundle)
    assert said.returncode == 0, said.stderr
    for alone, here in zip(json.loads(said.stdout)["predictions"], answers):
        assert alone.keys() == here.keys()
        assert all(alone[key] == (pytest.approx(here[key], rel=1e-4, abs=1e-5) if isinstance(here[key], float) else here[key])
                   for key in here if key != "probabilities")


def _targets_are_what_the_items_are_labeled(trained: Trained) -> None:
    for side in ("train", "test"):
        items = trained.version.split(side)  # type: ignore[arg-type]
        targets = targets_of(trained.version, items).tolist()
        for target, item in zip(targets, items):
            meant = item.value if item.value is not None else item.label if item.labels is None else \
                [float(idx in item.borne) for idx in range(len(trained.version.labels))]
            assert target == pytest.approx(meant)


def test_the_command_line_asks_yes_or_no_about_folders(ws: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {f"{'yes' if n % BRIGHT == 2 else 'no'}/{n}.png": encoded(picture(n).point(lambda value, n=n: value // 4 + 60 * (n % BRIGHT)), "PNG")
             for n in range(N)}
    folder = write_tree(tmp_path / "in", files)
    assert cli.main(["check", str(folder), "--objective", "binary", "--positive", "no", "--json"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said["objective"] == "binary" and list(said["labels"]) == ["yes", "no"]
    assert cli.main(["check", str(folder), "--objective", "regression", "--json"]) == 1
    assert "can't be asked about labels" in capsys.readouterr().out


def test_an_edit_asks_the_same_items_in_another_way(ws: Workspace, tmp_path: Path) -> None:
    data = dataset(ws, tmp_path)
    new = save(ws, data.dataset, LOCAL_OWNER, ask(load_version(ws, data), "multi_label"))
    assert (data.objective, new.objective) == ("single_label", "multi_label") and new.version != data.version
