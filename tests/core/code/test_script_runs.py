"""The script is the app's training: it begins with the same loss and ends within the range of the app's score."""
from __future__ import annotations

import re
import runpy
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from core.code.kit import kit
from core.code.script import FILE, asked_of, script
from core.data.versions import Item, create_dataset, load_version
from core.evaluation.report import Report
from core.events import EpochEnd
from core.jobs import assemble
from core.models.catalog import find
from core.models.own import save_row
from core.models.rows import ModelRow
from core.models.texts.describe import describe
from core.specs import DataSpec, FreezePlan, HeadPlan, ModelSpec, RunSpec, TrainConfig
from core.training import fit as training
from core.training.losses import LOSSES
from core.training.machine import record_precision, record_speed
from core.training.presets import PlanKind, plan_for
from core.workspace import Workspace
from tests.core.jobs.queued import dataset
from tests.core.jobs.texts import FILLING, KINDS, text_dataset
from tests.core.models.tiny_checkpoints import saved

ROW = find("graft-resnet10")
SETTINGS = TrainConfig("custom", epochs=2, batch_size=8, input_size=32, precision="fp32", learning_rate=1e-2)


@dataclass(frozen=True, slots=True)
class Said:
    """What a training printed or logged: the loss before it began, the training loss of each epoch, loss and score at the end."""
    initial: float
    epochs: tuple[float, ...]
    score: float


def in_app(ws: Workspace, run: RunSpec) -> tuple[Said, Report]:
    record_precision(ws, "fp32")
    record_speed(ws, run.model.key, 1e9)
    parts = assemble.assemble(ws, run, _Silent())
    loss, side = LOSSES[run.data.objective], parts.splits["train"]
    terms = loss.terms(side.targets, 0).plain()
    initial, _ = training._evaluate(parts.network, side, 0, loss, terms)
    folder = ws.run(run.id)
    folder.mkdir(parents=True)
    log = list(training.fit(run, parts.network, parts.splits, len(parts.version.labels), folder, lambda: "go"))
    report = assemble._judge(run, parts)
    assert report is not None
    return Said(initial, tuple(event.train_loss for event in log if isinstance(event, EpochEnd)), report.score), report


class _Silent:
    def reading(self, done: int, total: int) -> None: ...

    def fetching(self, done: int, total: int) -> None: ...


@pytest.fixture
def by_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[Workspace, RunSpec, ModelRow], Said]:
    def carried_out(ws: Workspace, run: RunSpec, row: ModelRow) -> Said:
        folder, version = tmp_path / "script", load_version(ws, run.data)
        folder.mkdir()
        (folder / "kit.zip").write_bytes(b"".join(kit(ws, run.data, version, row)))
        zipfile.ZipFile(folder / "kit.zip").extractall(folder)
        (folder / FILE).write_text(script(asked_of(ws, row, run.plan, run.config, version, run.model.pretrained)), encoding="utf-8")
        monkeypatch.chdir(folder)
        capsys.readouterr()
        runpy.run_path(FILE)
        said = capsys.readouterr().out
        numbers = [float(found) for found in re.findall(r"training loss (\S+?)(?:,|\n)", said)]
        return Said(float(re.search(r"initial loss (\S+)", said)[1]), tuple(numbers), float(said.split()[-1]))
    return carried_out


def run_of(data: DataSpec, row: ModelRow, plan: FreezePlan | PlanKind, pretrained: bool = True, **settings: object) -> RunSpec:
    plan = plan_for(row, plan) if isinstance(plan, str) else plan
    return RunSpec("coderun", "run", "local", 0.0, data, ModelSpec(row.key, pretrained), plan, replace(SETTINGS, **settings))


def judged_alike(app: Said, report: Report, ours: Said, loss: float = 2e-4) -> None:
    assert ours.initial == pytest.approx(app.initial, abs=1e-4)
    assert ours.epochs == pytest.approx(app.epochs, abs=loss, rel=loss)
    assert report.low is not None and report.low <= ours.score <= report.high


def with_numbers(ws: Workspace, data: DataSpec) -> DataSpec:
    version = load_version(ws, data)
    items = tuple(replace(item, label=0, value=-3.5 + 10.0 * item.label + i % 3) for i, item in enumerate(version.items))
    return create_dataset(ws, "numbers", "numbers", "local", replace(version, labels=("weight",), items=items, objective="regression"))


def with_two_labels(ws: Workspace, data: DataSpec) -> DataSpec:
    version = load_version(ws, data)
    items = tuple(replace(item, label=min(item.label, 1)) for item in version.items)
    return create_dataset(ws, "twolabels", "two", "local", replace(version, labels=("=no", "yes\n'\"\"\""), items=items, objective="binary"))


def with_several(ws: Workspace, data: DataSpec) -> DataSpec:
    version = load_version(ws, data)

    def one(item: Item) -> Item:
        return replace(item, labels=((), (0,), (0, 1))[item.label])
    return create_dataset(ws, "several", "several", "local", replace(version, labels=("a", "b"), items=tuple(map(one, version.items)), objective="multi_label"))


PICTURES: dict[str, Callable[[Workspace, DataSpec], RunSpec]] = {
    "head": lambda ws, data: run_of(data, ROW, "head"),
    "last stage, joining later, pulled back, smoothed": lambda ws, data: run_of(
        data, ROW, replace(plan_for(ROW, "last-stage", head_first_epochs=1, lr_scale=0.3), batch_norm="keep", blocks=tuple(
            replace(block, anchor=100.0) if block.name.startswith("stage 4") else block
            for block in plan_for(ROW, "last-stage", head_first_epochs=1, lr_scale=0.3).blocks)),
        label_smoothing=0.1, class_weights=True, patience=3, learning_rate=0.05, schedule="step", optimizer="sgd", epochs=3),
    "MLP head on a flattened map, numbers": lambda ws, data: run_of(
        with_numbers(ws, data), ROW, replace(plan_for(ROW, "head"), head=HeadPlan("mlp", "flatten", 16, 0.2)), learning_rate=1e-3),
    "all of it, yes or no, with weights": lambda ws, data: run_of(with_two_labels(ws, data), ROW, "all", learning_rate=1e-3, class_weights=True),
    "several labels, random weights": lambda ws, data: run_of(with_several(ws, data), ROW, "head", False, class_weights=True, label_smoothing=0.1),
}


@pytest.mark.parametrize("case", PICTURES)
def test_the_script_trains_as_the_app_does(ws: Workspace, tmp_path: Path, case: str, by_script: Callable[..., Said]) -> None:
    run = PICTURES[case](ws, dataset(ws, tmp_path / "data"))
    app, report = in_app(ws, run)
    noise = 2e-3 if case.startswith("all") else 2e-4  # a network that learns as a whole enlarges the last bits
    judged_alike(app, report, by_script(ws, run, ROW), noise)


def test_adapters_learn_beside_resting_weights(ws: Workspace, tmp_path: Path, by_script: Callable[..., Said]) -> None:
    """They begin with other random numbers than the app's, so only the start and the end are compared."""
    run = run_of(dataset(ws, tmp_path / "data"), ROW, "lora", lora_rank=2)
    app, report = in_app(ws, run)
    judged_alike(app, report, by_script(ws, run, ROW), loss=10.0)


VOCABULARY = (*FILLING, *(word for words in KINDS.values() for word in words))
TEXTS: dict[str, tuple[str, str, dict[str, object], HeadPlan]] = {
    "bert, all of it": ("bert", "all", {}, HeadPlan()),
    "gpt2 decides on the last token": ("gpt2", "head", {}, HeadPlan()),
    "roberta, the mean of windows, MLP": ("roberta", "last-stage", {"long_texts": "windows", "max_tokens": 4}, HeadPlan("mlp", "mean", 8, 0.0)),
    "bert by windows": ("bert", "head", {"long_texts": "windows", "max_tokens": 5}, HeadPlan()),
    "distilbert at both ends, compared in pairs": ("distilbert", "last-stage", {"long_texts": "ends", "max_tokens": 6, "method": "contrastive"}, HeadPlan()),
}


@pytest.mark.parametrize("case", TEXTS)
def test_the_script_reads_texts_as_the_app_does(ws: Workspace, tmp_path: Path, case: str, by_script: Callable[..., Said]) -> None:
    kind, plan_kind, settings, head = TEXTS[case]
    saved(tmp_path / kind, kind, n_tokens=36)
    row = describe(str(tmp_path / kind), ws)
    save_row(ws, row)
    run = run_of(text_dataset(ws, tmp_path, n=7), row, replace(plan_for(row, plan_kind, lr_scale=0.1), head=head), input_size=None, **settings)
    app, report = in_app(ws, run)
    judged_alike(app, report, by_script(ws, run, row))
