"""The foot of the sidebar: what is running now, and the language."""
from __future__ import annotations

import streamlit as st

from core.jobs.runs import active_runs
from core.jobs.supervisor import ensure_supervisor
from pages.ui import state
from pages.ui.fragments import fragment_of
from pages.ui.i18n import LANGUAGES, _, language
from pages.ui.text import md


def foot(page: str) -> None:
    """`page`: the name in the address of the page that is shown."""
    with st.sidebar:
        st.space("small")
        fragment_of(page, _running, run_every=3)()
        st.segmented_control(_("Language"), list(LANGUAGES), default=language(), format_func=LANGUAGES.get, required=True,
                             key="sidebar.language", on_change=_choose_language, label_visibility="collapsed")


def _running() -> None:
    ws = state.workspace()
    ensure_supervisor(ws)  # an open page keeps it, and its warm worker, awake
    for run in active_runs(ws, state.me()):
        st.page_link("train.py", label=f":material/progress_activity: {md(run.name)}", query_params={"run": run.id})


def _choose_language() -> None:
    state.update(language=state.get("sidebar.language"))
