"""How much should train and how fast, as the pages say it."""
from __future__ import annotations

from dataclasses import replace

import pytest

from core.jobs import advice
from core.jobs.advice import Advice
from core.models.catalog import DEFAULT, find
from core.owners import LOCAL_OWNER
from core.specs import from_json, to_json
from core.training.advice.choices import choices
from core.training.advice.findings import TOO_LARGE, FreezeAdvice, RateCurve, Score, Trial
from core.training.presets import plan_for
from core.workspace import Workspace, write_atomic
from pages.ui.advice_freeze import trials_figure
from pages.ui.advice_rate import rate_figure
from pages.ui.state import Draft
from tests.pages.conftest import Visit
from tests.pages.prepared import PETS, add_dataset
from tests.pages.seen import said, trouble

ROW = find(DEFAULT)
HEAD = Trial("head", plan_for(ROW, "head"), 3e-3, ((1.0, 0.8), (2.0, 0.91)), Score(0.91, 0.86, 0.95))
ALL = Trial("all", plan_for(ROW, "all", lr_scale=0.1), 2e-3, ((10.0, 0.7), (20.0, 0.93)), Score(0.93, 0.88, 0.96), cut=True)
FOUND = FreezeAdvice((HEAD, ALL), 240, 200, "head", late=(("lora", 42.0),), failed=(("last-stage", TOO_LARGE),), whole=True)
CURVE = RateCurve(((1e-6, 0.7), (1e-3, 0.5), (1.0, 2.0)), 0.0021, whole=True)


@pytest.fixture
def data(ws: Workspace) -> None:
    write_atomic(ws.draft(LOCAL_OWNER), to_json(Draft(data=add_dataset(ws, PETS, ("cat", "dog"), {"train": 4, "val": 2, "test": 2}), request="r")))


def stored(ws: Workspace) -> Draft:
    return from_json(Draft, ws.draft(LOCAL_OWNER).read_bytes())


def asked(visit: Visit, monkeypatch: pytest.MonkeyPatch, found: FreezeAdvice):  # type: ignore[no-untyped-def]
    monkeypatch.setattr(advice, "status", lambda ws, kind, ask: Advice("done", finding=found) if kind == "freeze" else Advice())
    page = visit("model.py")
    next(one for one in page.button_group if one.key == "advice.asked").set_value("freeze")
    return page.run()


def test_the_cheaper_choice_is_enough_where_luck_explains_the_difference(ws: Workspace, visit: Visit, data: None, monkeypatch: pytest.MonkeyPatch) -> None:
    page = asked(visit, monkeypatch, FOUND)
    text = said(page)
    assert [line.partition("\n")[0] for line in trouble(page)] == ["**Memory ran out\\.**  "]
    assert "Everything reaches 93 % (88–96), Head only 91 % (86–95) in 2 s instead of 20 s: the difference could be luck. Head only is enough." in text
    assert "ended early" in text and "Not tried, for want of time: Adapters (LoRA) – about 40 s. Give" in text
    page.button(key="advice.freeze.use.all").click().run()
    draft = stored(ws)
    assert draft.plan == ALL.plan and draft.preset == "custom" and draft.config is not None and draft.config.learning_rate == 2e-3


def test_a_surely_better_choice_is_called_so(ws: Workspace, visit: Visit, data: None, monkeypatch: pytest.MonkeyPatch) -> None:
    page = asked(visit, monkeypatch, replace(FOUND, best="all"))
    assert "Everything reaches 93 % (88–96): better than what is cheaper, by more than luck." in said(page)


def test_a_rate_is_taken_with_a_click(ws: Workspace, visit: Visit, data: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advice, "status", lambda ws, kind, ask: Advice("done", finding=CURVE) if kind == "rate" else Advice())
    write_atomic(ws.draft(LOCAL_OWNER), to_json(replace(stored(ws), preset="balanced")))
    page = visit("train.py")
    assert not trouble(page)
    page.button(key="advice.rate.use").click().run()
    draft = stored(ws)
    assert draft.config is not None and draft.config.learning_rate == 0.0021 and draft.preset == "custom"
    assert not trouble(page) and not [one for one in page.button if one.key == "advice.rate.use"]


def test_a_curve_that_ended_for_want_of_time_says_so(ws: Workspace, visit: Visit, data: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advice, "status", lambda ws, kind, ask: Advice("done", finding=replace(CURVE, cut=True)) if kind == "rate" else Advice())
    write_atomic(ws.draft(LOCAL_OWNER), to_json(replace(stored(ws), preset="balanced")))
    assert "The time was up before the training broke." in said(visit("train.py"))


def test_a_head_that_is_fitted_at_once_has_no_rate_to_look_for(ws: Workspace, visit: Visit, data: None) -> None:
    assert "Find a learning rate" not in said(visit("train.py"))
    write_atomic(ws.draft(LOCAL_OWNER), to_json(replace(stored(ws), preset="balanced")))
    assert "Find a learning rate" in said(visit("train.py"))


def test_charts_hold_every_training_and_mark_the_rate() -> None:
    figure = trials_figure((HEAD, ALL), "Accuracy", True, "head", "dark")
    assert [list(line.y) for line in figure.data] == [[0.8, 0.91], [0.7, 0.93]]
    assert figure.data[1].error_y.array[-1] == pytest.approx(0.03) and figure.data[1].error_y.array[0] is None
    assert rate_figure(CURVE, "light").layout.shapes[0].x0 == 0.0021
    assert rate_figure(CURVE, "light").layout.annotations[0].x == pytest.approx(-2.678, abs=0.01)


def test_models_are_offered_only_what_they_can_do_each_once() -> None:
    kinds = [choice.kind for choice in choices(find("graft-words"), stored_config(), plan_for(find("graft-words"), "head").head)]
    assert kinds == ["head", "all"]


def stored_config():  # type: ignore[no-untyped-def]
    return Draft(request="r").actual_config()
