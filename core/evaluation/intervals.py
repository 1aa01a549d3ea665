"""How sure a score is: the range in which the true value is likely to lie."""
from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Floats = NDArray[np.float64]
RESAMPLES = 2000
SEED = 20_260_101
AT_ONCE = 2_000_000
"""Drawn places that are held in memory at a time."""


def wilson(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval, without continuity correction, for a rate seen `k` times in `n`: (low, high), fractions.

    Unlike the usual "plus or minus" it stays within 0 to 1 and holds what it promises for few items and for rates near 0 and 1.
    Nothing is known from no items: (0, 1). E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    JASA 22 (1927); recommended by Brown, Cai and DasGupta, "Interval estimation for a binomial proportion", Statistical Science
    16 (2001). Raises `ValueError` unless 0 <= k <= n.
    """
    if not 0 <= k <= n:
        raise ValueError(f"k must be between 0 and n = {n}, got {k}")
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    rate, spread = k / n, z * z / n
    centre = (rate + spread / 2) / (1 + spread)
    half = z * sqrt(rate * (1 - rate) / n + spread / (4 * n)) / (1 + spread)
    return (0.0 if k == 0 else centre - half), (1.0 if k == n else centre + half)


def mean_of_rates(counts: list[tuple[int, int]], confidence: float = 0.95) -> tuple[float, float]:
    """The range of the plain mean of rates that were each seen (k, n) times, from items that have nothing to do with one another.

    Wilson's ranges are joined by the rule of Zou and Donner, "Construction of confidence limits about effect measures", Statistics in
    Medicine 27 (2008): distances to the bounds add up as squares. Unlike resampling, it also knows that three right ones of three are no
    certainty. Rates from no items are left out; without any, nothing is known: (0, 1).
    """
    seen = [(k / n, *wilson(k, n, confidence)) for k, n in counts if n]
    if not seen:
        return 0.0, 1.0
    mean = sum(rate for rate, _, _ in seen) / len(seen)
    below = sqrt(sum((rate - low) ** 2 for rate, low, _ in seen)) / len(seen)
    above = sqrt(sum((high - rate) ** 2 for rate, _, high in seen)) / len(seen)
    return max(0.0, mean - below), min(1.0, mean + above)


def bootstrap(items: Floats, score: Callable[[Floats], Floats], confidence: float = 0.95) -> tuple[float, float] | None:
    """The range of a score of n items, by drawing n of them again and again (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993).

    `items` (n, k): figures of each item whose sums the score is made of; `score` takes sums (draws, k) and gives (draws,). The same items
    in the same order always give the same range. Percentiles are those of Student's t with n - 1 degrees, widened by sqrt(n / (n - 1)), since
    plain ones promise too much of few items (Hesterberg, "What teachers should know about the bootstrap", The American Statistician 69,
    2015). None for one item, from which nothing can be told.
    """
    n = len(items)
    if n < 2:
        return None
    tail = NormalDist().cdf(float(stdtrit(n - 1, (1 - confidence) / 2)) * sqrt(n / (n - 1)))
    random, drawn = np.random.default_rng(SEED), []
    step = max(1, AT_ONCE // n)
    for start in range(0, RESAMPLES, step):
        places = random.integers(0, n, (min(step, RESAMPLES - start), n))
        drawn.append(score(np.stack([items[:, column][places].sum(1) for column in range(items.shape[1])], 1)))
    low, high = np.quantile(np.concatenate(drawn), [tail, 1 - tail])
    return float(low), float(high)
