from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from core import events
from core.data.edit import save
from core.data.facts import Facts, Near, load_facts, write_facts
from core.data.health.check import LEAK
from core.data.health.fixes import fix, overrule
from core.data.versions import Version, create_dataset, load_version, version_key
from core.errors import DataError, ModelError, NotAllowed, NotANumber, NotFound, SettingsError, UserError
from core.jobs.about import say
from core.jobs.life import IllegalChange, state_of
from core.jobs.processes import this_process
from core.jobs.runs import (
    LAST,
    active_runs,
    check_unused,
    delete,
    deleted_runs,
    discard,
    failure,
    keep,
    list_runs,
    load_run,
    pause,
    resume,
    submit,
    undelete,
    watch_run,
    wish_of,
    write_failure,
)
from core.models.catalog import find
from core.specs import DataSpec, ModelSpec, RunSpec, TrainConfig, from_json
from core.training.presets import plan_for
from core.workspace import Workspace, new_id, write_atomic
from tests.core.data.flawed import texts
from tests.core.jobs.queued import ROW, dataset, left_as, put_in_queue, worked_on


@pytest.fixture
def data(ws: Workspace, tmp_path: Path) -> DataSpec:
    return dataset(ws, tmp_path / "data")


# ---- submitting ----

def test_a_run_is_written_down_whole(ws: Workspace, data: DataSpec) -> None:
    run = put_in_queue(ws, data, seed=3)
    assert sorted(path.name for path in ws.run(run.id).iterdir()) == ["events.jsonl", "hub_folder", "model.json", "run.json", "torch_home"]
    assert from_json(RunSpec, (ws.run(run.id) / "run.json").read_bytes()) == run == load_run(ws, run.id, "local")
    assert (run.data, run.model, run.config.seed, run.plan) == (data, ModelSpec(ROW.key, False), 3, plan_for(ROW, "head"))


def test_the_same_request_never_makes_a_second_run(ws: Workspace, data: DataSpec) -> None:
    request = new_id()
    first, again = (put_in_queue(ws, data, request=request) for _ in range(2))
    assert first == again and first.id == request and list_runs(ws, "local") == [first]


def test_a_second_tab_with_the_same_request_and_other_settings_gets_the_run_it_asked_for(ws: Workspace, data: DataSpec) -> None:
    request = new_id()
    first, other = (put_in_queue(ws, data, request=request, epochs=epochs) for epochs in (2, 9))
    assert first.id == request != other.id and other.config.epochs == 9 and list_runs(ws, "local") == [other, first]


def test_two_tabs_that_submit_at_once_get_one_run_or_two_names(ws: Workspace, data: DataSpec) -> None:
    request, made = new_id(), []
    barrier = threading.Barrier(8)

    def click(asked: str) -> None:
        barrier.wait()
        made.append(put_in_queue(ws, data, request=asked))
    clicks = [threading.Thread(target=click, args=(request if i < 4 else "",)) for i in range(8)]
    for thread in clicks:
        thread.start()
    for thread in clicks:
        thread.join()
    assert len({run.id for run in made}) == 5 and sorted({run.name for run in made}) == [f"insects-{n}" for n in range(1, 6)]
    assert len([run for run in made if run.id == request]) == 4 and len({run.created for run in made if run.id == request}) == 1


def test_runs_are_numbered_by_dataset_and_owner(ws: Workspace, data: DataSpec, tmp_path: Path) -> None:
    birds, theirs = dataset(ws, tmp_path, name="birds", n=3), dataset(ws, tmp_path / "ana", owner="ana5")
    assert [put_in_queue(ws, data).name for _ in range(3)] == ["insects-1", "insects-2", "insects-3"]
    assert [put_in_queue(ws, birds).name, put_in_queue(ws, theirs, "ana5").name] == ["birds-1", "insects-1"]


@pytest.mark.parametrize("change, error, says", [
    ({"model": ModelSpec("resnet81")}, ModelError, "resnet18"),
    ({"data": DataSpec("abcdefgh", "v1")}, NotFound, "not here"),
    ({"plan": plan_for(find("resnet18"), "head")}, SettingsError, "another model"),
    ({"config": TrainConfig(input_size=32), "model": ModelSpec("inception_v3"), "plan": plan_for(find("inception_v3"), "head")},
     SettingsError, "75 px or more"),
    ({"config": TrainConfig(input_size=128), "model": ModelSpec("vit_b_16"), "plan": plan_for(find("vit_b_16"), "head")},
     SettingsError, "224 px only"),
    ({"owner": "ana5"}, NotAllowed, "somebody else"),
])
def test_what_could_never_run_is_refused_before_it_waits(ws: Workspace, data: DataSpec, change: dict, error: type[UserError],
                                                         says: str) -> None:
    given = {"owner": "local", "data": data, "model": ModelSpec(ROW.key), "plan": plan_for(ROW, "head"), "config": TrainConfig()}
    with pytest.raises(error, match=says):
        submit(ws, **(given | change))
    assert list(ws.runs.glob("*/run.json")) == []


def test_a_version_that_is_gone_is_refused(ws: Workspace, data: DataSpec) -> None:
    with pytest.raises(NotFound):
        put_in_queue(ws, replace(data, version="0123456789abcdef"))


def test_a_model_of_pictures_does_not_learn_texts(ws: Workspace) -> None:
    version, _ = texts([(label, f"{label} {i}") for label in ("good", "poor") for i in range(12)])
    data = create_dataset(ws, "textdataset", "reviews", "local", version)
    with pytest.raises(ModelError, match="can't learn from this data"):
        put_in_queue(ws, data)
    assert list(ws.runs.glob("*/run.json")) == []


# ---- copies across the split ----

def test_copies_across_the_split_hold_a_run_until_they_are_settled_or_overruled(ws: Workspace, tmp_path: Path) -> None:
    data = dataset(ws, tmp_path)
    version = load_version(ws, data)
    twins = (next(item for item in version.items if item.split == "train"), next(item for item in version.items if item.split == "test"))
    write_facts(ws, data.dataset, Facts(near=(Near(*sorted(item.sha for item in twins), 0.95),)))
    with pytest.raises(DataError, match="Training is held: 1 near-copies stand on both sides of the split.*Data page"):
        put_in_queue(ws, data)
    assert list(ws.runs.glob("*/run.json")) == []
    for settle in (overrule(version, load_facts(ws, data.dataset)), fix(version, load_facts(ws, data.dataset), LEAK)):
        assert put_in_queue(ws, save(ws, data.dataset, "local", settle)).data.version == version_key(settle.version)


def test_a_label_that_is_never_shown_is_told_before_the_run(ws: Workspace, data: DataSpec) -> None:
    version = load_version(ws, data)
    moved = tuple(replace(item, split="val") if item.label == 1 else item for item in version.items)
    with pytest.raises(DataError, match="“bee” has no training item"):
        put_in_queue(ws, create_dataset(ws, "nobees", "no bees", "local", Version(version.labels, moved)))
    alike = Version(("ant",), tuple(item for item in version.items if item.label == 0))
    with pytest.raises(DataError, match="only one label"):
        put_in_queue(ws, create_dataset(ws, "antsonly", "ants only", "local", alike))


# ---- looking up ----

def test_somebody_elses_run_is_theirs(ws: Workspace, data: DataSpec, tmp_path: Path) -> None:
    run = put_in_queue(ws, data)
    with pytest.raises(NotAllowed):
        load_run(ws, run.id, "ana5")
    assert list_runs(ws, "ana5") == []
    theirs = dataset(ws, tmp_path / "ana", owner="ana5")
    with pytest.raises(NotAllowed):
        put_in_queue(ws, theirs, "ana5", request=run.id)


@pytest.mark.parametrize("key", ["abcdefgh", "../../etc", "", "A" * 8, "run.json"])
def test_what_is_no_run_is_not_found(ws: Workspace, key: str) -> None:
    with pytest.raises(NotFound):
        load_run(ws, key, "local")


def test_runs_are_listed_newest_first_and_a_damaged_one_does_not_hide_the_others(ws: Workspace, data: DataSpec) -> None:
    runs = [put_in_queue(ws, data) for _ in range(3)]
    write_atomic(ws.run("brokenrun") / "run.json", b'{"id": 3')
    assert list_runs(ws, "local") == runs[::-1]


def test_runs_that_go_on_are_told_from_those_that_have_ended(ws: Workspace, data: DataSpec) -> None:
    queued, living, dead, ended, paused = [put_in_queue(ws, data) for _ in range(5)]
    worked_on(ws.run(living.id), this_process())
    worked_on(ws.run(dead.id), replace(this_process(), started=1.0, uptime=None))
    left_as(ws.run(ended.id), "finished")
    left_as(ws.run(paused.id), "paused")
    assert active_runs(ws, "local") == [living, queued] and active_runs(ws, "ana5") == []


def test_a_failure_is_told_in_the_log_and_in_the_state(ws: Workspace, data: DataSpec) -> None:
    folder = ws.run(put_in_queue(ws, data).id)
    write_failure(folder, UserError("It broke: {what}.", "A cause.", "A fix.", what=Path("x"), n=3))
    assert state_of(folder) == "failed"
    _, told, changed = events.read(folder / "events.jsonl")
    assert (told.title, told.cause, told.fix, told.params) == ("It broke: {what}.", "A cause.", "A fix.", {"what": "x", "n": 3})
    assert failure(UserError("t"), "trace").detail == "trace" and changed.state == "failed"
    assert [failure(error("t")).kind for error in (UserError, NotANumber, DataError, ModelError)] == ["", "nan", "data", "weights"]


# ---- steering ----

STEERS = {"pause": pause, "keep": keep, "discard": discard, "resume": resume, "delete": delete}


@pytest.mark.parametrize("state, steer, then", [
    ("queued", "pause", "paused"), ("queued", "discard", "discarded"), ("queued", "keep", None), ("queued", "delete", None),
    ("paused", "resume", "queued"), ("paused", "discard", "discarded"), ("paused", "pause", "paused"), ("paused", "keep", None),
    ("interrupted", "resume", "queued"), ("interrupted", "discard", "discarded"), ("failed", "resume", "queued"), ("failed", "discard", "discarded"),
    ("discarded", "resume", "queued"), ("discarded", "discard", "discarded"), ("finished", "discard", None), ("finished", "resume", None),
    ("finished", "pause", None), ("stopped", "keep", "stopped"), ("finished", "delete", "finished"), ("failed", "pause", None)])
def test_what_no_worker_has_is_changed_at_once_or_refused(ws: Workspace, data: DataSpec, state, steer: str, then: str | None) -> None:
    run = put_in_queue(ws, data)
    folder = ws.run(run.id)
    if state != "queued":
        left_as(folder, state)
    if then is None:
        with pytest.raises(IllegalChange):
            STEERS[steer](ws, run)
    else:
        STEERS[steer](ws, run)
    assert state_of(folder) == (then or state)


@pytest.mark.parametrize("wish", ["pause", "keep", "discard"])
@pytest.mark.parametrize("state", ["preparing", "running"])
def test_a_worker_is_asked(ws: Workspace, data: DataSpec, state, wish: str) -> None:
    run = put_in_queue(ws, data)
    worked_on(ws.run(run.id), this_process(), state)
    assert wish_of(ws.run(run.id)) == "go"
    STEERS[wish](ws, run)
    assert wish_of(ws.run(run.id)) == wish and state_of(ws.run(run.id)) == state
    (ws.run(run.id) / "control").write_text("nonsense")
    assert wish_of(ws.run(run.id)) == "go"


def test_what_rests_is_kept_by_a_worker_that_only_does_that(ws: Workspace, data: DataSpec) -> None:
    run = put_in_queue(ws, data)
    left_as(ws.run(run.id), "paused")
    (ws.run(run.id) / LAST).write_bytes(b"where it stands")
    keep(ws, run)
    assert state_of(ws.run(run.id)) == "queued" and wish_of(ws.run(run.id)) == "keep"


def test_what_is_deleted_is_out_of_sight_and_can_be_taken_back(ws: Workspace, data: DataSpec) -> None:
    run, other = put_in_queue(ws, data), put_in_queue(ws, data)
    left_as(ws.run(run.id), "finished")
    delete(ws, run)
    assert list_runs(ws, "local") == [other] and deleted_runs(ws, "local") == [run] and deleted_runs(ws, "ana5") == []
    with pytest.raises(NotFound):
        load_run(ws, run.id, "local")
    with pytest.raises(NotAllowed):
        undelete(ws, run.id, "ana5")
    undelete(ws, run.id, "local")
    assert load_run(ws, run.id, "local") == run and deleted_runs(ws, "local") == []


def test_others_may_look_at_a_run_and_not_change_it(ws: Workspace, data: DataSpec) -> None:
    run = put_in_queue(ws, data)
    assert watch_run(ws, run.id) == run
    with pytest.raises(NotAllowed):
        load_run(ws, run.id, "ana5")


def test_a_new_name_is_the_runs_name_everywhere(ws: Workspace, data: DataSpec) -> None:
    run = put_in_queue(ws, data)
    say(ws.run(run.id), name="best so far")
    assert load_run(ws, run.id, "local").name == list_runs(ws, "local")[0].name == "best so far"
    assert put_in_queue(ws, data).name not in (run.name, "best so far"), "notes may know it by its first name"


def test_pairs_without_a_block_that_learns_from_them_are_refused_before_the_run(ws: Workspace, data: DataSpec) -> None:
    with pytest.raises(SettingsError, match="compared in pairs"):
        put_in_queue(ws, data, kind="head", method="contrastive")
    assert put_in_queue(ws, data, kind="last-stage", method="contrastive").config.method == "contrastive"


def test_a_model_that_a_run_waits_for_is_in_use_until_the_run_has_ended(ws: Workspace, data: DataSpec) -> None:
    run = put_in_queue(ws, data)
    with pytest.raises(ModelError, match=run.name):
        check_unused(ws, run.model.key)
    check_unused(ws, "words:other")
    left_as(ws.run(run.id), "discarded")
    check_unused(ws, run.model.key)
