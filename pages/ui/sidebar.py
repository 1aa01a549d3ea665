"""The foot of the sidebar: what is running now, and the language."""
from __future__ import annotations

import streamlit as st

from core.jobs.life import LIVING, state_of
from core.jobs.runs import active_runs
from core.jobs.supervisor import ensure_supervisor
from pages.ui import state
from pages.ui.fragments import fragment_of
from pages.ui.i18n import LANGUAGES, _, language
from pages.ui.run_cards import STATE_LOOK, state_text
from pages.ui.text import md

MOST_SHOWN = 5


def foot(page: str) -> None:
    """`page`: the name in the address of the page that is shown."""
    with st.sidebar:
        st.space("small")
        fragment_of(page, _running, run_every=3)()
        st.segmented_control(_("Language"), list(LANGUAGES), default=language(), format_func=LANGUAGES.get, required=True,
                             key="sidebar.language", on_change=_choose_language, label_visibility="collapsed")


def _running() -> None:
    """What learns, then what waits for it; of many the first ones."""
    ws = state.workspace()
    ensure_supervisor(ws)  # an open page keeps it, and its warm worker, awake
    active = [(run, state_of(ws.run(run.id))) for run in reversed(active_runs(ws, state.me()))]
    active.sort(key=lambda pair: pair[1] not in LIVING)
    for run, now in active[:MOST_SHOWN]:
        icon = ":material/progress_activity:" if now in LIVING else STATE_LOOK["queued"][0]
        st.page_link("train.py", label=f"{icon} {md(run.name)}", query_params={"run": run.id}, help=state_text(now))
    if len(active) > MOST_SHOWN:
        st.page_link("runs.py", label=_("and {n} more", n=len(active) - MOST_SHOWN))


def _choose_language() -> None:
    state.update(language=state.get("sidebar.language"))
