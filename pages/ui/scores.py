"""Scores and further figures as the reader sees them, by the rows of `core.objectives`."""
from __future__ import annotations

import math

from core.data.versions import Version
from core.evaluation.report import Report
from core.objectives import FIGURES, objective
from core.training.advice.findings import Score
from pages.ui.i18n import _
from pages.ui.text import percent, score_range
from pages.ui.try_panel import number


def score(report: Report) -> str:
    """The score alone: 93 %, or 2.4 kg."""
    return percent(report.score) if objective(report.objective).percent else number(report.score, report.unit)


def score_with_range(report: Report) -> str:
    """93 % (88–96), or 2.4 kg (2.1–2.8); without a range where so few items tell none."""
    return _with_range(report.score, report.low, report.high, report.objective, report.unit)


def said(found: Score, version: Version) -> str:
    """The same of a score that a look at the data gave."""
    return _with_range(found.value, found.low, found.high, version.objective, version.unit)


def _with_range(value: float, low: float | None, high: float | None, asked: str, unit: str) -> str:
    """A number has as many digits as its range deserves: two of the range's width."""
    in_percent = objective(asked).percent
    if low is None or high is None:
        return percent(value) if in_percent else number(value, unit)
    if in_percent:
        return score_range(value, low, high)
    decimals = 1 - math.floor(math.log10(high - low)) if high > low else 12
    value, low, high = (round(one, decimals) for one in (value, low, high))
    return _("{value} ({low}–{high})", value=number(value, unit), low=number(low, ""), high=number(high, ""))


def figures(report: Report) -> list[tuple[str, str, str]]:
    """(label, value, explanation) of each further figure that is defined, in the reader's language."""
    rows = [(FIGURES[key], value) for key, value in report.figures.items() if value is not None and key in FIGURES]
    return [(_(row.label), percent(value) if row.percent else number(value, report.unit if row.in_unit else ""), _(row.explanation))
            for row, value in rows]
