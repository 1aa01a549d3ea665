"""Runs: everything that was trained here, what waits, and what was deleted lately."""
from __future__ import annotations

import time

import streamlit as st

from core.jobs.runs import list_runs
from pages.ui import run_bar, run_cards, run_filter, run_list, run_queue, state
from pages.ui.empty import empty
from pages.ui.i18n import _

st.title(_("Runs"), anchor=False)
runs = list_runs(state.workspace(), state.me())
run_queue.show()
run_bar.just_deleted()
if not runs:
    empty(_("No runs yet. Every training you start is kept here."))
    if st.button(_("Choose data"), type="primary", icon=":material/arrow_forward:", key="runs.start"):
        st.switch_page("start.py")
else:
    rows = run_list.rows(runs)
    wanted, order = run_filter.form(rows)
    found = run_list.ordered(run_list.chosen(rows, wanted), order, time.time())
    bar = st.container(horizontal=True, vertical_alignment="center", key="ticked")
    if found:
        ticked = run_list.table(found, state.get("runs.ticked", ()))
        state.put("runs.ticked", [row.run.id for row in ticked])
        if ticked:
            state.take("deleted")  # the reader has gone on to something else
        with bar:
            run_bar.bar(ticked)
        if opened := run_list.opened(found):
            run_cards.open_run(opened.run, opened.seen)
        if order == "score" and run_list.several_kinds(found):
            st.caption(_("Scores of different kinds of questions can't be compared: each kind stands apart."))
    else:
        st.info(_("No run matches."), icon=":material/filter_alt:")
    if len(rows) < len(runs):
        st.warning(_("Runs that can't be read: {n}. A file of theirs is damaged; the log of the app says which.", n=len(runs) - len(rows)),
                   icon=":material/warning:")
run_bar.deleted_lately()
