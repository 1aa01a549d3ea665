"""Watching a run: its curves while it learns, and the ways to steer it."""
from __future__ import annotations

import time
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core import events
from core.errors import UserError
from core.events import RunState
from core.jobs.life import ENDED, LIVING, RESTING, Exit, exit_of, state_of
from core.jobs.queue import turns
from core.jobs.runs import has_state, resume, watch_run
from core.jobs.supervisor import resumes
from core.objectives import objective
from core.owners import display_name
from core.specs import RunSpec
from core.training.estimate import epoch_costs
from pages.routes.live import live_url
from pages.ui import first_model, narrator, predictions, recipe, remedies, run_cards, run_controls, run_menu, state
from pages.ui.components.live_curves import RunStatus, fit_texts, live_curves
from pages.ui.errors import acting, show_error
from pages.ui.i18n import _, language
from pages.ui.text import about, md

STATUS: dict[RunState, RunStatus] = {"queued": "queued", "preparing": "running", "running": "running", "paused": "paused", "interrupted": "interrupted"}
LEAD_AGAIN_S = 3.0
LOG_LINES = 40
Seen = tuple[RunState, Exit | None, bool]
"""What a run is, how it was left, and whether its first model is there to be tried."""

def watch(run_id: str) -> None:
    """The page of a run in the address. Its owner who watches it end is led to Try it, once; others may look."""
    ws, who = state.workspace(), state.me()
    run = watch_run(ws, run_id)
    shown = _seen(run)
    mine, now = run.owner == who, shown[0]
    if mine:
        state.look_at(run_id)
    if mine and now in ("finished", "stopped") and _leads_on(run_id):
        st.switch_page("try_it.py", query_params={"run": run_id})
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"# {md(run.name)}  {run_cards.badge(now)}", width="content")
        st.space("stretch")
        if mine:
            run_controls.controls(run, now)
        else:
            st.markdown(f":gray-badge[:material/lock: {_('{owner}: you can look', owner=md(display_name(ws, run.owner)))}]", width="content")
    bar = recipe.place()
    row, at_once = objective(run.data.objective), run_cards.fits(run)
    _standing(run, now)
    live_curves(live_url(ws, who, run_id, language()), key=f"live.{run_id}", text=fit_texts() if at_once else None, state={
        "name": run.name, "score": _scored(run), "percent": row.percent, "interval": row.interval, "status": STATUS.get(now, "ended"), "state": now,
        "patience": 0 if at_once else run.config.patience, "costs": _costs(run)})
    narrator.show(run, ended=now in ENDED)
    if mine:
        remedies.short_memory(run, events.follow(ws.run(run_id) / "events.jsonl"))
    first = first_model.ready(run)
    if mine and first and now not in ENDED:
        first_model.offer(run, now in LIVING or now == "queued")
    if now in ENDED:
        _why(run, now)
    else:
        state.put("watching", run_id)
    if now in LIVING or now == "queued":
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(_("You may close this page: the training goes on, and this address leads back to it."), width="content")
            if mine and st.button(_("Prepare another run"), icon=":material/add:", type="tertiary", key="another"):
                st.query_params.clear()
                st.rerun()
    _wait_for_change(run, shown)
    _lead(run, now, bar, mine)


def _scored(run: RunSpec) -> str:
    """What the score is called, with the unit that numbers have."""
    label, unit = _(objective(run.data.objective).metric_label), state.read_version(run.data).unit
    return f"{label} ({unit})" if unit else label


def _costs(run: RunSpec) -> list[float]:
    """What each epoch is expected to take; nothing where the model is gone."""
    row = run_cards.row_of(run)
    if row is None:
        return []
    version = state.read_version(run.data)
    costs = predictions.costs(row, run.plan, run.config, run.data)
    return epoch_costs(costs, run.plan, run.config, len(version.split("train")), len(version.split("val")), run_cards.fits(run))


def _leads_on(run_id: str) -> bool:
    """Whether to lead on to Try it: once, when this session has watched the run end. Several things tell the page of the end, and one
    that comes a moment later interrupts the way there: then once more."""
    led, at = state.get("led", ("", 0.0))
    if state.take("watching") == run_id:
        state.put("led", (run_id, time.monotonic()))
        return True
    return led == run_id and time.monotonic() - at < LEAD_AGAIN_S


def _standing(run: RunSpec, now: RunState) -> None:
    """Why it does not learn just now, and what is safe."""
    folder = state.workspace().run(run.id)
    if now == "queued":
        _turn(run)
    elif now in RESTING:
        end = exit_of(folder)
        why = _(end.why).format(**end.params) if end and end.why else ""
        said = why or _("Paused. The machine is free for other runs.")
        if now == "interrupted":
            said = _("Interrupted: {why}", why=why) if why else _("Interrupted: its process has ended.")
        goes_on = now == "interrupted" and resumes(state.workspace(), folder)
        safe = _("It goes on by itself in a moment.") if goes_on else _saved(folder)
        (st.info if now == "paused" and not why else st.warning)(f"{said} {safe}", icon=":material/pause_circle:" if now == "paused" else ":material/bolt:")
        if now == "interrupted":
            _log(folder)


def _log(folder: Path) -> None:
    """What its process wrote down last."""
    path = folder / "worker.log"
    lines = path.read_text("utf-8", errors="replace").splitlines()[-LOG_LINES:] if path.is_file() else []
    if lines:
        with st.expander(_("Log")):
            st.code("\n".join(lines), language=None)


def _saved(folder: Path) -> str:
    log = events.follow(folder / "events.jsonl")
    saved = next((event for event in reversed(log) if isinstance(event, events.Saved)), None)
    if saved is None:
        return _("Nothing is lost.") if has_state(folder) else _("Your data is safe; the training begins anew when it is resumed.")
    return _("Nothing is lost: it is saved at epoch {e}, step {s}, and goes on from there.", e=saved.epoch + 1, s=saved.step)


@st.fragment(run_every=2.0)
def _turn(run: RunSpec) -> None:
    """Its place in the queue."""
    turn = turns(state.workspace()).get(run.id)
    if turn is None:
        return
    when = _("it begins in a moment") if turn.wait_s < 2 else _("it begins in {t}", t=about(turn.wait_s))
    st.info(_("{n} before you; {when}.", n=turn.ahead, when=when) if turn.ahead else _("Next in the queue; {when}.", when=when), icon=":material/schedule:")


def _wait_for_change(run: RunSpec, shown: Seen) -> None:
    """The socket tells at once; this tells also when a proxy blocks the socket, when an ended run is resumed from another browser, and when it
    is found out why one was interrupted."""
    def look() -> None:
        if _seen(run) != shown:
            st.rerun()
    st.fragment(look, run_every=1.0 if shown[0] == "interrupted" else 3.0)()


def _seen(run: RunSpec) -> Seen:
    """What the page depends on."""
    folder = state.workspace().run(run.id)
    return state_of(folder), exit_of(folder), first_model.ready(run)


def _lead(run: RunSpec, now: RunState, bar: DeltaGenerator, mine: bool) -> None:
    """The one button that leads on: to the results, to going on, or to another try."""
    if not mine:
        recipe.fill_run(bar, run, button=_("Runs"), icon=":material/list:", on_click=lambda: st.switch_page("runs.py"))
    elif now in ("finished", "stopped"):
        predictions.outcome(run)
        recipe.fill_run(bar, run, button=_("Results"), icon=":material/insights:",
                        on_click=lambda: st.switch_page("results.py", query_params={"run": run.id}))
    elif run_controls.resumable(run, now):
        recipe.fill_run(bar, run, button=_("Take it back") if now == "discarded" else _("Resume"), icon=":material/play_circle:", on_click=lambda: _resume(run))
    elif now == "failed":
        recipe.fill_run(bar, run, button=_("Run it again"), icon=":material/replay:", on_click=lambda: run_menu.prepare_again(run))
    else:
        recipe.fill_run(bar, run, button=_("Results"), icon=":material/insights:")


def _resume(run: RunSpec) -> None:
    with acting():
        resume(state.workspace(), run)
        state.put("watching", run.id)
    st.rerun()


def _why(run: RunSpec, now: RunState) -> None:
    """Why there is no result."""
    if now == "discarded":
        st.info(_("This run was discarded. It can be taken back for 7 days."), icon=":material/delete:")
    failed = run_controls.failure(run) if now == "failed" else None
    if failed is None:
        return
    st.caption(f":material/verified_user: {_('Your data is safe.')}")
    show_error(UserError(failed.title, failed.cause, failed.fix, **failed.params))
    remedies.offer(run, failed)
    if failed.detail:
        with st.expander(_("Log")):
            st.code(failed.detail, language=None)
