"""Tables of the data page."""
from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.data.versions import Rejected, Version
from pages.ui.i18n import _


def counts_table(version: Version, key: str) -> list[int]:
    """Items of each label on each side of the split: what is, not what was asked for. Returns the labels that are ticked."""
    counts = version.counts()
    totals = [sum(counts[side][i] for side in counts) for i in range(len(version.labels))]
    frame = pd.DataFrame({
        _("Label"): version.labels, _("Total"): totals,
        _("Training"): [counts["train"][i] for i in range(len(version.labels))],
        _("Validation"): [counts["val"][i] for i in range(len(version.labels))],
        _("Test"): [counts["test"][i] for i in range(len(version.labels))]})
    event = st.dataframe(
        frame, hide_index=True, key=f"data.counts.{key}", height="content" if len(frame) <= 12 else 460, on_select="rerun",
        selection_mode="multi-row", column_config={
            _("Total"): st.column_config.ProgressColumn(min_value=0, max_value=max(totals), format="%d", color="primary", width=96),
            **{side: st.column_config.NumberColumn(width=76) for side in (_("Training"), _("Validation"), _("Test"))}})
    return [row for row in event.selection.rows if row < len(version.labels)]


def rejected_table(rejected: Sequence[Rejected], key: str) -> None:
    frame = pd.DataFrame({_("File"): [r.name for r in rejected], _("Why it was left out"): [_(r.reason, **r.params) for r in rejected]})
    st.dataframe(frame, hide_index=True, key=f"data.rejected.{key}", width=680, column_config={
        _("Why it was left out"): st.column_config.TextColumn(width=420)})
