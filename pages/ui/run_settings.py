"""Settings for the owner of the machine: how many runs learn at once, and how often one goes on by itself."""
from __future__ import annotations

import streamlit as st

from core.jobs.options import MOST_RETRIES, MOST_SLOTS, Options, options, set_options
from core.jobs.queue import gpus
from core.workspace import Workspace
from pages.ui.i18n import _


def run_settings(ws: Workspace) -> None:
    """The section of the page; whoever calls it has made sure that this is the machine's owner. A change counts at once."""
    st.subheader(_("Runs"), anchor=False)
    given = options(ws)
    by_itself = _("as many as GPUs, else one (here: {n})", n=len(gpus()) or 1)
    left, right = st.columns(2)
    slots = left.selectbox(_("Runs that learn at once"), range(MOST_SLOTS + 1), given.slots, format_func=lambda n: str(n) if n else by_itself,
                           key="settings.runs.slots")
    left.caption(_("More at once share the processor and its memory, so that each takes longer; the others wait in the queue."))
    retries = right.number_input(_("An interrupted run goes on by itself, so many times"), 0, MOST_RETRIES, given.retries, key="settings.runs.retries")
    right.caption(_("After a crash or a restart of the computer it goes on where it was saved. 0: it waits until you resume it."))
    if (new := Options(slots, int(retries))) != given:
        set_options(ws, new)
        st.toast(_("Saved."))
