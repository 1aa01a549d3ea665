"""Watching a run: its curves while it learns, and the ways to end it."""
from __future__ import annotations

import streamlit as st

from core import events
from core.jobs.runs import ENDED, load_run, state_of, steer
from core.objectives import objective
from core.specs import RunSpec
from pages.routes.tokens import mint
from pages.ui import recipe, run_cards, state
from pages.ui.components.live_curves import live_curves
from pages.ui.errors import show_error
from pages.ui.i18n import _
from pages.ui.text import md


def watch(run_id: str) -> None:
    ws, who = state.workspace(), state.me()
    run = load_run(ws, run_id, who)
    now = state_of(ws.run(run_id))
    state.look_at(run_id)
    head, stop, more = st.columns([5, 2, 1], vertical_alignment="center")
    head.markdown(f"# {md(run.name)}  {run_cards.badge(now)}")
    bar = recipe.place()
    row = objective(run.data.objective)
    ended = live_curves(f"graft/live/{run_id}?token={mint(ws, who, 'live', run=run_id)}", key=f"live.{run_id}", name=run.name,
                        score_label=_(row.metric_label), percent=row.percent, higher_is_better=row.higher_is_better)
    if now not in ENDED:
        _controls(run, stop, more)
        _wait_for_end(run_id)
        recipe.fill_run(bar, run, button=_("Results"), icon=":material/insights:")
        st.caption(_("You may close this page: the training goes on, and this address leads back to it."))
        return
    del ended
    if now in ("finished", "stopped") and state.get("watching") == run_id:
        state.take("watching")
        st.switch_page("try_it.py", query_params={"run": run_id})
    _aftermath(run, now, bar)


def _controls(run: RunSpec, stop, more) -> None:
    ws = state.workspace()
    state.put("watching", run.id)
    if stop.button(_("Stop and keep the best so far"), icon=":material/stop_circle:", key="live.keep"):
        steer(ws, run, "keep")
        st.toast(_("Stopping after this step …"))
    with more.popover("⋯", help=_("More")):
        if st.button(_("Discard this run"), icon=":material/delete:", key="live.discard"):
            steer(ws, run, "discard")
            st.toast(_("Discarding …"))


@st.fragment(run_every=0.5)
def _wait_for_end(run_id: str) -> None:
    """The socket tells the curves; this tells the page, also when the socket is blocked."""
    folder = state.workspace().run(run_id)
    now = state_of(folder)
    if now != state.get(f"seen.{run_id}"):
        first = state.get(f"seen.{run_id}") is None
        state.put(f"seen.{run_id}", now)
        if not first or now in ENDED:
            st.rerun()


def _aftermath(run: RunSpec, now, bar) -> None:
    ws = state.workspace()
    if now in ("finished", "stopped"):
        recipe.fill_run(bar, run, button=_("Results"), icon=":material/insights:",
                        on_click=lambda: st.switch_page("results.py", query_params={"run": run.id}))
        return
    if now == "failed":
        failure = next((e for e in reversed(events.read(ws.run(run.id) / "events.jsonl")) if isinstance(e, events.Failed)), None)
        if failure:
            st.info(_("Your data is safe."), icon=":material/verified_user:")
            show_error(_as_error(failure))
            if failure.detail:
                with st.expander(_("Log")):
                    st.code(failure.detail, language=None)
    elif now == "interrupted":
        st.warning(_("The training was interrupted: its process ended without a word. Your data is safe; run it again."), icon=":material/bolt:")
    else:
        st.info(_("This run was discarded."), icon=":material/delete:")

    def again() -> None:
        state.update(data=run.data, model=run.model.key, plan=run.plan, config=run.config, preset=run.config.preset)
        state.bump("settings")
        st.switch_page("train.py")
    recipe.fill_run(bar, run, button=_("Run it again"), icon=":material/replay:", on_click=again)


def _as_error(failure: events.Failed):
    from core.errors import UserError
    return UserError(failure.title, failure.cause, failure.fix, **failure.params)
