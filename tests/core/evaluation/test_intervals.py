"""Against values published elsewhere: R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in
Medicine 17 (1998), table I, method 3 (score method without continuity correction)."""
from __future__ import annotations

import pytest

from core.evaluation.intervals import wilson


@pytest.mark.parametrize("k, n, low, high", [
    (81, 263, 0.2553, 0.3662),
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0000, 0.1611),
    (1, 29, 0.0061, 0.1718),
])
def test_it_gives_the_published_values(k: int, n: int, low: float, high: float) -> None:
    assert wilson(k, n) == pytest.approx((low, high), abs=5e-5)


def test_it_mirrors() -> None:
    low, high = wilson(3, 40)
    assert wilson(37, 40) == pytest.approx((1 - high, 1 - low))


def test_it_stays_within_zero_and_one_and_touches_them_at_the_ends() -> None:
    assert wilson(0, 7)[0] == 0.0
    assert wilson(7, 7)[1] == 1.0


def test_more_confidence_is_a_wider_range() -> None:
    (low, high), (lower, higher) = wilson(8, 10), wilson(8, 10, confidence=0.99)
    assert lower < low < high < higher


def test_no_items_say_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("k, n", [(-1, 5), (6, 5)])
def test_impossible_counts_are_refused(k: int, n: int) -> None:
    with pytest.raises(ValueError, match="k must be between"):
        wilson(k, n)
