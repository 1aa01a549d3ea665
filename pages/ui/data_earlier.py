"""A word at the top of the Data page when it shows no current version: that of a run, or one that another tab changed."""
from __future__ import annotations

import streamlit as st

from core.data.versions import Dataset, restore, spec_of
from core.specs import DataSpec
from pages.ui import state
from pages.ui.i18n import _


def notice(data: DataSpec, dataset: Dataset) -> None:
    """Nothing for the current version."""
    if data.version == dataset.current:
        return
    st.info(_("You see an earlier version of this data; it has been changed since. Training uses what you see."), icon=":material/history:")
    with st.container(horizontal=True):
        if st.button(_("Show the current version"), key="data.earlier.leave", icon=":material/update:"):
            state.update(data=spec_of(state.workspace(), dataset))
            st.rerun()
        if st.button(_("Make this the current version"), key="data.earlier.restore", icon=":material/settings_backup_restore:",
                     help=_("The other version stays, and undo brings it back.")):
            state.update(data=restore(state.workspace(), data, state.me()))
            st.rerun()
