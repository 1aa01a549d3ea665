"""What a linear model tells from features: its score on items it has not seen, and the evidence of the labels."""
from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from core.training.advice.linear_probe import logme, probe

RNG = np.random.default_rng
LABELS = ("a", "b", "c")


def clouds(n: int, d: int, apart: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Items of three labels around three centres."""
    rng, truths = RNG(seed), np.arange(n) % 3
    return (rng.normal(size=(3, d))[truths] * apart + rng.normal(size=(n, d))).astype(np.float32), truths


def direct(features: np.ndarray, target: np.ndarray) -> float:
    """The evidence an item, by a search over prior and noise for the highest density of the target's differences from its mean."""
    n = len(target)
    differences = np.linalg.qr(np.c_[np.ones(n), np.eye(n)[:, 1:]])[0][:, 1:].T  # (n - 1, n), each sums to 0
    x, y = differences @ features, differences @ target

    def surprise(logs: np.ndarray) -> float:
        alpha, beta = np.exp(np.clip(logs, -20, 20))
        spread = np.eye(n - 1) / beta + x @ x.T / alpha
        return float(np.linalg.slogdet(2 * np.pi * spread)[1] + y @ np.linalg.solve(spread, y)) / 2
    return max(-minimize(surprise, start, method="Nelder-Mead").fun for start in ((0, 0), (3, 3))) / (n - 1)


@pytest.mark.parametrize("d", [3, 30], ids=["fewer features than items", "more"])
def test_logme_is_the_highest_evidence_there_is(d: int) -> None:
    features, truths = clouds(18, d, 1.0)
    marks = np.eye(3)[truths]
    expected = np.mean([direct(features.astype(np.float64), marks[:, label]) for label in range(3)])
    assert logme(features, truths, 3, "single_label") == pytest.approx(expected, abs=2e-3)


def test_logme_of_numbers_is_the_highest_evidence_there_is() -> None:
    features = RNG(1).normal(size=(20, 3))
    truths = features @ [1.0, -2.0, 0.5] + RNG(2).normal(size=20) + 7
    assert logme(features, truths, 1, "regression") == pytest.approx(direct(features, truths), abs=2e-3)


def test_logme_knows_no_unit_and_no_zero_of_the_features() -> None:
    features, truths = clouds(60, 8, 1.0)
    turned = np.linalg.qr(RNG(3).normal(size=(8, 8)))[0]
    assert logme(features @ turned * 37 + 5, truths, 3, "single_label") == pytest.approx(logme(features, truths, 3, "single_label"), abs=1e-3)


def test_features_that_tell_the_labels_apart_better_have_more_evidence_and_a_better_score() -> None:
    found = [clouds(90, 8, apart) for apart in (0.0, 0.7, 3.0)]
    evidence = [logme(features, truths, 3, "single_label") for features, truths in found]
    scores = [probe(features, truths, LABELS, "single_label").value for features, truths in found]
    assert evidence == sorted(evidence) and scores == sorted(scores)
    assert scores[2] > 0.95


def test_features_that_say_nothing_are_not_taken_for_good_ones() -> None:
    features, truths = RNG(4).normal(size=(90, 300)).astype(np.float32), np.arange(90) % 3
    score = probe(features, truths, LABELS, "single_label")
    assert score.value < 0.55 and score.low is not None and score.low < 1 / 3 + 0.05


def test_the_range_holds_the_score_and_narrows_with_more_items() -> None:
    few, many = (probe(*clouds(n, 4, 0.7), LABELS, "single_label") for n in (30, 300))
    assert few.low < few.value < few.high and many.high - many.low < few.high - few.low  # type: ignore[operator]


def test_items_of_one_group_are_judged_by_a_model_that_has_seen_none_of_them() -> None:
    """Each group has features of its own that give its label away: only who knows the group profits."""
    groups = np.repeat(np.arange(20), 6)
    labels = RNG(6).integers(0, 2, 20)[groups]
    features = np.eye(20)[groups].astype(np.float32) + 0.01 * RNG(5).normal(size=(120, 20)).astype(np.float32)
    known = probe(features, labels, ("a", "b"), "single_label")
    honest = probe(features, labels, ("a", "b"), "single_label", [f"patient {group}" for group in groups])
    assert known.value == 1.0 and honest.value < 0.75


@pytest.mark.parametrize(("asked", "truths", "labels", "good"), [
    ("binary", lambda x: (x[:, 0] > 0).astype(int), ("no", "yes"), lambda score: score > 0.85),
    ("multi_label", lambda x: (x[:, :3] > 0).astype(int), LABELS, lambda score: score > 0.85),
    ("regression", lambda x: 100 + 10 * x[:, 0], ("cm",), lambda score: score < 1.0)])
def test_every_objective_is_judged_by_its_own_metric(asked, truths, labels, good) -> None:  # type: ignore[no-untyped-def]
    features = RNG(6).normal(size=(150, 5)).astype(np.float32)
    score = probe(features, truths(features), labels, asked)
    assert good(score.value) and score.low <= score.value <= score.high
    assert np.isfinite(logme(features, truths(features), len(labels), asked))


def test_a_label_with_a_single_item_and_features_that_never_vary_are_no_obstacle() -> None:
    features, truths = np.zeros((12, 4), np.float32), np.array([0] * 11 + [1])
    assert probe(features, truths, ("a", "b"), "single_label").value == pytest.approx(11 / 12)
    assert np.isfinite(logme(features, truths, 2, "single_label"))
