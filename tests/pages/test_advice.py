"""What the Model page says from the data: asked, under way, found, failed, and what is made of it."""
from __future__ import annotations

from collections.abc import Callable

import pytest

from core.data.versions import Version
from core.errors import Fault
from core.jobs import advice
from core.jobs.advice import Advice
from core.models.catalog import DEFAULT, find
from core.owners import LOCAL_OWNER
from core.specs import FreezePlan, TrainConfig, from_json, to_json
from core.training.advice import ranking as known_fits
from core.training.advice.findings import Depths, Fit, Looking, Ranking, Score
from core.training.presets import plan_for
from core.workspace import Workspace, write_atomic
from pages.ui import depth, ranking, scores
from pages.ui.state import Draft
from tests.pages.conftest import Visit
from tests.pages.prepared import PETS, add_dataset
from tests.pages.seen import said, trouble

ROW = find(DEFAULT)
NAMES = [block.name for block in ROW.blocks[:-1]]
RANKING = Ranking((Fit(DEFAULT, Score(0.91, 0.88, 0.94), -0.1, 0.01, ROW.parameters), Fit("mobilenet_v2", Score(0.7, 0.6, 0.8), -0.5, 0.01, 1)), 60,
                  (("squeezenet1_0", None), ("resnet18", Fault("It is broken.", "Bits fell out.", "Get another."))), whole=True)
DEPTHS = Depths(DEFAULT, tuple((name, Score(0.5 + 0.4 * (i >= 2), 0.45 + 0.4 * (i >= 2), 0.55 + 0.4 * (i >= 2))) for i, name in enumerate(NAMES)), 60, True)


@pytest.fixture
def says(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> Callable[[Advice], None]:
    """The draft has data, and looks at it stand as they are told to."""
    data = add_dataset(ws, PETS, ("cat", "dog"), {"train": 4, "val": 2, "test": 2})
    write_atomic(ws.draft(LOCAL_OWNER), to_json(Draft(data=data, request="r")))
    now = Advice()

    def status(*_: object) -> Advice:
        return now

    def say(then: Advice) -> None:
        nonlocal now
        now = then
    monkeypatch.setattr(advice, "status", status)
    return say


def stored(ws: Workspace) -> Draft:
    return from_json(Draft, ws.draft(LOCAL_OWNER).read_bytes())


def asked(visit: Visit, kind: str):  # type: ignore[no-untyped-def]
    page = visit("model.py")
    next(one for one in page.button_group if one.key == "advice.asked").set_value(kind)
    return page.run()


def test_nothing_is_looked_at_before_it_is_asked_for(ws: Workspace, visit: Visit, says: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[tuple] = []
    monkeypatch.setattr(advice, "start", lambda ws, kind, ask, owner: begun.append((kind, ask, owner)))
    page = asked(visit, "rank")
    assert not trouble(page) and not begun
    page.button(key="advice.rank.start").click().run()
    kind, ask, owner = begun[0]
    assert (kind, owner, ask.budget_s) == ("rank", LOCAL_OWNER, 60.0) and DEFAULT in ask.models and "vit_b_16" not in ask.models


def test_models_are_shown_best_first_and_one_is_used_with_a_click(ws: Workspace, visit: Visit, says: Callable) -> None:
    says(Advice("done", finding=RANKING))
    page = asked(visit, "rank")
    text = said(page)
    assert "91 % (88–94)" in text and "Not tried, for want of time: SqueezeNet" in text
    assert [line.partition("\n")[0] for line in trouble(page)] == ["**It is broken\\.**  "]
    page.button(key="advice.rank.use.mobilenet_v2").click().run()
    assert stored(ws).model == "mobilenet_v2"


def test_a_part_is_shown_while_the_rest_is_looked_for_and_it_can_be_cancelled(ws: Workspace, visit: Visit, says: Callable,
                                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []
    monkeypatch.setattr(advice, "cancel", lambda ws, kind, ask: (ended.append(kind), says(Advice())))
    says(Advice("running", Looking(1, 3, "mobilenet_v2"), RANKING))
    page = asked(visit, "rank")
    assert "91 % (88–94)" in said(page)
    page.button(key="advice.rank.cancel").click().run()
    assert ended == ["rank"] and page.button(key="advice.rank.start")


def test_a_look_that_failed_says_why_and_can_be_begun_again(ws: Workspace, visit: Visit, says: Callable) -> None:
    says(Advice("failed", fault=advice.DIED))
    page = asked(visit, "depth")
    assert "The look at your data stopped unexpectedly" in said(page) and page.button(key="advice.depth.start")


def test_the_depth_that_is_enough_is_said_drawn_and_frozen_up_to_with_a_click(ws: Workspace, visit: Visit, says: Callable) -> None:
    says(Advice("done", finding=DEPTHS))
    page = asked(visit, "depth")
    assert not trouble(page) and "already reach 90 % (85–95)" in said(page)
    page.button(key="advice.depth.use").click().run()
    plan = stored(ws).plan
    assert plan is not None and [block.state for block in plan.blocks] == ["frozen"] * 3 + ["trained"] * (len(ROW.blocks) - 3)


def test_enough_is_the_first_depth_within_the_range_of_the_best() -> None:
    assert depth.enough(DEPTHS, True) == DEPTHS.scores[2]
    errors = Depths("m", (("a", Score(9.0, 8.0, 10.0)), ("b", Score(3.2, 3.0, 4.0)), ("c", Score(3.0, 2.5, 3.5))), 9)
    assert depth.enough(errors, False) == errors.scores[1]
    assert depth.enough(Depths("m", (), 9), True) is None


def test_freezing_up_to_the_last_block_leaves_the_head_alone() -> None:
    plan: FreezePlan = depth.frozen_up_to(ROW, plan_for(ROW, "all"), NAMES[-1])
    assert [block.state for block in plan.blocks] == [block.state for block in plan_for(ROW, "head").blocks]


def test_errors_are_drawn_so_that_better_stands_further_right() -> None:
    version = Version(("weight",), (), objective="regression", unit="kg")
    shown = depth.drawn(Depths("m", (("a", Score(4.0, 3.0, 5.0)), ("b", Score(1.0, 0.5, 2.0))), 9), version).shown
    assert [(probe.after, probe.words) for probe in shown] == [("a", "4 kg (3–5)"), ("b", "1 kg (0.5–2)")]
    assert [(probe.low, probe.at, probe.high) for probe in shown] == [pytest.approx((0.0, 0.2, 0.4)), pytest.approx((0.6, 0.8, 0.9))]


@pytest.mark.parametrize(("score", "words"), [
    (Score(1.0442, 0.9334, 1.1653), "1.04 kg (0.93–1.17)"), (Score(51234.0, 48888.0, 53456.0), "51,200 kg (48,900–53,500)"),
    (Score(2.5, 2.5, 2.5), "2.5 kg (2.5–2.5)"), (Score(1.0442, None, None), "1.044 kg")])
def test_a_number_has_the_digits_that_its_range_deserves(score: Score, words: str) -> None:
    assert scores.said(score, Version(("weight",), (), objective="regression", unit="kg")) == words


def test_shares_are_drawn_where_they_are() -> None:
    version = Version(("cat", "dog"), ())
    drawn = depth.drawn(Depths("m", (("a", Score(0.5, 0.4, 0.6)), ("b", Score(0.9, None, None))), 9), version)
    assert [(probe.words, probe.low, probe.at, probe.high) for probe in drawn.shown] == [("50 % (40–60)", 0.4, 0.5, 0.6), ("90 %", 0.9, 0.9, 0.9)]
    assert drawn.legend != depth.drawn(Depths("m", (), 9), Version(("weight",), (), objective="regression")).legend


def test_the_card_of_a_model_that_was_looked_at_says_how_well_it_fits(ws: Workspace, visit: Visit, says: Callable) -> None:
    data = stored(ws).data
    assert data is not None and "looked at on your data" not in said(visit("model.py"))
    path = known_fits._path(ws, data, DEFAULT, TrainConfig(), True)
    path.parent.mkdir(parents=True)
    write_atomic(path, to_json(RANKING.fits[0]))
    cards = [text for text in said(visit("model.py")).split("\n") if "looked at on your data" in text]
    assert len(cards) == 1 and "looked at on your data: 91 % (88–94)" in cards[0]


def test_the_chart_holds_every_model_with_its_range() -> None:
    points = [ranking.Point("A <b>", 10.0, Score(0.9, 0.85, 0.95), True), ranking.Point("B", 100.0, Score(0.8, None, None))]
    figure = ranking.fits_figure(points, "Accuracy", True, "light")
    trace, axis = figure.data[0], figure.layout.xaxis
    assert 10 ** axis.range[0] < 10 and 100 < 10 ** axis.range[1] and len(axis.tickvals) >= 2
    assert list(trace.y) == [0.9, 0.8] and "<b>" not in trace.text[0]
    assert list(trace.error_y.array) == pytest.approx([0.05, 0]) and list(trace.error_y.arrayminus) == pytest.approx([0.05, 0])
