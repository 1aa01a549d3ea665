"""The foot of the sidebar: what is running now, and the language."""
from __future__ import annotations

import streamlit as st

from core.jobs.runs import list_runs, state_of
from pages.ui import state
from pages.ui.i18n import LANGUAGES, _, language
from pages.ui.text import md


def foot() -> None:
    with st.sidebar:
        st.space("small")
        _running()
        st.segmented_control(_("Language"), list(LANGUAGES), default=language(), format_func=LANGUAGES.get, required=True,
                             key="sidebar.language", on_change=_choose_language, label_visibility="collapsed")


@st.fragment(run_every=3)
def _running() -> None:
    ws = state.workspace()
    for run in list_runs(ws, state.me())[:20]:
        if state_of(ws.run(run.id)) in ("preparing", "running", "queued"):
            st.page_link("train.py", label=f":material/progress_activity: {md(run.name)}", query_params={"run": run.id})


def _choose_language() -> None:
    state.update(language=state.get("sidebar.language"))
