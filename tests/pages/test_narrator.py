"""What is said of a run's curves, and the reruns that are prepared from it."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from core.events import Done, EpochEnd, Event, Started, Step, read
from core.events import encode as line
from core.jobs.runs import LAST, list_runs
from core.models.catalog import DEFAULT, find
from core.owners import LOCAL_OWNER
from core.specs import RunSpec, TrainConfig, from_json, to_json
from core.training.presets import groups, preset_plan
from core.workspace import Workspace, write_atomic
from pages.ui import narrator
from pages.ui.state import Draft
from tests.pages.conftest import Visit
from tests.pages.prepared import ENDED, SOMEBODY
from tests.pages.seen import said, trouble

FREEZE = "narrator.change.0"
CONFIG = TrainConfig("thorough", epochs=10, learning_rate=2e-3, patience=4)


@pytest.fixture(autouse=True)
def looks_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was seen a moment ago is not taken for what is there now."""
    monkeypatch.setattr(narrator, "LOOK_S", 1e-9)


def memorising(end: bool = True) -> list[Event]:
    log: list[Event] = [Started(120, 60, 6, 3, 10, 100, 10, 4, "cpu")]
    for i, val in enumerate([1.0, 0.8, 0.6, 0.5, 0.62, 0.75, 0.9, 1.0, 1.1, 1.2]):
        log.append(Step(i + 1, 4 * (i + 1), 0.6 ** i, 0.8, 1e-3))
        log.append(EpochEnd(i + 1, 4 * (i + 1), 0.6 ** i, 0.8, val, 0.6 + 0.05 * min(i, 3), i == 3, None))
    return [*log, Done(4, 10, 0.75, 1.0)] if end else log


def told(ws: Workspace, log: Sequence[Event], *, owner: str = LOCAL_OWNER) -> RunSpec:
    """The ended run, as if all of the network had learned in it, with this log."""
    folder = ws.run(ENDED)
    run = replace(from_json(RunSpec, (folder / "run.json").read_bytes()), plan=preset_plan(find(DEFAULT), "thorough"), config=CONFIG, owner=owner)
    write_atomic(folder / "run.json", to_json(run))
    write_atomic(folder / "events.jsonl", b"".join(map(line, log)))
    return run


def stored(ws: Workspace) -> Draft:
    return from_json(Draft, ws.draft(LOCAL_OWNER).read_bytes())


def test_results_say_what_the_curves_show_and_the_rest_folded(lived_in: Workspace, visit: Visit) -> None:
    told(lived_in, memorising())
    page = visit("results.py", run=ENDED)
    assert "Validation stopped improving at epoch 4 while training went on: it is memorising." in said(page) and trouble(page) == []
    [more] = [expander for expander in page.expander if expander.label == "More about these curves"]
    assert "There are only 6 validation items" in "\n".join(text.value for text in more.markdown)


def test_the_button_prepares_a_rerun_and_starts_nothing(lived_in: Workspace, visit: Visit) -> None:
    run, before = told(lived_in, memorising()), [run.id for run in list_runs(lived_in, LOCAL_OWNER)]
    page = visit("results.py", run=ENDED)
    assert page.button(key=FREEZE).label == "Try: freeze one more part"
    page.button(key=FREEZE).click().run()
    assert [title.value for title in page.title] == ["Train"] and trouble(page) == []
    draft, first = stored(lived_in), groups(find(DEFAULT))[0]
    resting = {block.name for block in find(DEFAULT).blocks if block.group == first}
    assert draft.plan and {block.name for block in draft.plan.blocks if block.state == "frozen"} == resting
    assert (draft.data, draft.model, draft.preset, draft.config) == (run.data, run.model.key, "custom", replace(CONFIG, preset="custom"))
    assert [run.id for run in list_runs(lived_in, LOCAL_OWNER)] == before


def test_where_more_epochs_would_help_a_run_goes_on_from_where_this_one_ended(lived_in: Workspace, visit: Visit) -> None:
    improving = [event for event in memorising() if not isinstance(event, (Step, EpochEnd))]
    ends = [EpochEnd(i + 1, 4 * (i + 1), 1.2 * 0.8 ** i, 0.5 + 0.04 * i, 1.2 * 0.82 ** i, 0.45 + 0.05 * i, True, None) for i in range(10)]
    run = told(lived_in, [improving[0], *ends, Done(10, 10, 0.9, 1.0)])
    (lived_in.run(ENDED) / LAST).unlink(missing_ok=True)
    page = visit("results.py", run=ENDED)
    assert page.button(key=FREEZE).label == "Train longer: 20 epochs", "where it ended was not kept"
    (lived_in.run(ENDED) / LAST).write_bytes(b"where it ended")
    page = visit("results.py", run=ENDED)
    assert page.button(key=FREEZE).label == "Train 10 epochs longer"
    page.button(key=FREEZE).click().run()
    new = list_runs(lived_in, LOCAL_OWNER)[0]
    assert trouble(page) == [] and new.id != run.id and new.config.epochs == 20 and (lived_in.run(new.id) / LAST).read_bytes() == b"where it ended"
    assert [event.epoch for event in read(lived_in.run(new.id) / "events.jsonl") if isinstance(event, EpochEnd)] == list(range(1, 11))


def test_in_chinese(lived_in: Workspace, visit: Visit) -> None:
    told(lived_in, memorising())
    page = visit("results.py", run=ENDED, locale="zh-CN")
    assert "第 4 轮后不再变好" in said(page) and page.button(key=FREEZE).label == "试试：多冻结一部分" and trouble(page) == []


def test_a_run_with_nothing_to_tell_shows_nothing(lived_in: Workspace, visit: Visit) -> None:
    told(lived_in, memorising()[:1])
    page = visit("results.py", run=ENDED)
    assert page.metric and "More about these curves" not in said(page) and trouble(page) == []


def watching() -> None:
    """A page that watches a run which learns."""
    import streamlit as st

    from core.jobs.runs import watch_run
    from pages.ui import narrator, state
    narrator.show(watch_run(state.workspace(), st.query_params["run"]), ended=False)


def watch() -> AppTest:
    page = AppTest.from_function(watching)
    page.query_params["run"] = ENDED
    return page.run()


def test_a_log_that_grows_is_told_anew(lived_in: Workspace) -> None:
    log = memorising(end=False)
    told(lived_in, log[:7])
    page = watch()
    assert "memorising" not in said(page) and trouble(page) == []
    told(lived_in, log)
    page.run()
    assert "it is memorising" in said(page) and page.button(key=FREEZE)


def test_whose_run_it_is_not_is_told_but_not_led_on(lived_in: Workspace) -> None:
    told(lived_in, memorising(end=False), owner=SOMEBODY)
    page = watch()
    assert "it is memorising" in said(page) and not page.button and trouble(page) == []
