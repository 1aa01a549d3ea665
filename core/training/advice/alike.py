"""Whether one training is surely better than another: by their answers to the same items, so that hard items count for both."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from core.evaluation.judge import GIVEN

Floats = NDArray[np.float64]
DRAWS, SEED, LEVEL = 10_000, 0, 0.05
AT_ONCE = 2_000_000


def surely_better(one: Floats, other: Floats) -> bool:
    """Whether gains (n,) of one are higher than luck explains, by a two-sided randomisation test of the differences: were both alike, each
    difference could as well have the other sign (Fisher, "The design of experiments", 1935). For right and wrong answers that is McNemar's
    exact test."""
    differences = one - other
    differences = differences[differences != 0]
    total = float(differences.sum())
    if total <= 0:
        return False
    random, as_far = np.random.default_rng(SEED), 0
    step = max(1, AT_ONCE // len(differences))
    for start in range(0, DRAWS, step):
        signs = random.choice(np.array([-1.0, 1.0]), (min(step, DRAWS - start), len(differences)))
        as_far += int((np.abs(signs @ differences) >= total - 1e-9).sum())
    return (as_far + 1) / (DRAWS + 1) < LEVEL


def gains(answers: Floats, truths: NDArray, asked: str) -> Floats:
    """How good each answer is, (n,); more is better. `answers` and `truths` as `core.evaluation.judge` takes them."""
    return GAINS[asked](answers, truths)


def _hits(answers: Floats, truths: NDArray) -> Floats:
    return (answers.argmax(1) == truths).astype(np.float64)


def _balanced(answers: Floats, truths: NDArray) -> Floats:
    """Of each label as much weight, as in balanced accuracy."""
    counts = np.bincount(truths.astype(np.int64), minlength=2)
    return _hits(answers, truths) / np.maximum(counts[truths.astype(np.int64)], 1)


def _marks(answers: Floats, truths: NDArray) -> Floats:
    """Less for each label that was given or left out wrongly."""
    return -((answers >= GIVEN) != (truths > 0)).sum(1).astype(np.float64)


def _near(answers: Floats, truths: NDArray) -> Floats:
    return -np.abs(answers[:, 0] - truths)


GAINS: dict[str, Callable[[Floats, NDArray], Floats]] = {"single_label": _hits, "binary": _balanced, "multi_label": _marks, "regression": _near}
"""By objective."""
