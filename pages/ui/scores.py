"""Scores and further figures as the reader sees them, by the rows of `core.objectives`."""
from __future__ import annotations

from core.evaluation.report import Report
from core.objectives import FIGURES, objective
from pages.ui.i18n import _
from pages.ui.text import percent, score_range
from pages.ui.try_panel import number


def score(report: Report) -> str:
    """The score alone: 93 %, or 2.4 kg."""
    return percent(report.score) if objective(report.objective).percent else number(report.score, report.unit)


def score_with_range(report: Report) -> str:
    """93 % (88–96), or 2.4 kg (2.1–2.8); without a range where so few items tell none."""
    if report.low is None or report.high is None:
        return score(report)
    if objective(report.objective).percent:
        return score_range(report.score, report.low, report.high)
    return _("{value} ({low}–{high})", value=score(report), low=number(report.low, ""), high=number(report.high, ""))


def figures(report: Report) -> list[tuple[str, str, str]]:
    """(label, value, explanation) of each further figure that is defined, in the reader's language."""
    rows = [(FIGURES[key], value) for key, value in report.figures.items() if value is not None and key in FIGURES]
    return [(_(row.label), percent(value) if row.percent else number(value, report.unit if row.in_unit else ""), _(row.explanation))
            for row, value in rows]
