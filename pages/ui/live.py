"""Watching a run: its curves while it learns, and the ways to end it."""
from __future__ import annotations

import time

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core import events
from core.errors import UserError
from core.jobs.runs import ENDED, RunState, load_run, state_of, steer
from core.models.catalog import find
from core.objectives import objective
from core.specs import RunSpec
from core.training.estimate import epoch_costs
from core.training.presets import fitted_at_once
from pages.routes.live import live_url
from pages.ui import first_model, predictions, recipe, run_cards, state
from pages.ui.components.live_curves import RunStatus, fit_texts, live_curves
from pages.ui.errors import show_error
from pages.ui.i18n import _, language
from pages.ui.text import md

STATUS: dict[RunState, RunStatus] = {"queued": "queued", "preparing": "running", "running": "running", "interrupted": "interrupted"}
LEAD_AGAIN_S = 3.0


def watch(run_id: str) -> None:
    """The page of a run in the address. Whoever watches it end is led to Try it, once."""
    ws, who = state.workspace(), state.me()
    run = load_run(ws, run_id, who)
    now = state_of(ws.run(run_id))
    state.look_at(run_id)
    if now in ("finished", "stopped") and _leads_on(run_id):
        st.switch_page("try_it.py", query_params={"run": run_id})
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"# {md(run.name)}  {run_cards.badge(now)}", width="content")
        st.space("stretch")
        if now not in ENDED:
            _controls(run)
    bar = recipe.place()
    row, at_once = objective(run.data.objective), fitted_at_once(find(run.model.key, ws), run.plan, run.config)
    live_curves(live_url(ws, who, run_id, language()), key=f"live.{run_id}", text=fit_texts() if at_once else None, state={
        "name": run.name, "score": _scored(run), "percent": row.percent, "interval": row.interval, "status": STATUS.get(now, "ended"),
        "patience": 0 if at_once else run.config.patience, "costs": _costs(run)})
    if now in ENDED:
        _aftermath(run, now, bar)
        return
    state.put("watching", run_id)
    first = first_model.ready(run)
    if first:
        first_model.offer(run)
    _wait_for_end(run, now, first)
    recipe.fill_run(bar, run, button=_("Results"), icon=":material/insights:")
    st.caption(_("You may close this page: the training goes on, and this address leads back to it."))


def _scored(run: RunSpec) -> str:
    """What the score is called, with the unit that numbers have."""
    label, unit = _(objective(run.data.objective).metric_label), state.read_version(run.data).unit
    return f"{label} ({unit})" if unit else label


def _costs(run: RunSpec) -> list[float]:
    version = state.read_version(run.data)
    row = find(run.model.key, state.workspace())
    costs = predictions.costs(row, run.plan, run.config, run.data)
    return epoch_costs(costs, run.plan, run.config, len(version.split("train")), len(version.split("val")),
                       fitted_at_once(row, run.plan, run.config))


def _leads_on(run_id: str) -> bool:
    """Whether to lead on to Try it: once, when this session has watched the run end. Several things tell the page of the end, and one
    that comes a moment later interrupts the way there: then once more."""
    led, at = state.get("led", ("", 0.0))
    if state.take("watching") == run_id:
        state.put("led", (run_id, time.monotonic()))
        return True
    return led == run_id and time.monotonic() - at < LEAD_AGAIN_S


def _controls(run: RunSpec) -> None:
    ws = state.workspace()
    if st.button(_("Stop and keep the best so far"), icon=":material/stop_circle:", key="live.keep"):
        steer(ws, run, "keep")
        st.toast(_("Stopping after the current step …"))
    with st.popover("⋯", help=_("More")):
        if st.button(_("Discard this run"), icon=":material/delete:", key="live.discard"):
            steer(ws, run, "discard")
            st.toast(_("Discarding …"))


@st.fragment(run_every=0.5)
def _wait_for_end(run: RunSpec, shown: RunState, first: bool) -> None:
    """The socket tells the curves; this tells the page, also when a proxy blocks the socket."""
    if state_of(state.workspace().run(run.id)) != shown or first_model.ready(run) != first:
        st.rerun()


def _aftermath(run: RunSpec, now: RunState, bar: DeltaGenerator) -> None:
    """What an ended run leaves to do: look at its results, or understand why there are none and run it again."""
    if now in ("finished", "stopped"):
        predictions.outcome(run)
        recipe.fill_run(bar, run, button=_("Results"), icon=":material/insights:",
                        on_click=lambda: st.switch_page("results.py", query_params={"run": run.id}))
        return
    if now == "failed":
        _why(run)
    elif now == "interrupted":
        st.warning(_("The training was interrupted: its process ended without giving a reason. Your data is safe; run it again."), icon=":material/bolt:")
    else:
        st.info(_("This run was discarded."), icon=":material/delete:")
    recipe.fill_run(bar, run, button=_("Run it again"), icon=":material/replay:", on_click=lambda: _again(run))


def _why(run: RunSpec) -> None:
    log = events.read(state.workspace().run(run.id) / "events.jsonl")
    failure = next((event for event in reversed(log) if isinstance(event, events.Failed)), None)
    if failure is None:
        return
    st.caption(f":material/verified_user: {_('Your data is safe.')}")
    show_error(UserError(failure.title, failure.cause, failure.fix, **failure.params))
    if failure.detail:
        with st.expander(_("Log")):
            st.code(failure.detail, language=None)


def _again(run: RunSpec) -> None:
    """Prepare the same run anew, with all its settings."""
    state.update(data=run.data, model=run.model.key, pretrained=run.model.pretrained, plan=run.plan, config=run.config, preset=run.config.preset)
    state.bump("settings")
    st.switch_page("train.py")
