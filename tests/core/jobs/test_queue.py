from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.jobs.life import IllegalChange, change
from core.jobs.options import Options, options, set_options
from core.jobs.processes import this_process
from core.jobs.queue import HALF_LIFE_S, UNKNOWN_S, Turn, Use, Waiting, in_order, last_use, move, note_use, slots, turns
from core.jobs.usage import Predicted, note_prediction
from core.owners import start_sharing
from core.specs import DataSpec, from_json, to_json
from core.workspace import Workspace, write_atomic
from tests.core.jobs.queued import dataset, put_in_queue, worked_on


@pytest.fixture
def data(ws: Workspace, tmp_path: Path) -> DataSpec:
    return dataset(ws, tmp_path / "data")


def waiting(*owners: str, seconds: float = 10.0) -> list[Waiting]:
    return [Waiting(Path(f"{i}"), owner, float(i), seconds) for i, owner in enumerate(owners)]


def order(found: list[Waiting]) -> str:
    return "".join(str(one.folder) for one in found)


# ---- who is next ----

def test_of_one_person_in_their_order() -> None:
    assert order(in_order(waiting("ana", "ana", "ana")[::-1], {}, Use())) == "012"


def test_between_people_in_turn() -> None:
    assert order(in_order(waiting("ana", "ana", "ana", "bo", "bo"), {}, Use())) == "03142"


def test_whoever_has_none_at_work_is_before_whoever_has() -> None:
    assert order(in_order(waiting("ana", "bo"), {"ana": 1}, Use())) == "10"


def test_whoever_has_used_the_machine_less_lately_is_first() -> None:
    assert order(in_order(waiting("ana", "bo"), {}, Use(0.0, {"ana": 60.0}))) == "10"


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=12), st.dictionaries(st.sampled_from("abc"), st.floats(0, 1e6)))
def test_everybody_gets_a_turn_and_nobody_overtakes_themselves(owners: list[str], use: dict[str, float]) -> None:
    found = in_order(waiting(*owners), {}, Use(0.0, use))
    assert sorted(order(found)) == sorted(order(waiting(*owners)))
    for owner in set(owners):
        places = [one.place for one in found if one.owner == owner]
        assert places == sorted(places)


def test_use_is_forgotten_by_half_in_ten_minutes(ws: Workspace) -> None:
    use = Use(100.0).plus("ana", 80.0)
    assert use.at(100.0 + HALF_LIFE_S).seconds["ana"] == pytest.approx(40.0)
    assert use.at(50.0).seconds["ana"] == 80.0, "a clock that is set back"
    assert use.at(100.0 + 20 * HALF_LIFE_S).seconds == {}
    note_use(ws, replace(use, t=time.time()))
    assert last_use(ws).seconds["ana"] == pytest.approx(80.0, rel=0.01)
    (ws.root / "use.json").write_text("{")
    assert last_use(ws).seconds == {}


# ---- when ----

def test_each_waiting_run_knows_its_turn(ws: Workspace, data: DataSpec) -> None:
    runs = [put_in_queue(ws, data) for _ in range(3)]
    for i, run in enumerate(runs):
        os.utime(ws.run(run.id) / "run.json", (1000 + i, 1000 + i))
    note_prediction(ws, runs[0])
    took = from_json(Predicted, (ws.run(runs[0].id) / "predicted.json").read_bytes()).estimate.total
    assert turns(ws) == {runs[0].id: Turn(0, 0.0), runs[1].id: Turn(1, took), runs[2].id: Turn(2, took + UNKNOWN_S)}
    worked_on(ws.run(runs[0].id), this_process())
    found = turns(ws)
    assert found.keys() == {runs[1].id, runs[2].id} and found[runs[1].id].ahead == 0 and found[runs[1].id].wait_s >= 1.0
    set_options(ws, Options(slots=3))
    assert [turn.wait_s for turn in turns(ws).values()] == [0.0, 0.0]


def test_a_damaged_run_does_not_hide_the_queue(ws: Workspace, data: DataSpec) -> None:
    run = put_in_queue(ws, data)
    write_atomic(ws.run("brokenrun") / "run.json", b'{"id": 3')
    assert list(turns(ws)) == [run.id]


def test_runs_change_places(ws: Workspace, data: DataSpec, tmp_path: Path) -> None:
    runs = [put_in_queue(ws, data) for _ in range(3)]
    for i, run in enumerate(runs):
        os.utime(ws.run(run.id) / "run.json", (1000 + i, 1000 + i))
    move(ws, runs[2], up=True)
    assert list(turns(ws)) == [runs[0].id, runs[2].id, runs[1].id]
    move(ws, runs[0], up=True)
    assert list(turns(ws)) == [runs[0].id, runs[2].id, runs[1].id], "it was the first"
    move(ws, runs[0], up=False)
    move(ws, runs[0], up=False)
    assert list(turns(ws)) == [runs[2].id, runs[1].id, runs[0].id]
    change(ws.run(runs[0].id), "paused")
    with pytest.raises(IllegalChange):
        move(ws, runs[0], up=True)


# ---- the settings ----

def test_settings_are_kept_beside_those_of_others(ws: Workspace) -> None:
    assert options(ws) == Options() and slots(ws) >= 1
    code = start_sharing(ws)
    set_options(ws, Options(3, 0))
    assert options(ws) == Options(3, 0) and slots(ws) == 3 and start_sharing(ws) == code


@pytest.mark.parametrize("text", [b"{", b"[]", b'{"runs": 3}', b'{"runs": {"slots": "many"}}'])
def test_damaged_settings_are_the_defaults(ws: Workspace, text: bytes) -> None:
    (ws.root / "settings.json").write_bytes(text)
    assert options(ws) == Options()


def test_settings_out_of_range_are_brought_back(ws: Workspace) -> None:
    (ws.root / "settings.json").write_bytes(b'{"runs": {"slots": 9999, "retries": -3}}')
    assert options(ws) == Options(16, 0)
    assert from_json(Options, to_json(Options(2, 2))) == Options(2, 2)
