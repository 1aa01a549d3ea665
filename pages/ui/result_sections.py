"""What the results page shows below the headline, a row an objective."""
from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.evaluation.report import Report
from core.specs import RunSpec
from pages.ui import charts, mistakes, run_map, scores
from pages.ui.i18n import _
from pages.ui.result_tables import per_class_table
from pages.ui.text import md

Section = Callable[[RunSpec, Report], None]
PLAIN = {"displayModeBar": False}


def show(run: RunSpec, report: Report) -> None:
    for section in SECTIONS[report.objective]:
        section(run, report)
    run_map.show(run)


def _figures(run: RunSpec, report: Report) -> None:
    with st.container(horizontal=True, key="results.figures"):
        for label, value, explanation in scores.figures(report):
            st.metric(label, value, help=explanation, width="content")


def _of_positive(run: RunSpec, report: Report) -> None:
    st.caption(_("Precision, recall and F1 are those of “{label}”, the label that is looked for.", label=md(report.labels[1])))
    _figures(run, report)


def _confusion(run: RunSpec, report: Report) -> None:
    st.subheader(_("What gets mistaken for what"), anchor=False)
    st.caption(_("Each row is a true label, each column the answer. Off the diagonal are the mistakes."))
    st.plotly_chart(charts.confusion_figure(report.confusion, report.labels, _theme()), key="results.confusion", config=PLAIN)


def _each_label(run: RunSpec, report: Report) -> None:
    st.subheader(_("Each label"), anchor=False)
    per_class_table(report)


def _scatter(run: RunSpec, report: Report) -> None:
    st.subheader(_("Answers and true numbers"), anchor=False)
    st.caption(_("Each point is an item. On the line the answer is right; the farther from it, the more it is off."))
    pairs = [(float(item.truth), item.probabilities[0]) for item in report.predictions if not isinstance(item.truth, tuple)]
    st.plotly_chart(charts.scatter_figure(pairs, report.labels[0], report.unit, _theme()), key="results.scatter", config=PLAIN)


def _mistakes(run: RunSpec, report: Report) -> None:
    st.subheader(_("Worst mistakes"), anchor=False)
    if report.mistakes:
        st.caption(_("The most confident mistakes come first. Some may be items with a wrong label."))
        mistakes.worst(run.data, report)
    else:
        st.success(_("No mistakes on these items."), icon=":material/check_circle:")


def _farthest_off(run: RunSpec, report: Report) -> None:
    st.subheader(_("Farthest off"), anchor=False)
    if report.mistakes:
        st.caption(_("Some may be items with a wrong number."))
        mistakes.worst(run.data, report)
    else:
        st.success(_("No mistakes on these items."), icon=":material/check_circle:")


def _theme() -> charts.Theme:
    return st.context.theme.type or "light"


SECTIONS: dict[str, tuple[Section, ...]] = {
    "single_label": (_confusion, _each_label, _mistakes),
    "binary": (_of_positive, _confusion, _each_label, _mistakes),
    "multi_label": (_figures, _each_label, _mistakes),
    "regression": (_figures, _scatter, _farthest_off),
}
