"""The command line, with the real queue behind it."""
from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core import events
from core.bundle import predict
from core.cli import main
from core.data.limits import load_limits, save_limits
from core.data.versions import list_datasets, load_version
from core.errors import UserError
from core.jobs.runs import list_runs, state_of, write_failure
from core.models.catalog import CATALOG, find
from core.owners import LOCAL_OWNER
from core.specs import TrainConfig
from core.training.presets import plan_for, preset_config, preset_plan
from core.workspace import Workspace
from tests.core.data.flawed import clean
from tests.core.data.picture_files import write_tree
from tests.core.jobs.queued import cleaned_up, folder_of_pictures

MODEL = "graft-resnet10"
HEAD = 3 * 513


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """One workspace and supervisor for all of these tests, so that libraries are loaded once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRAFT_HOME", str(tmp_path_factory.mktemp("cli") / "workspace"))
        ws = Workspace.open()
        with cleaned_up(ws):
            yield ws


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of_pictures(tmp_path_factory.mktemp("pictures") / "my.insects")


@pytest.fixture(scope="module")
def trained(ws: Workspace, data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """What `python -m core train` prints last, and the bundle it leaves."""
    bundle = tmp_path_factory.mktemp("home") / "out.zip"
    done = subprocess.run([sys.executable, "-m", "core", "train", "--data", str(data), "--model", MODEL, "--preset", "instant",
                           "--epochs", "6", "--seed", "4", "--bundle", str(bundle), "--json"], capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "with --json there is no progress bar"
    return json.loads(done.stdout.splitlines()[-1]), bundle


def call(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> tuple[Any, str]:
    """The last line of the output as JSON (None when it is no JSON), and all that was printed, errors last."""
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == code
    out, err = capsys.readouterr()
    try:
        return json.loads(out.splitlines()[-1]), out + err
    except (ValueError, IndexError):
        return None, out + err


# ---- models ----

def test_models_are_listed_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    answer, _ = call(capsys, "models", "--json")
    assert list(answer) == ["models"] and [row["key"] for row in answer["models"]] == list(CATALOG)
    for row in answer["models"]:
        assert set(row) == {"key", "task", "parameters", "on_this_machine", "title"}
        assert (row["task"], row["parameters"]) == (find(row["key"]).task, find(row["key"]).parameters)
    assert [row["key"] for row in answer["models"] if row["on_this_machine"]] == [row.key for row in CATALOG.values() if row.built_in]


def test_models_are_listed_for_readers(capsys: pytest.CaptureFixture[str]) -> None:
    _, text = call(capsys, "models")
    assert len(text.splitlines()) == len(CATALOG) and "ready" in text.splitlines()[0] and "needs a download" in text


# ---- train ----

def test_a_run_can_start_where_another_one_ended(trained: tuple[dict[str, Any], Path], ws: Workspace, data: Path,
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    first = next(run for run in list_runs(ws, LOCAL_OWNER) if run.id == trained[0]["run"])
    answer, _ = call(capsys, "train", "--data", data, "--model", f"run:{first.name}", "--plan", "head", "--epochs", "1", "--json")
    assert next(run for run in list_runs(ws, LOCAL_OWNER) if run.id == answer["run"]).model.key == f"run:{first.id}"
    listed, text = call(capsys, "models")
    assert f"run:{first.id}" in text and find(f"run:{first.id}", ws).title in text
    _, said = call(capsys, "train", "--data", data, "--model", "run:nonesuch-9", code=1)
    assert "The run that this model came from is not here." in said


def test_train_says_what_came_out(trained: tuple[dict[str, Any], Path], ws: Workspace) -> None:
    answer, _ = trained
    assert list(answer) == ["run", "seconds", "trainable_parameters", "metric", "val_score", "val_accuracy", "test_score", "test_accuracy"]
    assert answer["metric"] == "accuracy" and answer["trainable_parameters"] == HEAD and answer["seconds"] > 0
    assert answer["val_score"] == answer["val_accuracy"] > 0.6 and answer["test_score"] == answer["test_accuracy"] > 0.6


def test_a_run_from_here_is_one_of_the_local_owners_runs(trained: tuple[dict[str, Any], Path], ws: Workspace) -> None:
    run = next(run for run in list_runs(ws, LOCAL_OWNER) if run.id == trained[0]["run"])
    assert state_of(ws.run(run.id)) == "finished" and run.name == "my.insects-1"
    assert run.config == TrainConfig("custom", epochs=6, seed=4) and run.plan == preset_plan(find(MODEL), "instant")
    assert [dataset.name for dataset in list_datasets(ws, LOCAL_OWNER)] == ["my.insects"]
    assert len([e for e in events.read(ws.run(run.id) / "events.jsonl") if e.type == "epoch"]) == 6


def test_the_bundle_is_written_where_it_was_asked_for(trained: tuple[dict[str, Any], Path], ws: Workspace) -> None:
    answer, bundle = trained
    assert bundle.read_bytes() == (ws.run(answer["run"]) / "bundle.zip").read_bytes()
    with zipfile.ZipFile(bundle) as archive:
        assert archive.testzip() is None and json.loads(archive.read("bundle.json"))["labels"] == ["ant", "bee", "猫"]


def test_the_plan_overrides_that_of_the_preset(ws: Workspace, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Here also for a reader: with a progress bar and a sentence, and from random weights."""
    _, text = call(capsys, "train", "--data", data, "--model", MODEL, "--preset", "balanced", "--plan", "all", "--epochs", 1,
                   "--random-weights")
    run = list_runs(ws, LOCAL_OWNER)[0]
    row = find(MODEL)
    everything = sum(block.parameters for block in row.blocks[:-1]) + HEAD
    assert run.plan == plan_for(row, "all")
    assert run.config.preset == "custom" and run.config.patience == preset_config(find(MODEL), "balanced").patience
    assert run.model.pretrained is False and not run.plan.blocks[0].from_epoch
    assert "1/1" in text and f"{everything:,} parameters trained" in text and "accuracy" in text and run.name in text


def test_the_same_data_again_is_the_same_dataset(trained: tuple[dict[str, Any], Path], ws: Workspace, data: Path,
                                                 capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data)
    first, _ = call(capsys, "train", "--data", ".", "--model", MODEL, "--epochs", 6, "--seed", 4, "--json")
    assert {key: first[key] for key in first if key not in ("run", "seconds")} == \
        {key: value for key, value in trained[0].items() if key not in ("run", "seconds")}, "and the same seed the same result"
    assert len(list_datasets(ws, LOCAL_OWNER)) == 1


# ---- evaluate and predict ----

def test_a_bundle_is_evaluated_on_labeled_files(trained: tuple[dict[str, Any], Path], ws: Workspace, tmp_path: Path,
                                                capsys: pytest.CaptureFixture[str]) -> None:
    others = folder_of_pictures(tmp_path / "others", n=5, first=20)
    (others / "ant" / "24.png").unlink()
    answer, _ = call(capsys, "evaluate", trained[1], "--data", others, "--json")
    assert set(answer) == {"split", "metric", "score", "accuracy", "low", "high", "n", "unit", "figures"} and answer["n"] == 14
    assert answer["metric"] == "accuracy" and answer["low"] < answer["score"] == answer["accuracy"] <= answer["high"]
    _, text = call(capsys, "evaluate", trained[1], "--data", others)
    assert f"accuracy {answer['score']:.3f}" in text and "on 14 test items" in text


def test_what_a_bundle_has_learned_from_does_not_count(trained: tuple[dict[str, Any], Path], ws: Workspace, data: Path,
                                                       capsys: pytest.CaptureFixture[str]) -> None:
    answer, _ = call(capsys, "evaluate", trained[1], "--data", data, "--json")
    assert answer["n"] == 3 and answer["score"] == trained[0]["test_score"] and answer["split"] == "test"


def test_of_files_that_bring_their_split_the_test_part_counts(trained: tuple[dict[str, Any], Path], ws: Workspace, tmp_path: Path,
                                                              capsys: pytest.CaptureFixture[str]) -> None:
    for split, n, first in (("train", 4, 20), ("val", 3, 24), ("test", 2, 27)):
        folder_of_pictures(tmp_path / "split" / split, n=n, first=first)
    answer, _ = call(capsys, "evaluate", trained[1], "--data", tmp_path / "split", "--json")
    assert answer["split"] == "test" and answer["n"] == 6


def test_items_that_a_bundle_has_learned_from_never_count(trained: tuple[dict[str, Any], Path], ws: Workspace, tmp_path: Path,
                                                          capsys: pytest.CaptureFixture[str]) -> None:
    """They may come among others, in whatever folder."""
    mixed = folder_of_pictures(tmp_path / "mixed", n=8)
    folder_of_pictures(mixed, n=2, first=30)
    answer, _ = call(capsys, "evaluate", trained[1], "--data", mixed, "--json")
    assert answer["n"] == 6 + 3, "the new ones, and those of the test side"


def test_labels_that_the_bundle_does_not_know_are_named(trained: tuple[dict[str, Any], Path], ws: Workspace, tmp_path: Path,
                                                        capsys: pytest.CaptureFixture[str]) -> None:
    other = folder_of_pictures(tmp_path / "other", ("ant", "wasp"), n=3)
    answer, _ = call(capsys, "evaluate", trained[1], "--data", other, "--json", code=1)
    assert answer["error"]["title"] == "The labels don't match." and "wasp" in answer["error"]["message"]


def test_files_are_predicted_as_their_bundle_does_it(trained: tuple[dict[str, Any], Path], data: Path, capsys: pytest.CaptureFixture[str],
                                                     tmp_path: Path) -> None:
    files = [data / "ant" / "0.png", data / "猫" / "7.png"]
    answer, _ = call(capsys, "predict", trained[1], *files, "--json")
    with zipfile.ZipFile(trained[1]) as archive:
        archive.extractall(tmp_path)
    assert answer["labels"] == ["ant", "bee", "猫"] and [row["file"] for row in answer["predictions"]] == [str(file) for file in files]
    for row, expected in zip(answer["predictions"], predict.predict(predict.load(tmp_path), files)):
        assert row["probabilities"] == pytest.approx(expected, abs=1e-6) and sum(expected) == pytest.approx(1, abs=1e-5)
        best = row["probabilities"].index(max(row["probabilities"]))
        assert (row["label"], row["probability"]) == (answer["labels"][best], row["probabilities"][best])
    _, text = call(capsys, "predict", tmp_path, *files)
    assert len(text.splitlines()) == 2 and "%" in text


@pytest.mark.parametrize("make, says", [(None, "This file is not there."), (b"no picture", "This picture can't be read.")])
def test_a_file_that_can_not_be_predicted_is_named(trained: tuple[dict[str, Any], Path], tmp_path: Path, make: bytes | None, says: str,
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "holiday.jpg"
    if make:
        file.write_bytes(make)
    answer, _ = call(capsys, "predict", trained[1], file, "--json", code=1)
    assert answer["error"]["title"] == says and "holiday.jpg" in answer["error"]["message"]


def test_what_is_no_bundle_is_refused(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bundle.zip").write_bytes(b"no zip")
    for bundle, title in ((tmp_path / "bundle.zip", "This model can't be loaded."), (tmp_path / "nowhere.zip", "This model is not here.")):
        answer, _ = call(capsys, "predict", bundle, data / "ant" / "0.png", "--json", code=1)
        assert answer["error"]["title"] == title


# ---- what is refused, before anything is read or trained ----

@pytest.mark.parametrize("change, says", [
    ({"--model": "resnet-18"}, "resnet18"),
    ({"--data": "nowhere"}, "There is no file or folder “nowhere”."),
    ({"--data": "list.csv"}, "“list.csv” holds no rows."),
    ({"--epochs": 0}, "epochs must be between 1 and 1000"),
    ({"--bundle": "missing/out.zip"}, "can't be put there"),
])
def test_a_mistake_is_explained(ws: Workspace, data: Path, change: dict[str, object], says: str, capsys: pytest.CaptureFixture[str],
                                tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.csv").write_text("file,label\n")
    before = len(list_runs(ws, LOCAL_OWNER))
    arguments = [part for pair in ({"--data": data, "--model": MODEL, "--epochs": 1} | change).items() for part in pair]
    answer, _ = call(capsys, "train", *arguments, "--json", code=1)
    assert list(answer) == ["error"] and says in answer["error"]["message"]
    answer, text = call(capsys, "train", *arguments, code=1)
    assert answer is None and says in text and "Traceback" not in text
    assert len(list_runs(ws, LOCAL_OWNER)) == before


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace without a supervisor."""
    monkeypatch.setenv("GRAFT_HOME", str(tmp_path / "alone"))
    return Workspace.open()


def test_a_run_that_fails_gives_its_reason(alone: Workspace, data: Path, capsys: pytest.CaptureFixture[str],
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    def failing_at_once(ws: Workspace) -> None:
        write_failure(ws.run(list_runs(ws, LOCAL_OWNER)[0].id), UserError("It broke in {n} parts.", "", "Try again.", n=3))
    monkeypatch.setattr("core.cli.train.ensure_supervisor", failing_at_once)
    answer, _ = call(capsys, "train", "--data", data, "--model", MODEL, "--epochs", 1, "--json", code=1)
    assert answer["error"] == {"title": "It broke in 3 parts.", "message": "It broke in 3 parts. Try again."}


def test_an_interruption_leaves_the_run_in_the_queue(alone: Workspace, data: Path, capsys: pytest.CaptureFixture[str],
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    def ctrl_c(ws: Workspace) -> None:
        raise KeyboardInterrupt
    monkeypatch.setattr("core.cli.train.ensure_supervisor", ctrl_c)
    _, text = call(capsys, "train", "--data", data, "--model", MODEL, "--epochs", 1, code=130)
    [run] = list_runs(alone, LOCAL_OWNER)
    assert "goes on" in text and "Traceback" not in text and state_of(alone.run(run.id)) == "queued"


def test_letters_that_a_console_lacks_break_nothing(trained: tuple[dict[str, Any], Path], data: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "core", "predict", str(trained[1]), str(data / "猫" / "0.png")], timeout=120,
                          capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert done.returncode == 0, done.stderr


# ---- copies across the split ----

@pytest.fixture
def leaking(tmp_path: Path) -> Path:
    files = clean()
    return write_tree(tmp_path / "leaking", files | {"train/ant/copy.png": files["test/ant/0.png"], "val/bee/copy.png": files["test/bee/0.png"]})


@pytest.mark.parametrize("options, says, fewer, overruled", [
    ([], "2 near-copies stand on both sides of the split: they are left out of training.", 2, 0),
    (["--leaks", "accept"], "2 near-copies stand on both sides of the split: they are let stand", 0, 2),
])
def test_copies_across_the_split_are_settled_before_training(alone: Workspace, leaking: Path, capsys: pytest.CaptureFixture[str], options: list[str],
                                                             says: str, fewer: int, overruled: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def ctrl_c(ws: Workspace) -> None:
        raise KeyboardInterrupt
    monkeypatch.setattr("core.cli.train.ensure_supervisor", ctrl_c)
    for _ in range(2):
        _, text = call(capsys, "train", "--data", leaking, "--model", MODEL, *options, code=130)
        assert says in text
    first, again = list_runs(alone, LOCAL_OWNER)
    [dataset] = list_datasets(alone, LOCAL_OWNER)
    version = load_version(alone, first.data)
    assert first.data == again.data and first.data.version == dataset.versions[-1] and len(dataset.versions) == 2
    assert (len(version.items), version.overruled) == (26 - fewer, overruled)


def test_copies_across_the_split_can_stop_the_training(alone: Workspace, leaking: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer, _ = call(capsys, "train", "--data", leaking, "--model", MODEL, "--leaks", "hold", "--json", code=1)
    assert answer["error"]["title"] == "Training is held: 2 near-copies stand on both sides of the split."
    assert list_runs(alone, LOCAL_OWNER) == []


# ---- check ----

@pytest.fixture
def little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place for temporary files, to see what stays there."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_a_folder_is_checked_for_scripts_and_nothing_stays_behind(alone: Workspace, leaking: Path, little: Path,
                                                                  capsys: pytest.CaptureFixture[str]) -> None:
    write_tree(leaking, {"train/ant/broken.png": b"", "train/bee/0b.png": (leaking / "train/bee/0.png").read_bytes()})
    answer, _ = call(capsys, "check", leaking, "--json")
    assert (answer["task"], answer["items"], answer["encoding"], answer["columns"]) == ("image", 27, None, None)
    assert answer["labels"] == {"ant": {"train": 9, "val": 2, "test": 2}, "bee": {"train": 9, "val": 3, "test": 2}}
    assert answer["rejected"] == [{"name": "train/ant/broken.png", "reason": "The file is empty."}]
    assert [(problem["kind"], problem["severity"], problem["count"]) for problem in answer["problems"]] == [
        ("near_copies_across_splits", "holds", 2), ("empty", "minor", 1), ("exact_duplicates", "minor", 1)]
    assert answer["problems"][0]["title"] == "Near-copies on both sides of the split: 2"
    assert ["train/ant/copy.png", "test/ant/0.png"] in answer["problems"][0]["examples"]
    assert answer["problems"][1]["examples"] == [["train/ant/broken.png"]]
    assert list_datasets(alone, LOCAL_OWNER) == [] and list(little.iterdir()) == []


def test_a_folder_is_checked_for_readers(leaking: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tree(leaking, {f"train/bee/{i}b.png": (leaking / f"train/bee/{i}.png").read_bytes() for i in range(7)})
    _, text = call(capsys, "check", leaking)
    lines = text.splitlines()
    assert lines[0] == "33 items (image), 2 labels, 0 left out" and "bee        15            3       2" in lines
    held, duplicates = lines.index("[HOLDS] Near-copies on both sides of the split: 2"), lines.index("[minor] Exact duplicates: 7")
    assert held < duplicates and "    train/ant/copy.png = test/ant/0.png" in lines
    assert len([line for line in lines[duplicates:] if " = " in line]) == 5 and "    …" in lines, "five examples are enough"
    assert "reading" in text, "the bar goes to the error output"


def test_a_clean_folder_has_nothing_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_tree(tmp_path / "clean", clean())
    assert call(capsys, "check", folder, "--json")[0]["problems"] == []
    assert "Nothing wrong was found." in call(capsys, "check", folder)[1]


def test_the_limits_of_the_settings_hold_for_a_check(alone: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_limits(alone, replace(load_limits(alone), entries=10))
    answer, _ = call(capsys, "check", write_tree(tmp_path / "clean", clean()), "--json", code=1)
    assert "clean" in answer["error"]["title"] and "10" in answer["error"]["message"]


def test_a_check_makes_no_workspace(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFT_HOME", str(tmp_path / "home"))
    call(capsys, "check", write_tree(tmp_path / "clean", clean()), "--json")
    assert not (tmp_path / "home").exists()


def test_what_can_not_be_imported_can_not_be_checked(tmp_path: Path, little: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer, _ = call(capsys, "check", tmp_path / "nowhere", "--json", code=1)
    assert "There is no file or folder" in answer["error"]["title"]
    folder = write_tree(tmp_path / "one", {"cat/1.jpg": b"no picture", "dog/1.jpg": b""})
    _, text = call(capsys, "check", folder, code=1)
    assert "No file could be read as a picture." in text and "Traceback" not in text and list(little.iterdir()) == []


def test_a_table_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{label},the {label} one of number {i} is {word}" for label in ("good", "poor") for i, word in enumerate(
        ("apple", "river", "engine", "violin", "glacier", "harbour", "lantern", "meadow", "orchid", "pebble", "quartz", "saddle"))]
    path = tmp_path / "reviews.csv"
    path.write_bytes("\n".join(["label,text", *rows, "poor,\u597d", "good,", f"poor,{rows[0].partition(',')[2]}"]).encode("gb18030"))
    answer, _ = call(capsys, "check", path, "--json")
    assert (answer["task"], answer["items"], answer["columns"]) == ("text", 26, {"text": "text", "label": "label", "group": None})
    assert answer["rejected"] == [{"name": "reviews.csv:27", "reason": "The text is empty."}]
    kinds = {problem["kind"]: problem for problem in answer["problems"]}
    assert kinds["same_item_two_labels"]["examples"] == [["reviews.csv:2", "reviews.csv:28"]] and kinds["empty"]["count"] == 1
    assert kinds["short_texts"]["examples"] == [["reviews.csv:26"]] and answer["encoding"].lower() == "gb18030"
