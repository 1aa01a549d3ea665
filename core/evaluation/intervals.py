"""How sure a score is: the range in which the true rate is likely to lie."""
from __future__ import annotations

from math import sqrt
from statistics import NormalDist


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
