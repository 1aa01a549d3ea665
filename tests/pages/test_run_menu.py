"""What the owner of a run may do with it from its menu, and the next step that a failure offers."""
from __future__ import annotations

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from core import events
from core.errors import UserError
from core.jobs.about import About, about
from core.jobs.life import state_of
from core.jobs.processes import this_process
from core.jobs.runs import LAST, append, deleted_runs, list_runs, load_run, write_failure
from core.owners import LOCAL_OWNER
from core.specs import from_json, to_json
from core.workspace import Workspace, write_atomic
from pages.ui.run_menu import MORE_EPOCHS
from pages.ui.state import Draft
from tests.core.jobs.queued import left_as, worked_on
from tests.pages.conftest import Visit
from tests.pages.prepared import DISCARDED, ENDED, FAILED, INTERRUPTED, QUEUED, VAL_ONLY
from tests.pages.seen import said, trouble


def stored(ws: Workspace) -> Draft:
    return from_json(Draft, ws.draft(LOCAL_OWNER).read_bytes())


def keys(page: AppTest) -> set[str]:
    return {button.key for button in page.button}


def save(page: AppTest) -> AppTest:
    return next(button for button in page.button if button.label == "Save").click().run()


@pytest.mark.parametrize("run, offered", [
    (QUEUED, {"live.discard"}), (ENDED, {"menu.longer", "menu.delete"}), (DISCARDED, {"menu.delete"}),
    (INTERRUPTED, {"live.discard"}), (FAILED, {"menu.delete"})])
def test_what_its_state_allows_is_in_the_menu(lived_in: Workspace, visit: Visit, run: str, offered: set[str]) -> None:
    assert keys(visit("train.py", run=run)) & {"menu.longer", "menu.delete", "live.discard"} == offered


def test_a_run_gets_a_name_tags_and_a_note(lived_in: Workspace, visit: Visit) -> None:
    page = visit("train.py", run=ENDED)
    page.text_input(key=f"menu.name.{ENDED}").set_value("  the  best ")
    page.text_input(key=f"menu.tags.{ENDED}").set_value("warm, 冷、 warm")
    page.text_area(key=f"menu.note.{ENDED}").set_value("a note")
    page = save(page)
    said_of = about(lived_in.run(ENDED))
    assert (said_of.name, said_of.tags, said_of.note) == ("the best", ("warm", "冷"), "a note") and "# the best " in said(page)
    assert [toast.value for toast in page.toast] == ["Saved."] and trouble(page) == []


@pytest.mark.parametrize("field, text, why", [("name", "   ", "A run can't be called that"), ("tags", "a,b,c,d,e,f,g,h,i", "These tags can't be kept")])
def test_what_is_no_name_or_too_many_tags_is_explained(lived_in: Workspace, visit: Visit, field: str, text: str, why: str) -> None:
    page = visit("train.py", run=ENDED)
    page.text_input(key=f"menu.{field}.{ENDED}").set_value(text)
    page = save(page)
    assert why in page.toast[0].value and about(lived_in.run(ENDED)) == About() and trouble(page) == []


def test_the_fields_are_those_of_the_run_that_is_looked_at(lived_in: Workspace, visit: Visit) -> None:
    page = visit("train.py", run=ENDED)
    page.query_params["run"] = VAL_ONLY
    save(page.run())
    assert load_run(lived_in, VAL_ONLY, LOCAL_OWNER).name == "held-1"


def test_a_run_is_prepared_again_with_all_that_was_chosen(lived_in: Workspace, visit: Visit) -> None:
    page = visit("train.py", run=INTERRUPTED).button(key="menu.vary").click().run()
    draft, before = stored(lived_in), load_run(lived_in, INTERRUPTED, LOCAL_OWNER)
    assert (draft.data, draft.model, draft.plan, draft.config) == (before.data, before.model.key, before.plan, before.config)
    assert [title.value for title in page.title] == ["Train"] and len(list_runs(lived_in, LOCAL_OWNER)) == 7 and trouble(page) == []


def test_a_run_is_trained_longer_once(lived_in: Workspace, visit: Visit) -> None:
    page = visit("train.py", run=ENDED)
    page.button(key="menu.longer").click().run()
    new = load_run(lived_in, page.query_params["run"], LOCAL_OWNER)
    before = load_run(lived_in, ENDED, LOCAL_OWNER)
    assert new.config == replace(before.config, epochs=before.config.epochs + MORE_EPOCHS, preset="custom") and new.plan == before.plan
    assert state_of(lived_in.run(new.id)) == "queued" and state_of(lived_in.run(ENDED)) == "finished" and trouble(page) == []
    page.query_params["run"] = ENDED  # the click that came twice
    page.run().button(key="menu.longer").click().run()
    assert page.query_params["run"] == new.id and len(list_runs(lived_in, LOCAL_OWNER)) == 8


def test_where_it_ended_must_be_known(lived_in: Workspace, visit: Visit) -> None:
    page = visit("train.py", run=ENDED)
    (lived_in.run(ENDED) / LAST).unlink()
    page.button(key="menu.longer").click().run()
    assert "menu.longer" not in keys(page) and len(list_runs(lived_in, LOCAL_OWNER)) == 7 and trouble(page) == []


def test_a_deleted_run_is_taken_back_in_the_list(lived_in: Workspace, visit: Visit) -> None:
    page = visit("train.py", run=ENDED)
    page.button(key="menu.delete").click().run()
    assert [run.id for run in deleted_runs(lived_in, LOCAL_OWNER)] == [ENDED] and [title.value for title in page.title] == ["Runs"]
    page.switch_page("runs.py").run().button(key="runs.undo").click().run()
    assert deleted_runs(lived_in, LOCAL_OWNER) == [] and trouble(page) == []


def test_one_that_begins_meanwhile_is_not_deleted(lived_in: Workspace, visit: Visit) -> None:
    folder = lived_in.run(QUEUED)
    left_as(folder, "failed")
    page = visit("train.py", run=QUEUED)
    (folder / "exit.json").unlink()
    worked_on(folder, this_process(), "running")
    page.button(key="menu.delete").click().run()
    assert deleted_runs(lived_in, LOCAL_OWNER) == [] and trouble(page) == []


def test_what_rests_is_discarded(lived_in: Workspace, visit: Visit) -> None:
    page, run = visit("train.py", run=INTERRUPTED), INTERRUPTED
    page.button(key="live.discard").click().run()
    assert state_of(lived_in.run(run)) == "discarded" and "It can be taken back for 7 days" in said(page) and trouble(page) == []


def test_a_run_whose_model_is_gone_stays_in_the_list(lived_in: Workspace, visit: Visit) -> None:
    run = load_run(lived_in, ENDED, LOCAL_OWNER)
    write_atomic(lived_in.run(ENDED) / "run.json", to_json(replace(run, model=replace(run.model, key="hub-gone"))))
    page = visit("runs.py")
    row = page.dataframe[0].value.set_index("name").loc[run.name]
    assert (row["model"], row["trains"]) == ("hub-gone", "–") and trouble(page) == []
    place = list(page.dataframe[0].value["name"]).index(run.name)
    page.session_state[page.dataframe[0].proto.id.rpartition("-")[2]] = {"selection": {"rows": [place], "columns": [], "cells": []}}
    assert "menu.delete" in keys(page.run()) and "menu.longer" not in keys(page) and trouble(page) == []


# ---- failures that have a name ----

def failed(ws: Workspace, kind: str) -> None:
    (ws.run(QUEUED) / "exit.json").unlink(missing_ok=True)
    write_failure(ws.run(QUEUED), UserError("It broke.", "Because.", "Do that."), kind)


@pytest.mark.parametrize("kind, label, changed", [
    ("nan", "Run it again with learning rate 0.0003", {"learning_rate": 0.0003, "preset": "custom"}),
    ("memory", "Run it again with batches of 4", {"batch_size": 4, "preset": "custom"})])
def test_a_setting_that_broke_a_run_is_changed(lived_in: Workspace, visit: Visit, kind: str, label: str, changed: dict) -> None:
    failed(lived_in, kind)
    page = visit("train.py", run=QUEUED)
    assert page.button(key="remedy").label == label and "It broke" in page.error[0].value and "Your data is safe." in said(page)
    page.button(key="remedy").click().run()
    before = load_run(lived_in, QUEUED, LOCAL_OWNER)
    assert stored(lived_in).config == replace(before.config, **changed) and stored(lived_in).plan == before.plan
    assert [title.value for title in page.title] == ["Train"] and trouble(page) == []


@pytest.mark.parametrize("kind, label, title", [("data", "Look at the data", "Data"), ("weights", "Choose another model", "Model")])
def test_what_broke_a_run_is_looked_at(lived_in: Workspace, visit: Visit, kind: str, label: str, title: str) -> None:
    failed(lived_in, kind)
    page = visit("train.py", run=QUEUED)
    assert page.button(key="remedy").label == label
    page.button(key="remedy").click().run()
    assert [shown.value for shown in page.title] == [title] and stored(lived_in).data == load_run(lived_in, QUEUED, LOCAL_OWNER).data


def test_a_failure_without_a_name_offers_nothing_of_its_own(lived_in: Workspace, visit: Visit) -> None:
    failed(lived_in, "")
    assert "remedy" not in keys(visit("train.py", run=QUEUED))


@pytest.mark.parametrize("statistics", [True, False])
def test_batch_norm_that_learned_from_few_items_may_rest(lived_in: Workspace, visit: Visit, statistics: bool) -> None:
    append(lived_in.run(QUEUED), events.Smaller(4, statistics))
    page = visit("train.py", run=QUEUED)
    assert ("remedy.norm" in keys(page)) == statistics
    if statistics:
        page.button(key="remedy.norm").click().run()
        before = load_run(lived_in, QUEUED, LOCAL_OWNER)
        assert stored(lived_in).plan == replace(before.plan, batch_norm="keep") and stored(lived_in).preset == "custom" and trouble(page) == []
