"""The learning-rate finder: rising rates, a curve that ends where it breaks, a careful suggestion."""
from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import UserError
from core.jobs.advice_items import sides
from core.models.catalog import find
from core.specs import TrainConfig
from core.training.activations import storing
from core.training.advice import rate
from core.training.advice.findings import Ask, RateCurve
from core.training.advice.rate import HIGHEST, LOWEST, advise, smoothed, suggestion
from core.training.presets import PlanKind, plan_for
from core.workspace import Workspace
from tests.core.jobs.queued import dataset
from tests.core.training.advice.texts import add_texts

RATES = np.geomspace(LOWEST, HIGHEST, 100).tolist()


def valley(rate: float) -> float:
    """Falls around 0.01 and breaks after 0.1."""
    return 0.7 - 0.5 / (1 + (0.01 / rate) ** 2) + max(0.0, math.log10(rate / 0.3)) * 3


def test_the_suggestion_lies_in_the_descent_well_below_the_minimum() -> None:
    losses = [valley(rate) for rate in RATES]
    found = suggestion(RATES, losses)
    curve = smoothed(RATES, losses)
    assert found is not None and 0.002 <= found <= RATES[int(np.argmin(curve))] / 10 * 1.05


def test_without_a_clear_descent_nothing_is_suggested() -> None:
    noise = np.random.default_rng(0).normal(0.7, 0.05, 100).tolist()
    assert suggestion(RATES, noise) is None and suggestion(RATES, [0.7] * 100) is None and suggestion(RATES[:2], [0.7, 0.6]) is None


def test_the_running_average_is_not_drawn_towards_its_start() -> None:
    assert smoothed(RATES[:20], [3.0] * 20) == pytest.approx([3.0] * 20)


def test_fewer_and_larger_steps_give_the_same_curve_and_the_same_suggestion() -> None:
    coarse = RATES[::3]
    fine, few = (smoothed(rates, [valley(rate) for rate in rates]) for rates in (RATES, coarse))
    inside = sum(rate < 0.3 for rate in coarse)
    assert few[:inside] == pytest.approx(fine[::3][:inside], abs=0.05)
    one, other = (suggestion(rates, [valley(rate) for rate in rates]) for rates in (RATES, coarse))
    assert one is not None and other is not None and 0.5 < other / one < 2


@pytest.mark.parametrize(("model", "kind"), [("graft-words", "head"), ("graft-words", "all")])
def test_rates_rise_evenly_until_the_loss_breaks(ws: Workspace, model: str, kind: PlanKind) -> None:
    data, row = add_texts(ws), find(model)
    plan = plan_for(row, kind, lr_scale=0.1, head_first_epochs=2)
    *_, last = advise(ws, Ask(data, (model,), TrainConfig(batch_size=8), plan), sides)
    assert isinstance(last, RateCurve) and last.whole
    rates = [rate for rate, _loss in last.points]
    assert rates[0] == LOWEST and rates == sorted(rates) and rates[-1] <= HIGHEST * 1.001
    assert last.suggested is None or LOWEST < last.suggested <= rates[-1] / 10


def test_no_step_is_begun_once_the_time_is_up(ws: Workspace) -> None:
    data, row = add_texts(ws), find("graft-words")
    *_, last = advise(ws, Ask(data, (row.key,), TrainConfig(batch_size=8), plan_for(row, "all"), budget_s=1e-9), sides)
    assert last.whole and last.cut and len(last.points) == 1 and last.suggested is None


def test_what_is_stored_of_a_slow_network_is_little(ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the time is short, the part that rests is computed of two batches, not of all items."""
    data, row, stored = dataset(ws, tmp_path / "data"), find("graft-resnet10"), list[int]()
    config = TrainConfig(batch_size=4, input_size=64)
    monkeypatch.setattr(rate, "storing", lambda network, splits, *rest: (stored.append(len(splits["train"])), storing(network, splits, *rest))[1])
    plan = plan_for(row, "head")
    for budget_s in (60.0, 1e-9):
        *_, last = advise(ws, Ask(data, (row.key,), config, plan, budget_s=budget_s), sides)
        assert last.whole and last.points
    assert stored[0] > 20 and 8 <= stored[1] <= 9


def test_a_plan_that_trains_nothing_is_refused(ws: Workspace) -> None:
    row = find("graft-words")
    plan = plan_for(row, "head")
    frozen = replace(plan, blocks=tuple(replace(block, state="frozen") for block in plan.blocks))
    with pytest.raises(UserError, match="Nothing would learn"):
        list(advise(ws, Ask(add_texts(ws), (row.key,), TrainConfig(), frozen), sides))
