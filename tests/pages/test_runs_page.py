"""Runs: the list, what can be done with those that have a tick, the queue above it, and what was deleted."""
from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from core.data.asked import ask
from core.data.edit import save
from core.data.versions import load_version
from core.evaluation.report import Report, write_report
from core.events import Changed, Failed, RunState
from core.jobs.about import DAYS, about, say
from core.jobs.life import change, state_of
from core.jobs.processes import this_process
from core.jobs.queue import turns
from core.jobs.runs import LAST, append, deleted_runs, list_runs, submit, wish_of
from core.models.catalog import DEFAULT, find
from core.owners import LOCAL_OWNER
from core.specs import DataSpec, ModelSpec, to_json
from core.training.presets import preset_plan
from core.workspace import Workspace
from pages.ui import run_list
from pages.ui.run_list import Row, Wanted, chosen, ordered
from pages.ui.text import md
from tests.core.jobs.queued import left_as, worked_on
from tests.pages.conftest import Visit
from tests.pages.prepared import (
    DISCARDED,
    ENDED,
    FAILED,
    HOSTILE_RUN,
    INTERRUPTED,
    PETS,
    QUEUED,
    SOMEBODY,
    THEIR_RUN,
    TINY,
    VAL_ONLY,
    add_dataset,
    add_run,
)
from tests.pages.seen import html, markdown, said, trouble

ALL = {ENDED, VAL_ONLY, HOSTILE_RUN, DISCARDED, FAILED, INTERRUPTED, QUEUED}


@pytest.fixture
def pets(ws: Workspace) -> DataSpec:
    return add_dataset(ws, PETS, ("cat", "dog"), {"train": 3, "val": 1, "test": 1}, name="pets")


Make = Callable[..., str]


@pytest.fixture
def make(ws: Workspace, pets: DataSpec) -> Make:
    """`make("finished", score=0.9, data=…)`: a run in that state; the later one is the newer one."""
    def run(state: RunState, *, score: float | None = None, seconds: float = 0.0, data: DataSpec = pets, **words: object) -> str:
        run_id = f"run{len(list(ws.runs.glob('*/run.json')))}"
        folder = add_run(ws, data, run_id)
        if seconds:
            append(folder, Changed("preparing", t=1000.0))
            append(folder, Changed(state, t=1000.0 + seconds))
        if score is not None:
            write_report(folder / "report.json", Report("test", False, "accuracy", score, score - 0.05, score + 0.05, 100, ("cat", "dog"), k=int(100 * score),
                                                        objective=data.objective, unit="kg" if data.objective == "regression" else ""))
        if state != "queued":
            left_as(folder, state)
        if words:
            say(folder, **words)
        return run_id
    return run


def shown(page: AppTest) -> list[str]:
    """Names in the table, from above."""
    return list(page.dataframe[0].value["name"]) if page.dataframe else []


def keys(page: AppTest) -> set[str]:
    return {button.key for button in page.button}


def tick(page: AppTest, *names: str) -> AppTest:
    """As a click on the boxes of these rows does."""
    places = [shown(page).index(name) for name in names]
    page.session_state[page.dataframe[0].proto.id.rpartition("-")[2]] = {"selection": {"rows": places, "columns": [], "cells": []}}
    return page.run()


def name_of(ws: Workspace, run_id: str) -> str:
    return next(run.name for run in list_runs(ws, LOCAL_OWNER) if run.id == run_id)


# ---- the list ----

def test_every_run_of_the_reader_is_there_and_nobody_elses(lived_in: Workspace, visit: Visit) -> None:
    page = visit("runs.py")
    assert sorted(shown(page)) == sorted(run.name for run in list_runs(lived_in, LOCAL_OWNER)) and len(shown(page)) == len(ALL)
    assert "theirs" not in said(page) and trouble(page) == []


def test_a_row_says_what_is_known_of_a_run(ws: Workspace, visit: Visit, make: Make) -> None:
    make("finished", score=0.9, seconds=30.0, name="my run", tags=("baseline", "class"), star=True)
    row = visit("runs.py").dataframe[0].value.iloc[0]
    assert (row["star"], row["name"], row["score"], row["time"], row["model"]) == ("★", "my run", "90 % (85–95)", "30 s", find(DEFAULT).title)
    assert (row["trains"], row["data"], list(row["state"]), list(row["tags"])) == ("head", "pets", ["finished"], ["baseline", "class"])
    assert abs(row["started"].timestamp() - time.time()) < 24 * 3600


def test_a_version_of_data_that_was_changed_has_its_number(ws: Workspace, visit: Visit, make: Make, pets: DataSpec) -> None:
    make("finished")
    make("finished", data=save(ws, pets.dataset, LOCAL_OWNER, ask(load_version(ws, pets), "binary")))
    assert list(visit("runs.py").dataframe[0].value["data"]) == ["pets, version 2", "pets, version 1"]


def test_one_at_work_shows_its_time_so_far(ws: Workspace, visit: Visit, make: Make) -> None:
    folder = ws.run(make("queued"))
    append(folder, Changed("preparing", t=time.time() - 600))
    worked_on(folder, this_process(), "running")
    assert list(visit("runs.py").dataframe[0].value["time"]) == ["10 min"]


def test_what_was_resumed_and_left_again_is_read_again(ws: Workspace, visit: Visit, make: Make) -> None:
    folder = ws.run(make("paused", seconds=10.0))
    page = visit("runs.py")
    assert list(page.dataframe[0].value["time"]) == ["10 s"]
    append(folder, Changed("preparing", t=2000.0))
    append(folder, Changed("paused", t=2030.0))
    left_as(folder, "paused")
    assert list(page.run().dataframe[0].value["time"]) == ["40 s"]


@pytest.mark.parametrize("file", ["report.json", "exit.json"])
def test_a_damaged_run_does_not_hide_the_others(ws: Workspace, visit: Visit, make: Make, file: str) -> None:
    make("finished", score=0.9)
    (ws.run(make("finished", score=0.8)) / file).write_text("{}\n")
    page = visit("runs.py")
    assert shown(page) == ["pets-1"] and "Runs that can't be read: 1." in said(page) and trouble(page) == []
    assert trouble(visit()) == []


def test_hostile_names_are_cells_and_nothing_more(lived_in: Workspace, visit: Visit) -> None:
    page = visit("runs.py")
    name = name_of(lived_in, HOSTILE_RUN)
    assert name in shown(page) and name not in markdown(page) and "<img src=x" not in html(page)
    page = tick(page, name)
    assert not [text.value for text in page.markdown if name in text.value] and md(name) in markdown(page)
    page.button(key="runs.look").click().run()
    assert page.query_params["run"] == HOSTILE_RUN


# ---- which, and in which order ----

def rows(ws: Workspace, make: Make) -> list[Row]:
    """Read as the page does, but without one."""
    return [Row(run, about(ws.run(run.id)), run_list.run_cards.glance(ws.run(run.id)), "Graft ResNet-10", "head", "pets", "pets")
            for run in list_runs(ws, LOCAL_OWNER)]


def names(found: list[Row]) -> list[str]:
    return [row.run.name for row in found]


@pytest.mark.parametrize("wanted, expected", [
    (Wanted(), ["pets-4", "three", "two", "one"]),
    (Wanted("ONE"), ["one"]),
    (Wanted("warm fish"), ["two"]),
    (Wanted("resnet three"), ["three"]),
    (Wanted("fish fowl"), []),
    (Wanted(states=("paused", "failed")), ["three", "two"]),
    (Wanted(starred=True), ["three", "one"]),
    (Wanted(starred=True, states=("failed",)), ["three"]),
    (Wanted(tag="warm"), ["two", "one"]),
    (Wanted(data=PETS), ["pets-4", "three", "two", "one"]),
    (Wanted(data="otherdata"), []),
])
def test_what_is_wanted_is_found(ws: Workspace, make: Make, wanted: Wanted, expected: list[str]) -> None:
    make("finished", name="one", star=True, tags=("warm",))
    make("paused", name="two", note="Some FISH", tags=("warm", "cold"))
    make("failed", name="three", star=True)
    make("queued")
    assert names(chosen(rows(ws, make), wanted)) == expected


def test_the_best_score_comes_first_equal_ones_as_they_were_and_none_last(ws: Workspace, make: Make) -> None:
    for score in (0.8, None, 0.9, 0.8):
        make("finished", score=score)
    assert names(ordered(rows(ws, make), "score", 0.0)) == ["pets-3", "pets-4", "pets-1", "pets-2"]


def test_of_errors_the_smallest_comes_first_and_kinds_stand_apart(ws: Workspace, make: Make, pets: DataSpec) -> None:
    numbers = replace(pets, objective="regression")
    for score, data in ((5.0, numbers), (0.8, pets), (2.0, numbers), (0.9, pets)):
        folder = ws.run(make("finished", score=score))
        report = Report("test", False, "m", score, None, None, 9, ("cat",), objective=data.objective)
        write_report(folder / "report.json", report)
        run = next(run for run in list_runs(ws, LOCAL_OWNER) if run.id == folder.name)
        (folder / "run.json").write_bytes(to_json(replace(run, data=data)))
    found = rows(ws, make)
    assert names(ordered(found, "score", 0.0)) == ["pets-4", "pets-2", "pets-3", "pets-1"] and run_list.several_kinds(found)


def test_the_quickest_comes_first_and_what_never_ran_last(ws: Workspace, make: Make) -> None:
    make("finished", seconds=30.0)
    make("queued")
    make("failed", seconds=5.0)
    assert names(ordered(rows(ws, make), "time", 0.0)) == ["pets-3", "pets-1", "pets-2"]


def test_the_form_finds_and_orders(ws: Workspace, visit: Visit, make: Make) -> None:
    make("finished", score=0.7, name="one", tags=("warm",))
    make("paused", name="two", tags=("cold",))
    make("finished", score=0.9, name="three", star=True)
    page = visit("runs.py")
    page.selectbox(key="runs.order.en").set_value("score").run()
    assert shown(page) == ["three", "one", "two"]
    page.text_input(key="runs.words").set_value("o").run()
    assert shown(page) == ["one", "two"]  # and “Graft ResNet-10” has no o
    page.text_input(key="runs.words").set_value("").run()
    page.button_group(key="runs.states").set_value(["starred", "finished"]).run()
    assert shown(page) == ["three"]
    page.button_group(key="runs.states").set_value([]).run()
    page.selectbox(key="runs.tag.en").set_value("cold").run()
    assert shown(page) == ["two"] and trouble(page) == []
    page.text_input(key="runs.words").set_value("nothing like it").run()
    assert shown(page) == [] and "No run matches." in said(page) and trouble(page) == []


def test_what_was_wanted_is_wanted_still_when_the_reader_comes_back(ws: Workspace, visit: Visit, make: Make) -> None:
    make("finished", name="one")
    make("finished", name="two")
    page = visit("runs.py")
    page.text_input(key="runs.words").set_value("two").run()
    assert shown(page.switch_page("settings.py").run().switch_page("runs.py").run()) == ["two"]


def test_a_tag_that_is_gone_hides_nothing(ws: Workspace, visit: Visit, make: Make) -> None:
    first = make("finished", name="one", tags=("warm",))
    make("finished", name="two", tags=("cold",))
    page = visit("runs.py")
    page.selectbox(key="runs.tag.en").set_value("warm").run()
    say(ws.run(first), tags=())
    assert sorted(shown(page.run())) == ["one", "two"] and trouble(page) == []


def test_a_state_in_which_no_run_is_any_more_hides_nothing(ws: Workspace, visit: Visit, make: Make) -> None:
    folder = ws.run(make("paused"))
    make("finished")
    make("failed")
    page = visit("runs.py")
    page.button_group(key="runs.states").set_value(["paused"]).run()
    assert shown(page) == ["pets-1"]
    left_as(folder, "discarded")
    assert len(shown(page.run())) == 3 and trouble(page) == []


# ---- one that has a tick ----

def test_without_a_tick_nothing_is_offered(lived_in: Workspace, visit: Visit) -> None:
    page = visit("runs.py")
    assert not [key for key in keys(page) if key.startswith(("runs.", "live.", "menu"))] and "Tick one to change it" in said(page)


@pytest.mark.parametrize("run, offered", [
    (QUEUED, {"live.leave", "live.discard"}), (ENDED, {"menu.delete"}), (DISCARDED, {"live.resume", "menu.delete"}),
    (INTERRUPTED, {"live.resume", "live.discard"}), (FAILED, {"menu.delete"})])
def test_what_its_state_allows_is_offered(lived_in: Workspace, visit: Visit, run: str, offered: set[str]) -> None:
    page = tick(visit("runs.py"), name_of(lived_in, run))
    assert {key for key in keys(page) if key.startswith(("live.", "menu.delete"))} == offered and trouble(page) == []
    assert {"runs.look", "runs.star.ticked", "menu.vary"} <= keys(page) and "runs.compare" not in keys(page)


@pytest.mark.parametrize("button, wish", [("live.pause", "pause"), ("live.keep", "keep"), ("live.discard", "discard")])
def test_one_at_work_is_asked_and_says_what_was_wished(ws: Workspace, visit: Visit, make: Make, button: str, wish: str) -> None:
    folder = ws.run(make("queued"))
    worked_on(folder, this_process(), "running")
    page = tick(visit("runs.py"), "pets-1")
    page.button(key=button).click().run()
    assert wish_of(folder) == wish and button not in keys(page) and "…" in markdown(page)


def test_one_that_rests_goes_on_or_is_kept(ws: Workspace, visit: Visit, make: Make) -> None:
    folder = ws.run(make("paused"))
    assert "live.keep" not in keys(tick(visit("runs.py"), "pets-1"))  # there is nothing to keep yet
    (folder / LAST).touch()
    page = tick(visit("runs.py"), "pets-1")
    assert "live.keep" in keys(page)
    page.button(key="live.resume").click().run()
    assert state_of(folder) == "queued" and page.dataframe[0].value["state"].iloc[0] == ["queued"]


def test_a_failed_run_goes_on_where_what_ended_it_may_be_gone(ws: Workspace, visit: Visit, make: Make) -> None:
    folder = ws.run(make("failed"))
    assert "live.resume" not in keys(tick(visit("runs.py"), "pets-1"))
    (folder / LAST).touch()
    assert "live.resume" in keys(tick(visit("runs.py"), "pets-1"))
    append(folder, Failed("The loss is no longer a number.", "", "", kind="nan"))
    assert "live.resume" not in keys(tick(visit("runs.py"), "pets-1"))


@pytest.mark.parametrize("run, metric", [(ENDED, True), (INTERRUPTED, False)])
def test_open_leads_to_results_where_there_are_any_else_to_the_run(lived_in: Workspace, visit: Visit, run: str, metric: bool) -> None:
    page = tick(visit("runs.py"), name_of(lived_in, run))
    page.button(key="runs.look").click().run()
    assert page.query_params["run"] == run and bool(page.metric) == metric and trouble(page) == []


def test_a_star_is_given_and_taken_away(ws: Workspace, visit: Visit, make: Make) -> None:
    folder = ws.run(make("finished"))
    page = tick(visit("runs.py"), "pets-1")
    page.button(key="runs.star.ticked").click().run()
    assert about(folder).star and list(page.dataframe[0].value["star"]) == ["★"]
    page.button(key="runs.star.ticked").click().run()
    assert not about(folder).star


def test_a_tick_stays_at_its_run_when_the_order_changes(ws: Workspace, visit: Visit, make: Make) -> None:
    make("finished", score=0.9, name="best")
    make("finished", score=0.7, name="newest")
    page = tick(visit("runs.py"), "newest")
    page.selectbox(key="runs.order.en").set_value("score").run()
    assert shown(page) == ["best", "newest"] and "**newest**" in markdown(page)
    page.text_input(key="runs.words").set_value("best").run()
    assert "Tick one to change it" in said(page)  # what is not shown has no tick: it could be deleted unseen


# ---- several ----

def test_two_to_six_are_compared(ws: Workspace, visit: Visit, make: Make) -> None:
    ids = [make("finished", score=0.9) for _ in range(7)]
    page = visit("runs.py")
    page = tick(page, "pets-1", "pets-3")
    page.button(key="runs.compare").click().run()
    assert page.query_params["runs"] == f"{ids[2]},{ids[0]}" and [title.value for title in page.title] == ["Compare"]
    page = tick(visit("runs.py"), *(f"pets-{n}" for n in range(1, 8)))
    assert "runs.compare" not in keys(page) and "At most 6 can be compared." in said(page)


def test_all_get_a_star_unless_all_have_one(ws: Workspace, visit: Visit, make: Make) -> None:
    folders = [ws.run(make("finished", star=star)) for star in (True, False)]
    page = tick(visit("runs.py"), "pets-1", "pets-2")
    page.button(key="runs.star.ticked").click().run()
    assert [about(folder).star for folder in folders] == [True, True]
    page.button(key="runs.star.ticked").click().run()
    assert [about(folder).star for folder in folders] == [False, False]


# ---- put away and taken back ----

def test_several_are_deleted_and_taken_back_at_once(ws: Workspace, visit: Visit, make: Make) -> None:
    ids = [make("finished"), make("failed"), make("queued")]
    page = tick(visit("runs.py"), "pets-1", "pets-2", "pets-3")
    page.button(key="runs.delete").click().run()
    assert {run.id for run in deleted_runs(ws, LOCAL_OWNER)} == set(ids[:2])  # the one that waits is left alone
    assert shown(page) == ["pets-3"] and "runs.undo" in keys(page)
    page.button(key="runs.undo").click().run()
    assert sorted(shown(page)) == ["pets-1", "pets-2", "pets-3"] and "runs.undo" not in keys(page) and not page.expander


def test_only_what_waits_can_not_be_deleted(ws: Workspace, visit: Visit, make: Make) -> None:
    make("queued")
    make("queued")
    assert "runs.delete" not in keys(tick(visit("runs.py"), "pets-1", "pets-2"))


def test_one_is_deleted_from_its_menu_and_found_under_deleted_lately(ws: Workspace, visit: Visit, make: Make) -> None:
    run = make("finished")
    page = tick(visit("runs.py"), "pets-1")
    page.button(key="menu.delete").click().run()
    assert shown(page) == [] and "runs.undo" in keys(page) and trouble(page) == []
    later = visit("runs.py")
    assert "runs.undo" not in keys(later) and later.expander[0].label == "Deleted lately (1)" and "7 days left" in said(later)
    later.button(key=f"runs.undo.{run}").click().run()
    assert shown(later) == ["pets-1"] and not later.expander


def test_what_was_deleted_long_ago_is_not_offered(ws: Workspace, visit: Visit, make: Make) -> None:
    say(ws.run(make("finished")), deleted=time.time() - (DAYS - 0.5) * 86400)
    say(ws.run(make("finished")), deleted=time.time() - (DAYS + 0.5) * 86400)
    page = visit("runs.py")
    assert page.expander[0].label == "Deleted lately (1)" and "one day left" in said(page)


def test_of_many_deleted_ones_the_latest_are_shown(ws: Workspace, visit: Visit, make: Make) -> None:
    for n in range(22):
        say(ws.run(make("finished")), deleted=time.time() - n)
    page = visit("runs.py")
    assert len([key for key in keys(page) if key.startswith("runs.undo.")]) == 20 and "and 2 more" in said(page)


# ---- the queue ----

def test_without_anything_at_work_or_waiting_there_is_no_queue(ws: Workspace, visit: Visit, make: Make) -> None:
    make("finished")
    assert not visit("runs.py").page_link


def in_line(page: AppTest) -> list[str]:
    return [link.label.rpartition(" ")[2].replace("\\", "") for link in page.main.page_link]


def test_what_learns_stands_before_what_waits(ws: Workspace, visit: Visit, make: Make) -> None:
    make("queued")
    worked_on(ws.run(make("queued")), this_process(), "running")
    page = visit("runs.py")
    assert in_line(page) == ["pets-2", "pets-1"] and "place 1, in " in said(page)
    assert [link.proto.query_string for link in page.main.page_link] == ["run=run1", "run=run0"] and trouble(page) == []


def test_places_are_changed_and_the_queue_is_left(ws: Workspace, visit: Visit, make: Make) -> None:
    for n in range(3):
        os.utime(ws.run(make("queued")) / "run.json", (1000 + n, 1000 + n))
    page = visit("runs.py")
    assert in_line(page) == ["pets-1", "pets-2", "pets-3"]
    assert page.button(key="queue.up.run0").disabled and page.button(key="queue.down.run2").disabled
    page.button(key="queue.up.run2").click().run()
    assert in_line(page) == ["pets-1", "pets-3", "pets-2"] and list(turns(ws)) == ["run0", "run2", "run1"]
    page.button(key="queue.down.run0").click().run()
    assert in_line(page) == ["pets-3", "pets-1", "pets-2"]
    page.button(key="queue.leave.run0").click().run()
    assert in_line(page) == ["pets-3", "pets-2"] and state_of(ws.run("run0")) == "paused" and trouble(page) == []


def test_a_place_that_is_gone_meanwhile_is_explained(ws: Workspace, visit: Visit, make: Make) -> None:
    make("queued")
    make("queued")
    page = visit("runs.py")
    change(ws.run("run1"), "paused")
    page.button(key="queue.up.run1").click().run()
    assert "does not wait any more" in page.toast[0].value and in_line(page) == ["pets-1"]


def test_runs_of_others_are_counted_and_not_named(lived_in: Workspace, visit: Visit) -> None:
    page = visit("runs.py")
    assert "a run of somebody else" in said(page) and "theirs" not in said(page)
    (lived_in.root / "owners.json").write_text('{"somebodyelse": "A*d*a"}')
    assert "a run of A\\*d\\*a" in markdown(visit("runs.py"))
    data = next(run.data for run in list_runs(lived_in, SOMEBODY))
    submit(lived_in, SOMEBODY, data, ModelSpec(DEFAULT), preset_plan(find(DEFAULT), "instant"), TINY)
    page = visit("runs.py")
    assert "2 runs of others" in said(page) and not [key for key in keys(page) if key.endswith(THEIR_RUN)]


def test_a_run_that_has_become_something_else_is_drawn_anew_and_its_tick_stays(ws: Workspace, visit: Visit, make: Make) -> None:
    folder = ws.run(make("queued"))
    page = tick(visit("runs.py"), "pets-1")
    assert "live.leave" in keys(page)
    worked_on(folder, this_process(), "running")
    page.run()
    assert list(page.dataframe[0].value["state"].iloc[0]) == ["running"] and {"live.pause", "live.keep"} <= keys(page)


# ---- what else shows runs ----

def test_the_start_page_shows_the_newest_and_older_ones_that_rest(ws: Workspace, visit: Visit, make: Make) -> None:
    for state in ("paused", "finished", "interrupted", "finished", "finished", "finished", "failed"):
        make(state)
    page = visit()
    assert [button.key for button in page.button if button.key.startswith("runs.open.")] == [
        f"runs.open.run{n}" for n in (6, 5, 4, 3, 2, 0)]
    assert "paused" in markdown(page) and "interrupted" in markdown(page)
    page.button(key="runs.open.run0").click().run()
    assert page.query_params["run"] == "run0" and trouble(page) == []


def test_the_sidebar_tells_what_learns_from_what_waits(ws: Workspace, visit: Visit, make: Make) -> None:
    for _ in range(7):
        make("queued")
    worked_on(ws.run("run3"), this_process(), "running")
    links = visit("settings.py").sidebar.page_link
    assert [link.proto.query_string for link in links] == [f"run=run{n}" for n in (3, 0, 1, 2, 4)] + [""]
    assert ["progress_activity" in link.label for link in links[:5]] == [True, False, False, False, False]
    assert links[5].label == "and 2 more"
