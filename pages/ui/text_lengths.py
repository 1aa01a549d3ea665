"""How long texts are for a model, and how much of them it will not read."""
from __future__ import annotations

import numpy as np
import streamlit as st

from core.models.catalog import ModelRow, find, on_this_machine
from core.specs import DataSpec, TrainConfig
from core.tasks.text_facts import TokenCounts, token_counts
from pages.ui import state
from pages.ui.charts import length_figure
from pages.ui.i18n import _
from pages.ui.text import md


def section(data: DataSpec, row: ModelRow, config: TrainConfig) -> None:
    """A histogram, and the sentence below it."""
    counts = _counts(data, row, config)
    if counts is None:
        st.caption(_("How long your texts are for {model} is known when it is on this machine.", model=md(row.title)))
        return
    st.plotly_chart(length_figure(counts.counts, counts.room, st.context.theme.type or "light"), key=f"data.lengths.{row.key}",
                    config={"displayModeBar": False})
    sentence(data, row, config)


def sentence(data: DataSpec, row: ModelRow, config: TrainConfig) -> None:
    """What of the texts is read, in words."""
    counts = _counts(data, row, config)
    if counts is None:
        return
    middle, longest = int(np.median(counts.counts)), max(counts.counts)
    st.caption(_("Tokens of a text for {model}: half have up to {middle}, the longest {longest}.", model=md(row.title), middle=middle, longest=longest))
    if not counts.cut:
        st.caption(_("Every text is read to its end."))
    cut(data, row, config)


def cut(data: DataSpec, row: ModelRow, config: TrainConfig) -> None:
    """How many texts are longer than what is read, where some are."""
    counts = _counts(data, row, config)
    if counts and counts.cut:
        share = f"{100 * counts.cut:.0f}" if counts.cut >= 0.01 else _("less than 1")
        said = _("{share} % of the texts are longer than {room} tokens: the rest of those is not read.", share=share, room=counts.room)
        st.markdown(f":orange[:material/content_cut: {said}]")


def _counts(data: DataSpec, row: ModelRow, config: TrainConfig) -> TokenCounts | None:
    return _counted(data, row.key, config, on_this_machine(row))


@st.cache_data(max_entries=64, show_spinner=False)
def _counted(data: DataSpec, key: str, config: TrainConfig, here: bool) -> TokenCounts | None:
    """`here`: the model is on this machine; before, nothing is known."""
    ws = state.workspace()
    return token_counts(ws, find(key, ws), config, data, state.read_version(data))
