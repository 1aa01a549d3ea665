"""What learns now and what waits for it, above the list of runs."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby

import streamlit as st

from core.errors import UserError
from core.events import RunState
from core.jobs.life import state_of
from core.jobs.queue import Turn, at_work, move, turns
from core.jobs.runs import active_runs, pause, watch_run
from core.owners import owners
from core.specs import RunSpec
from pages.ui import run_cards, state
from pages.ui.errors import acting
from pages.ui.fragments import fragment_of
from pages.ui.i18n import _
from pages.ui.text import about, md

MOST_ROWS, ROW_PX = 6, 42
"""More of them scroll."""


def show() -> None:
    """Looks again by itself, and has the page drawn anew when one of the reader's runs has become something else."""
    state.put("runs.active", _active())
    fragment_of("runs", _queue, run_every=2.0)()


def _active() -> dict[str, RunState]:
    ws = state.workspace()
    return {run.id: state_of(ws.run(run.id)) for run in active_runs(ws, state.me())}


def _queue() -> None:
    if _active() != state.get("runs.active"):
        st.rerun()
    ws, waiting = state.workspace(), turns(state.workspace())
    running, queued = _known(at_work(ws)), _known(waiting)
    if not running and not queued:
        return
    own = [run.id for run in queued if run.owner == state.me()]
    rows = [*_rows(running, _at_work, ":material/progress_activity:"),
            *_rows(queued, lambda run: _waiting(run, waiting[run.id], own), run_cards.STATE_LOOK["queued"][0])]
    with st.container(border=True, key="queue", gap="small", height=MOST_ROWS * ROW_PX if len(rows) > MOST_ROWS else "content"):
        for draw in rows:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                draw()


def _rows(runs: Sequence[RunSpec], own: Callable[[RunSpec], None], icon: str) -> Iterator[Callable[[], None]]:
    """A row for each of the reader's runs, and one for all of others between two of them."""
    for mine, some in groupby(runs, lambda run: run.owner == state.me()):
        if mine:
            yield from (partial(own, run) for run in some)
        else:
            yield partial(_of_others, list(some), icon)


def _known(ids: Iterable[str]) -> list[RunSpec]:
    """Those that are still there."""
    found = []
    for run_id in ids:
        try:
            found.append(watch_run(state.workspace(), run_id))
        except UserError:  # deleted since, or damaged: then it is in no list
            continue
    return found


def _at_work(run: RunSpec) -> None:
    _link(run, ":material/progress_activity:")
    st.caption(run_cards.state_text(state_of(state.workspace().run(run.id))), width="content")


def _waiting(run: RunSpec, turn: Turn, own: list[str]) -> None:
    """`own`: the reader's waiting runs in their order."""
    _link(run, run_cards.STATE_LOOK["queued"][0])
    when = _("in a moment") if turn.wait_s < 2 else _("in {t}", t=about(turn.wait_s))
    st.caption(_("place {n}, {when}", n=turn.ahead + 1, when=when), width="content")
    st.space("stretch")
    if len(own) > 1:
        for up, icon, label in ((True, ":material/arrow_upward:", _("Earlier")), (False, ":material/arrow_downward:", _("Later"))):
            st.button(icon, key=f"queue.{'up' if up else 'down'}.{run.id}", help=label, type="tertiary", disabled=run.id == own[0 if up else -1],
                      on_click=_move, args=(run, up))
    if st.button(_("Leave"), key=f"queue.leave.{run.id}", help=_("Leave the queue"), type="tertiary"):
        with acting():
            pause(state.workspace(), run)
        st.rerun()


def _move(run: RunSpec, up: bool) -> None:
    with acting():
        move(state.workspace(), run, up)


def _link(run: RunSpec, icon: str) -> None:
    st.page_link("train.py", label=f"{icon} {md(run.name)}", query_params={"run": run.id}, width="content")


def _of_others(runs: list[RunSpec], icon: str) -> None:
    """Runs of other people, without what they are called."""
    names = owners(state.workspace())
    if len(runs) > 1:
        text = _("{n} runs of others", n=len(runs))
    elif runs[0].owner in names:
        text = _("a run of {owner}", owner=md(names[runs[0].owner]))
    else:
        text = _("a run of somebody else")
    st.caption(f"{icon} {text}", width="content")
