"""What the ways to try a model share: samples it never learned from, and its answer in words and bars, a row an objective."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from core.data.versions import Item, Version
from core.evaluation.report import Report
from pages.ui import charts
from pages.ui.i18n import _
from pages.ui.text import likelihood, listed, md

UNSURE = 0.5
GIVEN = 0.5
"""The probability from which on an item is given a label, where it may have several."""
Row = Sequence[float]
"""What the model says of one item: probabilities in the order of the report's labels, or a number alone."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`show(report, row, sample)`: one item in full; `sample` is the item where its label is known. `columns(report, rows)`: many items as
    the columns of a table; a figure in percent stands under the header that says so."""
    show: Callable[[Report, Row, Item | None], None]
    columns: Callable[[Report, Sequence[Row]], dict[str, list[str] | list[float]]]


def answer(report: Report, row: Row, sample: Item | None) -> None:
    ANSWERS[report.objective].show(report, row, sample)


def columns(report: Report, rows: Sequence[Row]) -> dict[str, list[str] | list[float]]:
    """What the model says of many items, by header."""
    return ANSWERS[report.objective].columns(report, rows)


def number(value: float, unit: str) -> str:
    """A number in the labels' own unit, as plain text."""
    return f"{float(f'{value:.4g}'):,.10g} {unit}".strip()


def samples(version: Version, most: int) -> list[Item]:
    """A few test items of every label (without test items: of validation), always the same ones."""
    pool = version.split("test") or version.split("val")
    by_label = [sorted((item for item in pool if item.label == i), key=lambda item: item.sha) for i in range(len(version.labels))]
    mixed = [items[k] for k in range(most) for items in by_label if k < len(items)]
    return mixed[:most]


def bears(item: Item, labels: Sequence[str], unit: str = "") -> str:
    """What an item bears, as plain text: its label, its labels, or its number."""
    if item.value is not None:
        return number(item.value, unit)
    return listed(labels[i] for i in item.borne) or _("none of the labels")


# ---- one label ----

def _show_likeliest(report: Report, row: Row, sample: Item | None) -> None:
    best = _likeliest(row)
    name, likely = md(report.labels[best]), likelihood(row[best])
    guess = _("{label}? {p}", label=name, p=likely)
    st.markdown(f"### {name}  :gray[{likely}]" if row[best] >= UNSURE else f"### {_('Not sure')}  :gray[{guess}]")
    if sample:
        _judge(sample.borne == (best,), bears(sample, report.labels))
    _bars(report, row)


def _likeliest_columns(report: Report, rows: Sequence[Row]) -> dict[str, list[str] | list[float]]:
    best = [_likeliest(row) for row in rows]
    names = [report.labels[i] if row[i] >= UNSURE else _("Not sure: {label}?", label=report.labels[i]) for i, row in zip(best, rows)]
    return {_("Label"): names, _("Probability (%)"): [100 * row[i] for i, row in zip(best, rows)]}


def _likeliest(row: Row) -> int:
    return max(range(len(row)), key=row.__getitem__)


# ---- several labels ----

def _show_given(report: Report, row: Row, sample: Item | None) -> None:
    given = _given(row)
    st.markdown(f"### {md(listed(report.labels[i] for i in given)) if given else _('None of the labels')}")
    if sample:
        _judge(set(sample.borne) == set(given), bears(sample, report.labels))
    _bars(report, row)


def _given_columns(report: Report, rows: Sequence[Row]) -> dict[str, list[str] | list[float]]:
    return {_("Labels"): [listed(report.labels[i] for i in _given(row)) for row in rows]}


def _given(row: Row) -> list[int]:
    return [i for i, share in enumerate(row) if share >= GIVEN]


# ---- a number ----

def _show_number(report: Report, row: Row, sample: Item | None) -> None:
    st.markdown(f"### {md(number(row[0], report.unit))}")
    st.caption(_("Off by {error} on average, as far as it was tested.", error=md(number(report.score, report.unit))))
    if sample:
        st.markdown(_("Really: {value}", value=md(bears(sample, report.labels, report.unit))))


def _number_columns(report: Report, rows: Sequence[Row]) -> dict[str, list[str] | list[float]]:
    return {_("Answer"): [row[0] for row in rows]}


def _judge(right: bool, truth: str) -> None:
    st.markdown(f":green[:material/check: {_('Right: it is {label}.', label=md(truth))}]" if right
                else f":red[:material/close: {_('Wrong: it is {label}.', label=md(truth))}]")


def _bars(report: Report, row: Row) -> None:
    st.plotly_chart(charts.probability_bars(report.labels, row, st.context.theme.type or "light"), key="try.bars",
                    config={"displayModeBar": False})


_LIKELIEST = Answer(_show_likeliest, _likeliest_columns)
ANSWERS: dict[str, Answer] = {"single_label": _LIKELIEST, "binary": _LIKELIEST, "multi_label": Answer(_show_given, _given_columns),
                              "regression": Answer(_show_number, _number_columns)}
"""By objective."""
