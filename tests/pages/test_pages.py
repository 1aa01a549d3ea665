"""What holds for every page: it opens in any state of the workspace and in every language, and takes nobody else's things for yours."""
from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from core.data import versions
from core.data.versions import DataSpec
from core.events import RunState
from core.jobs.life import state_of
from core.jobs.processes import this_process
from core.owners import LOCAL_OWNER
from core.specs import to_json
from core.workspace import Workspace, write_atomic
from pages.ui.i18n import LANGUAGES, catalogue
from pages.ui.state import Draft
from pages.ui.text import md
from tests.core.jobs.queued import left_as, worked_on
from tests.pages.conftest import Visit
from tests.pages.prepared import (
    DISCARDED,
    ENDED,
    FAILED,
    HOSTILE,
    HOSTILE_RUN,
    HOSTILES,
    INTERRUPTED,
    PETS,
    QUEUED,
    THEIR_RUN,
    VAL_ONLY,
    add_dataset,
)
from tests.pages.seen import html, markdown, said, trouble

PAGES = ("start.py", "data.py", "model.py", "train.py", "results.py", "try_it.py", "export.py", "runs.py", "compare.py", "settings.py")
OF_A_RUN = ("train.py", "results.py", "try_it.py", "export.py")


def prepare(ws: Workspace, spec: DataSpec) -> None:
    """As if the owner had chosen this data in an earlier session."""
    write_atomic(ws.draft(LOCAL_OWNER), to_json(Draft(data=spec)))


def titles(page: AppTest) -> list[str]:
    return [title.value for title in page.title]


@pytest.mark.parametrize("locale", LANGUAGES)
@pytest.mark.parametrize("page", PAGES)
class TestEveryPageOpens:
    def test_in_an_empty_workspace(self, ws: Workspace, visit: Visit, page: str, locale: str) -> None:
        assert trouble(visit(page, locale=locale)) == []

    def test_with_data_but_no_run(self, ws: Workspace, visit: Visit, page: str, locale: str) -> None:
        prepare(ws, add_dataset(ws, PETS, ("cat", "dog"), {"train": 3, "val": 1, "test": 1}, name="pets"))
        shown = visit(page, locale=locale)
        assert trouble(shown) == []
        if page in ("data.py", "model.py", "train.py"):
            assert {"en": "pets, 10", "zh-CN": "pets，10 项"}[locale] in said(shown)

    def test_with_an_ended_run(self, lived_in: Workspace, visit: Visit, page: str, locale: str) -> None:
        shown = visit(page, run=ENDED if page in OF_A_RUN else "", locale=locale)
        assert trouble(shown) == []
        if page in OF_A_RUN:
            assert md("pets-1") in said(shown)

    def test_its_title_is_in_the_readers_language(self, ws: Workspace, visit: Visit, page: str, locale: str) -> None:
        english, own = titles(visit(page)), titles(visit(page, locale=locale))
        assert own == [catalogue(locale).get(title, title) for title in english] and english


@pytest.mark.parametrize("run", [DISCARDED, FAILED, INTERRUPTED, QUEUED, VAL_ONLY])
@pytest.mark.parametrize("page", OF_A_RUN)
def test_a_run_of_any_kind_is_shown_without_a_fault(lived_in: Workspace, visit: Visit, page: str, run: str) -> None:
    shown = visit(page, run=run)
    expected = 1 if (page, run) == ("train.py", FAILED) else 0  # there the reason of the failure stands
    assert len(shown.error) == expected and not shown.exception and "Traceback" not in said(shown)


@pytest.mark.parametrize("page, run, reason", [
    *((page, THEIR_RUN, "This run belongs to somebody else.") for page in OF_A_RUN if page != "train.py"),
    *((page, "nosuchrun", "This run is not here.") for page in OF_A_RUN),
    *((page, "../../secret", "That does not exist here.") for page in OF_A_RUN)])
def test_a_run_that_is_not_yours_is_refused_calmly(lived_in: Workspace, visit: Visit, page: str, run: str, reason: str) -> None:
    shown = visit(page, run=run)
    assert [md(reason) in error.value for error in shown.error] == [True]
    assert not shown.exception and "Traceback" not in said(shown) and "theirs" not in said(shown)
    assert not shown.metric and not shown.dataframe


def test_whoever_has_the_address_of_a_run_watches_it_and_can_do_nothing(lived_in: Workspace, visit: Visit) -> None:
    write_atomic(lived_in.root / "owners.json", b'{"somebodyelse": "A*d*a"}')
    shown = visit("train.py", run=THEIR_RUN)
    assert trouble(shown) == [] and ":material/lock: A\\*d\\*a: you can look" in markdown(shown)
    assert {button.key for button in shown.button} == {"recipe.next"} and not shown.text_input and not shown.number_input
    shown.button(key="recipe.next").click().run()
    assert titles(shown) == ["Runs"] and state_of(lived_in.run(THEIR_RUN)) == "queued"


@pytest.mark.parametrize("state", ["running", "paused", "finished", "failed", "discarded", "interrupted"])
def test_the_run_of_somebody_else_offers_nothing_in_any_state(lived_in: Workspace, visit: Visit, state: RunState) -> None:
    folder = lived_in.run(THEIR_RUN)
    if state == "running":
        worked_on(folder, this_process(), "running")
    else:
        left_as(folder, state)
    shown = visit("train.py", run=THEIR_RUN)
    assert trouble(shown) == [] and {button.key for button in shown.button} == {"recipe.next"} and shown.button(key="recipe.next").label == "Runs"


@pytest.mark.parametrize("page", ["results.py", "try_it.py", "export.py"])
def test_after_a_look_at_somebody_elses_run_the_pages_are_of_your_own(lived_in: Workspace, visit: Visit, page: str) -> None:
    shown = visit("train.py", run=THEIR_RUN)
    del shown.query_params["run"]
    shown.switch_page(page).run()
    assert trouble(shown) == [] and shown.query_params["run"] != THEIR_RUN


@pytest.mark.parametrize("page", ["results.py", "try_it.py", "export.py"])
def test_after_a_refusal_the_page_leads_to_your_own_run(lived_in: Workspace, visit: Visit, page: str) -> None:
    shown = visit(page, run=THEIR_RUN)
    del shown.query_params["run"]
    shown.run()
    assert trouble(shown) == [] and "run" in shown.query_params


def test_data_of_somebody_else_is_in_no_list(lived_in: Workspace, visit: Visit) -> None:
    for page in ("start.py", "data.py", "runs.py"):
        assert "theirs" not in said(visit(page))


@pytest.mark.parametrize("page, run", [("start.py", ""), ("data.py", ""), ("model.py", ""), ("train.py", ""), ("train.py", HOSTILE_RUN),
                                       ("results.py", HOSTILE_RUN), ("try_it.py", HOSTILE_RUN), ("export.py", HOSTILE_RUN)])
def test_hostile_names_never_reach_the_browser_as_markdown_or_html(lived_in: Workspace, visit: Visit, page: str, run: str) -> None:
    prepare(lived_in, versions.spec_of(lived_in, versions.load_dataset(lived_in, HOSTILES, LOCAL_OWNER)))
    shown = visit(page, run=run)
    assert trouble(shown) == []
    assert [name for name in HOSTILE if name in markdown(shown)] == []
    assert "<img src=x" not in html(shown)
    assert md(HOSTILE[0]) in markdown(shown)  # the dataset's name, in the recipe bar, the run's title or its card


def test_a_fault_of_ours_is_a_calm_panel_with_the_details_folded(ws: Workspace, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a ![t](http://evil.example/x.png)")
    monkeypatch.setattr(versions, "list_datasets", fail)
    shown = visit("data.py")
    assert len(shown.error) == 1 and "Your data and runs are safe." in shown.error[0].value
    assert not shown.exception and "evil.example" not in markdown(shown) + html(shown)
    (details,) = (box for box in shown.expander if box.label == "Details")
    assert not details.proto.expanded and "RuntimeError" in details.code[0].value
    assert [button.key for button in shown.sidebar.button_group] == ["sidebar.language"]  # the way on is still there


def test_the_language_is_changed_at_the_foot_and_kept_for_the_next_session(ws: Workspace, visit: Visit) -> None:
    shown = visit("settings.py")
    shown.button_group(key="sidebar.language").set_value("zh-CN").run()
    expected = [catalogue("zh-CN")["Settings"]]
    assert titles(shown) == expected and titles(visit("settings.py")) == expected
