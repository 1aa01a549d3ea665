"""One run, carried out in this process."""
from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock, Timeout
from safetensors import SafetensorError

from core import events
from core.bundle import predict
from core.data.versions import Version, create_dataset, load_version
from core.errors import NotFound, UserError
from core.evaluation.report import read_report
from core.jobs import assemble, room, worker
from core.jobs.about import say
from core.jobs.life import DISK_FULL, exit_of, state_of
from core.jobs.processes import PROJECT
from core.jobs.runs import FIRST_REPORT, bundle_of, discard, longer, resume
from core.models.catalog import find, weights_folder
from core.specs import DataSpec, RunSpec
from core.training.machine import load_machine
from core.workspace import Workspace, new_id, write_atomic
from tests.core.jobs.queued import dataset, put_in_queue


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


@pytest.fixture
def data(ws: Workspace, tmp_path: Path) -> DataSpec:
    return dataset(ws, tmp_path / "data")


def carried_out(ws: Workspace, run: RunSpec) -> tuple[str, list[events.Event], set[str]]:
    """The state it ended in, its log, and what lies in its folder."""
    folder = ws.run(run.id)
    worker.run(folder)
    return state_of(folder), events.read(folder / "events.jsonl"), {path.name for path in folder.iterdir() if path.name[0] != "."}


LEFT = {"run.json", "last.safetensors", "model.json", "torch_home", "hub_folder", "worker.json", "worker.log", "events.jsonl", "exit.json"}


def test_a_run_leaves_its_log_its_report_and_its_bundle(ws: Workspace, data: DataSpec) -> None:
    run = put_in_queue(ws, data)
    state, log, left = carried_out(ws, run)
    assert (state, left) == ("finished", LEFT | {"change.json", "usage.json", "report.json", "best", "bundle.zip"})
    kinds = [event.type for event in log]
    storing = [event for event in log if event.type == "preparing"]
    assert {event.what for event in storing} == {"storing"} and storing[-1].done == storing[-1].total and storing[-1].computing_s > 0
    assert kinds[:3] == ["state", "state", "started"] and kinds[-2:] == ["done", "state"] and kinds.count("epoch") == 2, "pictures are read while the frozen part is computed"
    report = read_report(ws.run(run.id) / "report.json")
    items = load_version(ws, data).split("test")
    assert report.split == "test" and not report.used_for_choosing and report.labels == ("ant", "bee", "猫")
    assert [judged.sha for judged in report.predictions] == [item.sha for item in items]
    assert [judged.truth for judged in report.predictions] == [item.label for item in items]
    with zipfile.ZipFile(ws.run(run.id) / "bundle.zip") as archive:
        assert "predict.py" in archive.namelist()


def test_where_nothing_rests_the_items_are_read_first(ws: Workspace, data: DataSpec) -> None:
    state, log, _ = carried_out(ws, put_in_queue(ws, data, kind="all", epochs=1))
    reading = [event for event in log if event.type == "preparing"]
    assert state == "finished" and {event.what for event in reading} == {"reading"} and reading[-1].done == reading[-1].total == 24
    assert log.index(reading[-1]) < [event.type for event in log].index("started")


def test_the_report_is_what_the_bundle_answers(ws: Workspace, data: DataSpec) -> None:
    run = put_in_queue(ws, data, kind="last-stage", epochs=1)
    carried_out(ws, run)
    report, model = read_report(ws.run(run.id) / "report.json"), predict.load(ws.run(run.id) / "best")
    answers = predict.predict(model, [ws.blob(judged.sha) for judged in report.predictions])
    for judged, answer in zip(report.predictions, answers):
        assert judged.probabilities == pytest.approx(answer, abs=1e-5)


def test_the_first_model_can_be_used_before_the_rest_has_learned(ws: Workspace, data: DataSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = list[Path]()
    publish = assemble.publish_first

    def published(ws: Workspace, run: RunSpec, folder: Path, parts: assemble.Parts) -> None:
        publish(ws, run, folder, parts)
        report, model = read_report(folder / FIRST_REPORT), predict.load(bundle_of(folder) or folder)
        for judged, answer in zip(report.predictions, predict.predict(model, [ws.blob(judged.sha) for judged in report.predictions])):
            assert judged.probabilities == pytest.approx(answer, abs=2e-7)
        seen.append(bundle_of(folder) or folder)
    monkeypatch.setattr(assemble, "publish_first", published)
    run = put_in_queue(ws, data, kind="last-stage", epochs=1, first_model=True, precision="bf16")
    state, log, left = carried_out(ws, run)
    assert (state, left) == ("finished", LEFT | {"change.json", "usage.json", "report.json", "best", "bundle.zip", FIRST_REPORT})
    assert [path.name for path in seen] == ["first"] and bundle_of(ws.run(run.id)) == ws.run(run.id) / "best"
    kinds = [event.type for event in log]
    assert kinds.index("first") < kinds.index("step")
    reports = [read_report(ws.run(run.id) / name) for name in (FIRST_REPORT, "report.json")]
    assert [[judged.sha for judged in report.predictions] for report in reports][0] == [judged.sha for judged in reports[1].predictions]
    plain = put_in_queue(ws, data, kind="last-stage", epochs=1, precision="bf16")
    carried_out(ws, plain)
    assert read_report(ws.run(plain.id) / "report.json").predictions == reports[1].predictions, "and nothing of the rest is another one"


@pytest.mark.parametrize("wish, state", [("discard", "discarded"), ("pause", "paused")])
def test_a_run_that_was_given_up_before_it_began_reads_nothing_more(ws: Workspace, data: DataSpec, wish: str, state: str) -> None:
    run = put_in_queue(ws, data)
    write_atomic(ws.run(run.id) / "control", wish.encode())
    found, log, left = carried_out(ws, run)
    assert (found, left) == (state, LEFT - {"last.safetensors"} | {"control"})
    assert [event.type for event in log] == ["state", "state", state, "state"] and list(ws.activations.iterdir()) == []


def test_stop_and_keep_leaves_a_whole_result(ws: Workspace, data: DataSpec) -> None:
    run = put_in_queue(ws, data, epochs=500)
    write_atomic(ws.run(run.id) / "control", b"keep")
    state, log, left = carried_out(ws, run)
    assert state == "stopped" and {"report.json", "bundle.zip"} <= left and log[-2].stopped and log[-2].epochs == 1


@pytest.mark.parametrize("kind", ["last-stage", "all"])
def test_the_pace_is_learned_also_where_only_the_first_model_needed_the_frozen_part(ws: Workspace, data: DataSpec, kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assemble, "ENOUGH_BATCHES", 1)
    run = put_in_queue(ws, data, kind=kind, epochs=1, first_model=True)
    assert carried_out(ws, run)[0] == "finished" and load_machine(ws).macs_per_s[run.model.key] > 1e6


def test_each_change_is_an_event(ws: Workspace, data: DataSpec) -> None:
    log = carried_out(ws, put_in_queue(ws, data))[1]
    assert [event.state for event in log if event.type == "state"] == ["queued", "preparing", "running", "finished"]


def test_a_paused_run_goes_on_to_the_same_bundle(ws: Workspace, data: DataSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, run = (put_in_queue(ws, data, kind="last-stage", precision="fp32") for _ in range(2))
    carried_out(ws, whole)
    monkeypatch.setattr(worker, "CONTROL_SECONDS", -1.0)
    monkeypatch.setattr(worker, "wish_of", lambda folder: "pause" if b'"type":"step"' in (folder / "events.jsonl").read_bytes() else "go")
    state, log, left = carried_out(ws, run)
    assert state == "paused" and not {"report.json", "bundle.zip"} & left and any(event.type == "step" for event in log)
    monkeypatch.undo()
    resume(ws, run)
    assert carried_out(ws, run)[0] == "finished"
    weights = [(ws.run(one.id) / "best" / "model.safetensors").read_bytes() for one in (whole, run)]
    assert weights[0] == weights[1]
    assert read_report(ws.run(whole.id) / "report.json").predictions == read_report(ws.run(run.id) / "report.json").predictions


def test_a_run_that_is_trained_longer_leaves_the_first_as_it_is(ws: Workspace, data: DataSpec) -> None:
    run = put_in_queue(ws, data, kind="last-stage")
    carried_out(ws, run)
    before = {path.name: path.read_bytes() for path in ws.run(run.id).iterdir() if path.is_file()}
    more = longer(ws, run, 3, request := new_id())
    assert longer(ws, run, 3, request) == more, "two clicks make one"
    say(ws.run(more.id), deleted=1.0)
    other = longer(ws, run, 3, request)
    assert other.id != more.id, "what was deleted is not found again"
    discard(ws, other)
    say(ws.run(more.id), deleted=0.0)
    assert more.config.epochs == 5 and more.name != run.name
    state, log, _ = carried_out(ws, more)
    ends = [event for event in log if event.type == "epoch"]
    assert state == "finished" and [event.epoch for event in ends] == [1, 2, 3, 4, 5] and not any(event.type == "done" for event in log[:-2])
    assert before == {path.name: path.read_bytes() for path in ws.run(run.id).iterdir() if path.is_file()}
    tidied = ws.run(more.id) / "last.safetensors"
    tidied.unlink()
    with pytest.raises(NotFound, match="trained longer"):
        longer(ws, more, 1)


def test_two_workers_never_work_on_one_run(ws: Workspace, data: DataSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the first one looks dead: it holds a lock that only the system can take from it."""
    run = put_in_queue(ws, data)
    monkeypatch.setattr(worker, "LOCK_SECONDS", 0.1)
    with FileLock(ws.run(run.id) / ".worker.lock"), pytest.raises(Timeout):
        worker.run(ws.run(run.id))
    assert state_of(ws.run(run.id)) == "queued"


def test_without_room_on_the_disk_it_waits_before_it_begins(ws: Workspace, data: DataSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    run = put_in_queue(ws, data)
    monkeypatch.setattr(room, "SPARE_BYTES", 1 << 60)
    state, log, left = carried_out(ws, run)
    assert state == "paused" and exit_of(ws.run(run.id)).why == DISK_FULL and not any(event.type == "started" for event in log)
    monkeypatch.undo()
    resume(ws, run)
    assert carried_out(ws, run)[0] == "finished"


def test_without_items_held_back_there_is_a_bundle_and_no_report(ws: Workspace, data: DataSpec) -> None:
    version = load_version(ws, data)
    bare = create_dataset(ws, "alltrain", "all", "local", Version(version.labels, version.split("train")))
    state, log, left = carried_out(ws, put_in_queue(ws, bare))
    assert state == "finished" and left == LEFT | {"change.json", "usage.json", "best", "bundle.zip"} and log[-2].val_score is None


def test_without_test_items_the_validation_items_are_judged(ws: Workspace, data: DataSpec) -> None:
    version = load_version(ws, data)
    items = tuple(item for item in version.items if item.split != "test")
    run = put_in_queue(ws, create_dataset(ws, "notests", "no tests", "local", Version(version.labels, items)))
    carried_out(ws, run)
    report = read_report(ws.run(run.id) / "report.json")
    assert report.split == "val" and report.used_for_choosing and report.n == len(version.split("val"))


def test_a_picture_that_is_gone_is_named(ws: Workspace, data: DataSpec) -> None:
    sha = load_version(ws, data).items[3].sha
    ws.blob(sha).unlink()
    state, log, left = carried_out(ws, put_in_queue(ws, data))
    assert (state, left) == ("failed", LEFT - {"last.safetensors"})
    assert log[-2].title == "A file of the dataset is gone." and log[-2].params == {"file": sha} and "Traceback" in log[-2].detail and log[-2].kind == "data"


@pytest.mark.parametrize("error, title, says", [
    (UserError("A title.", "A cause with {n}.", "A fix.", n=3), "A title.", {"n": 3}),
    (MemoryError(), "Out of memory.", {}),
    (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried"), "Out of memory.", {}),
    (ValueError("Expected more than 1 value per channel when training, got torch.Size([1, 8])"), "The batches are too small.", {}),
    (ZeroDivisionError("by zero"), "The training stopped unexpectedly.", {"kind": "ZeroDivisionError", "text": "by zero"}),
])
def test_whatever_goes_wrong_the_run_says_so(ws: Workspace, data: DataSpec, monkeypatch: pytest.MonkeyPatch, error: Exception, title: str,
                                             says: dict) -> None:
    def fail(*_: object) -> None:
        raise error
    monkeypatch.setattr(assemble, "finish", fail)
    run = put_in_queue(ws, data, epochs=1)
    state, log, left = carried_out(ws, run)
    assert (state, log[-2].type, log[-2].title, log[-2].params) == ("failed", "failed", title, says)
    assert left == LEFT, "what was learnt is kept where there is no bundle of it"
    assert type(error).__name__ in (ws.run(run.id) / "worker.log").read_text("utf-8")


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"),
                                   SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")])
def test_a_full_disk_pauses_it_and_nothing_is_lost(ws: Workspace, data: DataSpec, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object) -> None:
        raise error
    run = put_in_queue(ws, data, epochs=1)
    monkeypatch.setattr(assemble, "finish", fail)
    state, log, left = carried_out(ws, run)
    assert (state, exit_of(ws.run(run.id)).why, left) == ("paused", DISK_FULL, LEFT)
    monkeypatch.undo()
    resume(ws, run)
    state, log, _ = carried_out(ws, run)
    assert state == "finished" and [event.type for event in log].count("epoch") == 1, "it was learned already"


def test_weights_are_looked_for_where_they_were_when_the_run_was_submitted(ws: Workspace, data: DataSpec, tmp_path: Path,
                                                                             monkeypatch: pytest.MonkeyPatch) -> None:
    """A supervisor that was started earlier, with another environment, may carry the run out."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "权重"))
    run = put_in_queue(ws, data)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "elsewhere"))
    worker._see_weights_of(ws.run(run.id))
    assert weights_folder(find("resnet18")) == tmp_path / "权重" / "hub" / "checkpoints"


def test_a_worker_without_a_run_leaves(tmp_path: Path) -> None:
    """Its input closes when the supervisor ends, also when that is killed."""
    assert subprocess.run([sys.executable, "-m", "core.jobs.worker"], cwd=PROJECT, input=b"", timeout=120).returncode == 0


def test_the_path_of_a_run_may_have_any_letters(tmp_path: Path) -> None:
    """Also where the system's encoding has none for them."""
    ws = Workspace.open(tmp_path / "工作区 é")
    run = put_in_queue(ws, dataset(ws, tmp_path / "data"), epochs=1)
    subprocess.run([sys.executable, "-m", "core.jobs.worker"], cwd=PROJECT, input=os.fsencode(ws.run(run.id)) + b"\n", timeout=120,
                   env=os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}, check=True)
    assert state_of(ws.run(run.id)) == "finished"
