"""Tables of the results page."""
from __future__ import annotations

import pandas as pd
import streamlit as st

from core.evaluation.report import PerClass, Report
from pages.ui.i18n import _
from pages.ui.text import percent, score_range


def per_class_table(report: Report) -> None:
    """Precision, recall and F1 of each label; a dash where one is undefined."""
    frame = pd.DataFrame([{
        _("Label"): row.label, _("Precision"): percent(row.precision), _("Recall"): _recall(row), _("F1"): percent(row.f1),
        _("Items"): row.support} for row in report.per_class])
    st.dataframe(frame, hide_index=True, key="results.classes", height="content" if len(frame) <= 12 else 460, column_config={
        _("Precision"): st.column_config.TextColumn(help=_("Of the items given this label, how many really have it.")),
        _("Recall"): st.column_config.TextColumn(help=_("Of the items that really have this label, how many were found, with the 95 % range.")),
        _("F1"): st.column_config.TextColumn(help=_("Both in one figure (their harmonic mean)."))})


def _recall(row: PerClass) -> str:
    if row.recall is None or row.recall_low is None or row.recall_high is None:
        return "–"
    return score_range(row.recall, row.recall_low, row.recall_high)
