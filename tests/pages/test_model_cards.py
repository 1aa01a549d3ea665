"""The models as cards: what is shown at first, found, filtered and sorted; one's own runs among them."""
from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.models.catalog import CATALOG, find, known
from core.models.from_runs import key_of
from core.owners import LOCAL_OWNER
from core.specs import from_json, to_json
from core.workspace import Workspace, write_atomic
from pages.ui.model_cards import FIRST, ORDERS
from pages.ui.state import Draft
from pages.ui.text import md
from tests.pages.conftest import Visit
from tests.pages.prepared import ENDED, FAILED, HELD, THEIR_RUN, VAL_ONLY
from tests.pages.seen import said


def heads(page: AppTest) -> list[str]:
    return [text.value for text in page.markdown if text.value.startswith("**") and "-badge" in text.value]


def all_of(page: AppTest) -> AppTest:
    return page.button(key="model.all.show").click().run()


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


def test_nine_cards_are_shown_until_all_are_asked_for(ws: Workspace, visit: Visit, no_weights: Path) -> None:
    page = visit("model.py")
    assert len(heads(page)) == FIRST and page.button(key="model.all.show").label == f"Show all {len(CATALOG)}"
    page = all_of(page)
    shown = heads(page)
    assert len(shown) == len(CATALOG) and all(any(md(row.title) in head for head in shown) for row in CATALOG.values())


def test_ready_models_come_first(ws: Workspace, visit: Visit, no_weights: Path) -> None:
    no_weights.mkdir(parents=True)
    (no_weights / find("swin_t").weights_file).touch()
    shown = heads(visit("model.py"))
    ready = [row for row in CATALOG.values() if row.built_in or row.key == "swin_t"]
    assert all(md(row.title) in head for row, head in zip(ready, shown))
    assert ["on this machine" in head for head in shown] == [True] * len(ready) + [False] * (FIRST - len(ready))


def test_the_chosen_model_is_shown_wherever_it_stands(ws: Workspace, visit: Visit, no_weights: Path) -> None:
    write_atomic(ws.draft(LOCAL_OWNER), to_json(Draft(model="swin_t")))
    shown = heads(visit("model.py"))
    assert len(shown) == FIRST + 1 and md("Swin tiny") in shown[-1]


@pytest.mark.parametrize("query, n_found", [("MOBILENET v3", 2), ("squeezenet", 1), ("transformer chinese", 2), ("gpt-2", 1), ("nothing like it", 0)])
def test_the_search_looks_through_names_families_and_what_was_learned_from(ws: Workspace, visit: Visit, no_weights: Path, query: str, n_found: int) -> None:
    page = visit("model.py")
    page.text_input(key="model.search").set_value(query).run()
    assert len(heads(page)) == n_found
    assert ("No such model. Clear the search and the filters to see all." in said(page)) == (n_found == 0)


def test_filters_leave_what_fits(ws: Workspace, visit: Visit, no_weights: Path) -> None:
    page = visit("model.py")
    page.selectbox(key="model.family").set_value("MobileNet v3").run()
    assert len(heads(page)) == 2
    page.toggle(key="model.here").set_value(True).run()
    assert heads(page) == []
    page.selectbox(key="model.family").set_value("").run()
    assert len(heads(page)) == sum(row.built_in for row in CATALOG.values())
    page.toggle(key="model.here").set_value(False).run()
    page.selectbox(key="model.size").set_value("large").run()
    large = [row for row in CATALOG.values() if row.parameters > 50e6]
    assert len(heads(all_of(page))) == len(large)


@pytest.mark.parametrize("order, first", [("size", min(CATALOG.values(), key=lambda row: row.parameters)),
                                          ("score", max(CATALOG.values(), key=lambda row: row.score or 0)),
                                          ("cost", min(CATALOG.values(), key=lambda row: sum(block.macs for block in row.blocks)))])
def test_cards_are_sorted_as_asked(ws: Workspace, visit: Visit, no_weights: Path, order: str, first: object) -> None:
    page = visit("model.py")
    page.selectbox(key="model.order").set_value(order).run()
    assert order in ORDERS and md(first.title) in heads(page)[0]


def test_every_card_tells_size_input_cost_score_licence_and_limits(ws: Workspace, visit: Visit) -> None:
    text = said(all_of(visit("model.py")))
    of_input = {"image": lambda row: f"{row.input.input_size} × {row.input.input_size} pixels",
                "text": lambda row: f"up to {row.input.max_tokens} tokens at once"}
    for row in CATALOG.values():
        score = [] if row.score is None else [f"{row.score:.1f} % accuracy"]
        for fact in (*score, of_input[row.task](row), row.licence, row.limits, row.learnt_from):
            assert fact in text, (row.key, fact)
    assert "1.8 G multiplications a picture" in text


def test_the_readers_runs_can_be_chosen_and_nobody_elses(lived_in: Workspace, visit: Visit) -> None:
    page = visit("model.py")
    page.segmented_control(key="model.kind").set_value("runs").run()
    keys = [button.key for button in page.button if (button.key or "").startswith("model.choose.")]
    assert {f"model.choose.{key_of(run)}" for run in (ENDED, VAL_ONLY)} <= set(keys)
    assert not {f"model.choose.{key_of(run)}" for run in (FAILED, THEIR_RUN)} & set(keys)
    page.button(key=f"model.choose.{key_of(ENDED)}").click().run()
    draft = from_json(Draft, lived_in.draft(LOCAL_OWNER).read_bytes())
    assert draft.model == key_of(ENDED) and not page.exception and not page.error
    row = find(key_of(ENDED), lived_in)
    assert md(row.title) in said(page) and f"then, in your runs: {md(row.since[0])}" in said(page)


def test_a_next_run_is_prepared_from_take_home(lived_in: Workspace, visit: Visit) -> None:
    page = visit("export.py", run=VAL_ONLY)
    page.button(key="export.next").click().run()
    draft = from_json(Draft, lived_in.draft(LOCAL_OWNER).read_bytes())
    assert (draft.model, draft.data.dataset, draft.plan) == (key_of(VAL_ONLY), HELD, None)
    assert page.title[0].value == "Model" and not page.exception and not page.error


def test_a_draft_whose_run_is_gone_takes_the_model_to_begin_with(lived_in: Workspace, visit: Visit) -> None:
    write_atomic(lived_in.draft(LOCAL_OWNER), to_json(Draft(model=key_of(ENDED))))
    (lived_in.run(ENDED) / "best" / "bundle.json").unlink()
    page = visit("model.py")
    assert known(key_of(ENDED), lived_in) is None and not page.exception and not page.error
    assert any("Graft ResNet" in head for head in heads(page))


def test_the_cards_are_translated(ws: Workspace, visit: Visit, no_weights: Path, root: Path) -> None:
    said_here = json.loads((root / "assets/translations/zh-CN/own_models.json").read_text(encoding="utf-8"))
    page = visit("model.py", locale="zh-CN")
    assert page.selectbox(key="model.order").options == [said_here[order.label] for order in ORDERS.values()]
    assert page.button(key="model.all.show").label == said_here["Show all {n}"].format(n=len(CATALOG))
