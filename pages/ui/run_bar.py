"""What can be done with the runs that have a tick, and with those that were deleted lately."""
from __future__ import annotations

import time
from collections.abc import Sequence

import streamlit as st

from core.jobs.about import DAYS, about, say
from core.jobs.life import LIVING
from core.jobs.runs import deleted_runs, undelete
from core.specs import RunSpec
from pages.ui import run_cards, run_controls, run_menu, state
from pages.ui.errors import acting
from pages.ui.i18n import _
from pages.ui.run_list import Row
from pages.ui.text import listed, md

LEAST, MOST = 2, 6
"""So many can be compared."""
MOST_SHOWN = 20
"""Of those deleted lately."""


def bar(ticked: Sequence[Row]) -> None:
    """Above the table, at the same height whatever has a tick."""
    if not ticked:
        st.caption(_("Click a name to open the run. Tick one to change it, two to six to compare them."))
    elif len(ticked) == 1:
        _one(ticked[0])
    else:
        _several(ticked)


def _one(row: Row) -> None:
    run, now = row.run, row.seen.state
    st.markdown(f"**{md(run.name)}**  {run_cards.badge(now)}", width="content")
    st.space("stretch")
    if st.button(_("Open"), type="primary", icon=":material/arrow_forward:", key="runs.look"):
        run_cards.open_run(run, row.seen)
    _star([row])
    run_controls.resume_button(run, now)
    run_controls.controls(run, now)


def _several(rows: Sequence[Row]) -> None:
    st.markdown(_("{n} runs", n=len(rows)), width="content")
    st.space("stretch")
    if len(rows) > MOST:
        st.markdown(f":gray[{_('At most {n} can be compared.', n=MOST)}]", width="content")
    elif st.button(_("Compare"), type="primary", icon=":material/compare_arrows:", key="runs.compare"):
        st.switch_page("compare.py", query_params={"runs": ",".join(row.run.id for row in rows)})
    _star(rows)
    gone = [row.run for row in rows if row.seen.state not in LIVING | {"queued"}]
    if gone and st.button(_("Delete (undo: 7 days)"), icon=":material/delete:", key="runs.delete"):
        state.put("runs.ticked", ())
        run_menu.put_away(gone)


def _star(rows: Sequence[Row]) -> None:
    """Star them, or where all have a star, take it away."""
    starred = all(row.said.star for row in rows)
    if st.button(_("Take the star away") if starred else _("Star"), icon=":material/star:", key="runs.star.ticked"):
        with acting():
            for row in rows:
                say(state.workspace().run(row.run.id), star=not starred)
        st.rerun()


def just_deleted() -> None:
    """Beside what was deleted a moment ago, a way back."""
    gone = [run for run in deleted_runs(state.workspace(), state.me()) if run.id in state.get("deleted", ())]
    if not gone:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="deleted"):
        st.markdown(f":material/delete: {_('Deleted: {names}', names=listed(md(run.name) for run in gone))}", width="stretch")
        if st.button(_("Undo"), icon=":material/undo:", key="runs.undo"):
            _bring_back(gone)


def deleted_lately() -> None:
    """Those that can still be taken back, folded."""
    gone = deleted_runs(state.workspace(), state.me())
    if not gone:
        return
    with st.expander(_("Deleted lately ({n})", n=len(gone)), icon=":material/delete:", key="runs.deleted"):
        st.caption(_("They can be taken back for {days} days.", days=DAYS))
        for run in gone[:MOST_SHOWN]:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"{md(run.name)} :gray[{_left(run)}]", width="stretch")
                if st.button(_("Undo"), icon=":material/undo:", key=f"runs.undo.{run.id}"):
                    _bring_back([run])
        if len(gone) > MOST_SHOWN:
            st.caption(_("and {n} more, deleted before these", n=len(gone) - MOST_SHOWN))


def _left(run: RunSpec) -> str:
    """How long it can be taken back."""
    left_s = about(state.workspace().run(run.id)).deleted + DAYS * 24 * 3600 - time.time()
    return _("{n} days left", n=round(left_s / 86400)) if left_s > 1.5 * 86400 else _("one day left")


def _bring_back(runs: Sequence[RunSpec]) -> None:
    with acting(_("Back again.")):
        for run in runs:
            undelete(state.workspace(), run.id, state.me())
    st.rerun()
