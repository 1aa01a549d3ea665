"""Whether one training is surely better than another: by their answers to the same items, so that hard items count for both."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from core.evaluation import metrics
from core.evaluation.intervals import bootstrap
from core.evaluation.judge import GIVEN

Floats = NDArray[np.float64]
DRAWS, SEED, LEVEL = 10_000, 0, 0.05
AT_ONCE = 2_000_000
TIES = 1e-9
"""By how much sums of floats may take equal differences for others, as a share of them."""


@dataclass(frozen=True, slots=True)
class Measure:
    """An objective's metric, made of sums over items. `figures`: of answers and truths, those of each item, (n, k). `score`: of their sums,
    (..., k) to (...); more is better."""
    figures: Callable[[Floats, NDArray], Floats]
    score: Callable[[Floats], Floats]


def figures(answers: Floats, truths: NDArray, asked: str) -> Floats:
    """What each answer adds to the score, (n, k). `answers` and `truths` as `core.evaluation.judge` takes them."""
    return MEASURES[asked].figures(answers, truths)


def gain(one: Floats, other: Floats, asked: str) -> float:
    """By how much the score of one is better than that of the other, in the metric's own unit; below 0 where it is worse."""
    score = MEASURES[asked].score
    return float(score(one.sum(0)) - score(other.sum(0)))


def gain_range(one: Floats, other: Floats, asked: str, confidence: float = 1 - LEVEL) -> tuple[float, float]:
    """Where `gain` lies, by drawing items together with both answers to them; anywhere, for all that a single item tells."""
    k, score = one.shape[1], MEASURES[asked].score
    drawn = bootstrap(np.hstack([one, other]), lambda sums: score(sums[:, :k]) - score(sums[:, k:]), confidence)
    return drawn or (-inf, inf)


def surely_better(one: Floats, other: Floats, asked: str) -> bool:
    """Whether one is better than luck explains."""
    return gain(one, other, asked) > 0 and p_value(one, other, asked) < LEVEL


def p_value(one: Floats, other: Floats, asked: str) -> float:
    """How often luck alone makes a difference as large as that between figures (n, k) of the same items, either way.

    A two-sided randomisation test: were both alike, either could as well have given the other's answer to any item (Fisher, "The design of
    experiments", 1935; for scores that are no means: Yeh, "More accurate tests for the statistical significance of result differences",
    COLING 2000). For right and wrong answers that is McNemar's exact test.
    """
    score = MEASURES[asked].score
    both, difference = (one + other).sum(0), one - other
    difference = difference[difference.any(1)]
    found, as_far = abs(gain(one, other, asked)), 0
    for swapped in _swaps(difference):
        as_far += int((np.abs(score((both + swapped) / 2) - score((both - swapped) / 2)) >= found * (1 - TIES)).sum())
    return (as_far + 1) / (DRAWS + 1)


def _swaps(difference: Floats) -> Iterator[Floats]:
    """Sums of differences (n, k) of which each has its own sign or the other, by chance: (draws, k), until there are `DRAWS`."""
    n, random = len(difference), np.random.default_rng(SEED)
    total, step = difference.sum(0), max(1, AT_ONCE // max(1, n))
    for start in range(0, DRAWS, step):
        draws, width = min(step, DRAWS - start), -(-n // 8)
        bits = np.frombuffer(random.bytes(draws * width), np.uint8).reshape(draws, width)
        yield 2 * np.unpackbits(bits, axis=1)[:, :n].astype(np.float64) @ difference - total


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values, raised so that among all that lie below a level there is a false one no oftener than that (Holm, "A simple sequentially
    rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979)."""
    raised, least = list(p_values), 0.0
    for rank, idx in enumerate(sorted(range(len(p_values)), key=lambda idx: p_values[idx])):
        least = raised[idx] = max(least, min(1.0, (len(p_values) - rank) * p_values[idx]))
    return raised


def _hits(answers: Floats, truths: NDArray) -> Floats:
    hits = (answers.argmax(1) == truths).astype(np.float64)
    return np.stack([hits, np.ones(len(hits))], 1)


def _hits_by_label(answers: Floats, truths: NDArray) -> Floats:
    hits, of = answers.argmax(1) == truths, [truths == label for label in (0, 1)]
    return np.stack([of[0] & hits, of[0], of[1] & hits, of[1]], 1).astype(np.float64)


def _marks(answers: Floats, truths: NDArray) -> Floats:
    given, true = answers >= GIVEN, truths > 0
    return np.stack([(given & true).sum(1), given.sum(1), true.sum(1)], 1).astype(np.float64)


def _errors(answers: Floats, truths: NDArray) -> Floats:
    errors = np.abs(answers[:, 0] - truths)
    return np.stack([-errors, np.ones(len(errors))], 1)


def _mean(sums: Floats) -> Floats:
    return sums[..., 0] / sums[..., 1]


def _mean_of_labels(sums: Floats) -> Floats:
    """Of each label as much weight, as in balanced accuracy; one without items has none."""
    hits, n = sums[..., 0::2], sums[..., 1::2]
    return (hits / np.maximum(n, 1)).sum(-1) / np.maximum((n > 0).sum(-1), 1)


def _micro_f1(sums: Floats) -> Floats:
    return metrics.micro_f1(sums[..., 0], sums[..., 1], sums[..., 2])


MEASURES: dict[str, Measure] = {
    "single_label": Measure(_hits, _mean), "binary": Measure(_hits_by_label, _mean_of_labels), "multi_label": Measure(_marks, _micro_f1),
    "regression": Measure(_errors, _mean)}
"""By objective."""
