"""What is asked about the items: one label or several, yes or no, a number; and asking it otherwise."""
from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.data.asked import ask, askable, positive_label, proposed
from core.data.versions import Version
from core.objectives import OBJECTIVES, objective
from core.specs import DataSpec
from pages.ui import importer
from pages.ui.data_view import carry_out
from pages.ui.i18n import _
from pages.ui.text import md

PROPOSALS = {
    "regression": "All labels are numbers, and there are many of them. If the number itself is what matters, ask for a number.",
    "binary": "There are two labels. If one of them is what you look for, ask for yes or no: the score then counts both alike, however rare one is.",
}
"""By objective, keys of the translation catalogue."""


def section(data: DataSpec, version: Version) -> None:
    """The question, with what it means, and other ones that these labels (or the table they came from) can serve."""
    fit = askable(version)
    keys = tuple(OBJECTIVES) if version.table else fit
    st.subheader(_("What is asked"), anchor=False)
    if len(keys) == 1:
        st.markdown(f"**{_(objective(version.objective).title)}**  \n{_(objective(version.objective).explanation)}")
        return
    titles = {key: _(objective(key).title) for key in keys}
    chosen = st.selectbox(_("What is asked"), keys, index=keys.index(version.objective), format_func=titles.get,
                          key=f"data.asked.{data.version}", label_visibility="collapsed") or version.objective
    st.caption(_(objective(chosen).explanation))
    positive = _positive(data, version) if objective(chosen).ordered and chosen in fit else ""
    if chosen == version.objective and positive in ("", version.labels[-1]):
        if other := proposed(version):
            st.caption(f":material/lightbulb: {_(PROPOSALS[other])}")
    elif st.button(_("Ask this instead"), key="data.asked.change", icon=":material/swap_horiz:"):
        _change(data, version, chosen, positive, chosen in fit)


def _positive(data: DataSpec, version: Version) -> str:
    now = positive_label(version)
    chosen = st.segmented_control(_("The label that is looked for"), version.labels, format_func=md, default=now, required=True,
                                  key=f"data.asked.positive.{data.version}")
    return chosen or now


def _change(data: DataSpec, version: Version, key: str, positive: str, fits: bool) -> None:
    """By the labels as they are, else by reading the table again."""
    if fits:
        carry_out(data, lambda: ask(version, key, positive))
    elif version.table:
        importer.begin_reread(data, replace(version.table.choice, objective=key))
