"""What the data itself says, before anything is trained: one question at a time, answered when it is asked."""
from __future__ import annotations

import streamlit as st

from core.models.catalog import on_this_machine
from core.models.rows import ModelRow
from core.training.advice.findings import AdviceKind
from pages.ui import advice_freeze, depth, ranking, state
from pages.ui.advice_watch import Section
from pages.ui.components.freeze_map import Probes
from pages.ui.i18n import _

SECTIONS: dict[AdviceKind, Section] = {row.key: row for row in (ranking.SECTION, depth.SECTION, advice_freeze.SECTION)}


def probes(row: ModelRow) -> Probes:
    """What is known of the model's depths, to be drawn over its freeze map."""
    return depth.probes(row)


def model(row: ModelRow) -> None:
    """The questions about models and freezing; heavy work begins only on a click."""
    data, version = state.draft().data, state.version()
    if data is None or version is None or data.task != row.task:
        return
    st.subheader(_("What does your data say?"), anchor=False)
    asked = st.segmented_control(_("Question"), list(SECTIONS), format_func=lambda key: f"{SECTIONS[key].icon} {_(SECTIONS[key].title)}",
                                 key="advice.asked", label_visibility="collapsed")
    if asked == "rank" or asked and on_this_machine(row):
        SECTIONS[asked].show(row, data, version)
    elif asked:
        st.caption(_("The weights of this model are not here yet; download them first."))
    else:
        st.caption(_("Short tests on a sample of your training and validation items. The test items stay unseen."))
