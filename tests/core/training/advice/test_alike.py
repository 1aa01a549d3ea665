"""The paired test of two trainings: against exact tests where these are known, and against what luck really makes."""
from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binomtest

from core.evaluation.judge import evaluate
from core.objectives import OBJECTIVES, objective
from core.training.advice.alike import LEVEL, Floats, figures, gain, gain_range, holm, p_value, surely_better

N = 60
NOISE = 0.004
"""Of a p-value that is drawn."""


def answers(asked: str, seed: int, n: int = N) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Answers of two networks that are alike, and truths."""
    random = np.random.default_rng(seed)
    if asked == "regression":
        true = random.normal(40, 12, n)
        return (true + random.normal(0, 3, n))[:, None], (true + random.normal(0, 3, n))[:, None], true
    if asked == "multi_label":
        marks = (random.random((n, 4)) < 0.3).astype(int)
        return *(np.clip(marks * 0.4 + random.random((n, 4)) * 0.7, 0, 1) for _ in range(2)), marks  # type: ignore[return-value]
    true = (random.random(n) < 0.25).astype(int)
    one, other = (np.clip(true * 0.4 + random.random(n) * 0.7, 0, 1) for _ in range(2))
    return np.stack([1 - one, one], 1), np.stack([1 - other, other], 1), true


def right(n_items: int, *wrong: int) -> Floats:
    """Figures of a network that takes these items for others."""
    p = np.tile([0.1, 0.9], (n_items, 1))
    p[list(wrong)] = [0.9, 0.1]
    return figures(p, np.ones(n_items, int), "single_label")


@pytest.mark.parametrize("asked", list(OBJECTIVES))
def test_figures_add_up_to_the_score_of_the_report(asked: str) -> None:
    one, other, truths = answers(asked, 3)
    labels, row = ["age"] if asked == "regression" else list("abcd")[:one.shape[1]], objective(asked)
    better, worse = (row.signed(evaluate(said.tolist(), truths.tolist(), labels, objective_key=asked).score) for said in (one, other))
    assert gain(figures(one, truths, asked), figures(other, truths, asked), asked) == pytest.approx(better - worse)


@pytest.mark.parametrize(("only_one", "only_other", "surely"), [
    (0, 0, False), (1, 0, False), (4, 0, False), (5, 0, False), (6, 0, True), (8, 1, True), (9, 2, False), (12, 5, False), (30, 15, True),
    (15, 15, False), (0, 30, False)])
def test_right_and_wrong_answers_are_judged_as_by_mcnemars_exact_test(only_one: int, only_other: int, surely: bool) -> None:
    """`only_one`: items that one network alone has right."""
    one, other = right(100, *range(only_one, only_one + only_other)), right(100, *range(only_one))
    exact = binomtest(only_one, only_one + only_other).pvalue if only_one + only_other else 1.0
    assert p_value(one, other, "single_label") == pytest.approx(exact, abs=3 * NOISE)
    assert surely_better(one, other, "single_label") is surely
    assert (exact < LEVEL and only_one > only_other) == surely, "the row of this table is wrong"


@pytest.mark.parametrize("asked", list(OBJECTIVES))
def test_it_is_the_share_of_all_ways_to_swap_answers_that_differ_as_much(asked: str) -> None:
    one, other, truths = (side[:8] for side in answers(asked, 5))
    a, b = figures(one, truths, asked), figures(other, truths, asked)
    found, swaps = abs(gain(a, b, asked)), [np.array(swap)[:, None] for swap in product([False, True], repeat=8)]
    exact = np.mean([abs(gain(np.where(swap, b, a), np.where(swap, a, b), asked)) >= found - 1e-9 for swap in swaps])
    assert p_value(a, b, asked) == pytest.approx(exact, abs=4 * NOISE)


@pytest.mark.parametrize("asked", list(OBJECTIVES))
def test_of_networks_that_are_alike_at_most_one_in_twenty_is_called_better(asked: str) -> None:
    ps = []
    for seed in range(400):
        one, other, truths = answers(asked, seed)
        ps.append(p_value(figures(one, truths, asked), figures(other, truths, asked), asked))
    assert np.mean(np.array(ps) < LEVEL) <= 0.083, "5 % and three times what 400 tries may add"
    assert np.mean(np.array(ps) < 0.5) > 0.25, "it is no test that never finds anything"


@pytest.mark.parametrize("asked", list(OBJECTIVES))
def test_the_same_answers_are_never_better(asked: str) -> None:
    one, _other, truths = answers(asked, 1)
    same = figures(one, truths, asked)
    assert (gain(same, same, asked), p_value(same, same, asked), gain_range(same, same, asked)) == (0.0, 1.0, (0.0, 0.0))
    assert not surely_better(same, same, asked)


@pytest.mark.parametrize("asked", list(OBJECTIVES))
def test_the_range_holds_the_true_difference(asked: str) -> None:
    """Of networks that are alike that is none."""
    held = 0
    for seed in range(200):
        one, other, truths = answers(asked, 1000 + seed)
        low, high = gain_range(figures(one, truths, asked), figures(other, truths, asked), asked)
        held += low <= 0 <= high
    assert 0.90 <= held / 200 <= 0.995


def test_more_confidence_is_a_wider_range() -> None:
    one, other, truths = answers("single_label", 2)
    a, b = figures(one, truths, "single_label"), figures(other, truths, "single_label")
    (low, high), (lower, higher) = gain_range(a, b, "single_label"), gain_range(a, b, "single_label", 0.995)
    assert lower < low < gain(a, b, "single_label") < high < higher


@settings(deadline=None, max_examples=25)
@given(arrays(np.bool_, (2, 40)))
def test_who_is_asked_first_changes_nothing(wrong: np.ndarray) -> None:
    one, other = (right(40, *np.flatnonzero(side)) for side in wrong)
    assert p_value(one, other, "single_label") == p_value(other, one, "single_label")
    assert gain(one, other, "single_label") == pytest.approx(-gain(other, one, "single_label"))
    assert not (surely_better(one, other, "single_label") and surely_better(other, one, "single_label"))


@settings(deadline=None, max_examples=25)
@given(arrays(np.bool_, (2, 30)), st.integers(1, 50))
def test_items_that_both_answer_alike_change_no_p_value(wrong: np.ndarray, more: int) -> None:
    few = [right(30, *np.flatnonzero(side)) for side in wrong]
    many = [right(30 + more, *np.flatnonzero(side)) for side in wrong]
    assert p_value(*few, "single_label") == p_value(*many, "single_label")


@pytest.mark.parametrize(("given_", "raised"), [
    ([], []), ([0.03], [0.03]), ([0.01, 0.04], [0.02, 0.04]), ([0.04, 0.01, 0.03], [0.06, 0.03, 0.06]),
    ([0.02, 0.02, 0.02], [0.06, 0.06, 0.06]),
    ([0.9, 0.001, 0.6, 0.01], [1.0, 0.004, 1.0, 0.03])])
def test_holms_correction(given_: list[float], raised: list[float]) -> None:
    assert holm(given_) == pytest.approx(raised)


@given(st.lists(st.floats(0, 1), max_size=15))
def test_raised_p_values_keep_their_order_and_lie_between_their_own_and_bonferronis(ps: list[float]) -> None:
    raised = holm(ps)
    assert all(p <= up <= min(1.0, p * len(ps)) + 1e-12 for p, up in zip(ps, raised))
    order = sorted(range(len(ps)), key=lambda idx: ps[idx])
    assert [raised[idx] for idx in order] == sorted(raised)
