"""What a network scores that has learned nothing but which answer is common. Torch-free."""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from statistics import fmean

from core.data.versions import Version


def chance(version: Version) -> float | None:
    """The validation score of giving every item the same answer, the best by the training items; None without any of either."""
    return CHANCE[version.objective](version) if version.split("train") and version.split("val") else None


def _commonest(version: Version) -> float:
    label = Counter(item.label for item in version.split("train")).most_common(1)[0][0]
    return fmean(item.label == label for item in version.split("val"))


def _one_of_two(version: Version) -> float:
    return 0.5


def _marks_of_most(version: Version) -> float:
    """F1 of the labels that most items bear: the others are not given."""
    borne = Counter(label for item in version.split("train") for label in item.borne)
    given = {label for label, n in borne.items() if 2 * n >= len(version.split("train"))}
    items = version.split("val")
    both, true = sum(len(given & set(item.borne)) for item in items), sum(len(item.borne) for item in items)
    return 2 * both / max(1, len(given) * len(items) + true)


def _mean(version: Version) -> float:
    mean = fmean(float(item.value) for item in version.split("train"))
    return fmean(abs(float(item.value) - mean) for item in version.split("val"))


CHANCE: dict[str, Callable[[Version], float]] = {
    "single_label": _commonest, "binary": _one_of_two, "multi_label": _marks_of_most, "regression": _mean}
"""By objective."""
