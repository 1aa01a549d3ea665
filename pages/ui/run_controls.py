"""What the owner of a run may do with it in its present state, as buttons; the rest stands in its menu."""
from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core import events
from core.events import RunState
from core.jobs.life import LIVING, RESTING
from core.jobs.runs import has_state, keep, pause, resume, wish_of
from core.specs import RunSpec
from pages.ui import run_menu, state
from pages.ui.errors import acting
from pages.ui.i18n import _

WISHED: dict[str, Callable[[], str]] = {
    "pause": lambda: _("Pausing after the current step …"), "keep": lambda: _("Stopping after the current step …"), "discard": lambda: _("Discarding …")}


def controls(run: RunSpec, now: RunState) -> None:
    """What is wanted most, and the menu. Once something was wished, that: it is done after the current step."""
    folder = state.workspace().run(run.id)
    wish = wish_of(folder)
    if now in LIVING and wish != "go":
        st.markdown(f":gray-badge[:material/hourglass_top: {WISHED[wish]()}]", width="content")
        return
    if now == "queued":
        _control(_("Leave the queue"), ":material/pause_circle:", "live.leave", lambda: pause(state.workspace(), run))
    if now in LIVING:
        _control(_("Pause"), ":material/pause_circle:", "live.pause", lambda: pause(state.workspace(), run),
                 _("It frees the machine, and goes on later from where it was."))
    if now in LIVING or now in RESTING and has_state(folder):
        _control(_("Stop and keep"), ":material/stop_circle:", "live.keep", lambda: keep(state.workspace(), run), _("It ends with the best model so far."))
    run_menu.menu(run, now)


def _control(label: str, icon: str, key: str, act: Callable[[], None], explained: str | None = None) -> None:
    if st.button(label, icon=icon, key=key, help=explained):
        with acting():
            act()
        st.rerun()


def resumable(run: RunSpec, now: RunState) -> bool:
    """Whether it can go on where it was. Of one that failed, whether what ended it may be gone: a broken loss would break again, and without a
    state it would begin anew with the same settings."""
    if now != "failed":
        return now in RESTING or now == "discarded"
    told = failure(run)
    return has_state(state.workspace().run(run.id)) and (told is None or told.kind != "nan")


def failure(run: RunSpec) -> events.Failed | None:
    """What its log says of how it failed last."""
    log = events.follow(state.workspace().run(run.id) / "events.jsonl")
    return next((event for event in reversed(log) if isinstance(event, events.Failed)), None)


def resume_button(run: RunSpec, now: RunState) -> None:
    """Where it can go on."""
    if resumable(run, now):
        _control(_("Take it back") if now == "discarded" else _("Resume"), ":material/play_circle:", "live.resume", lambda: resume(state.workspace(), run))
