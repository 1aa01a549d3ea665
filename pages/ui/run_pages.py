"""What the pages of one run share: find it, or say in place why there is nothing to show."""
from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.errors import NotFound
from core.evaluation.report import Report, read_report
from core.events import RunState
from core.jobs.life import ENDED, RESTING, state_of
from core.jobs.runs import FIRST_REPORT, bundle_of, list_runs, load_run
from core.specs import RunSpec
from pages.ui import state
from pages.ui.empty import empty
from pages.ui.i18n import _
from pages.ui.text import md


def ended_run(title: str, or_first: bool = False) -> tuple[RunSpec, Report]:
    """The run in the address (else the newest that has a result) and its report; stops the page when there is none. `or_first`: while it
    still learns, its first model's report does."""
    ws = state.workspace()
    key = state.run_id() or next((run.id for run in list_runs(ws, state.me()) if (ws.run(run.id) / "report.json").is_file()), None)
    if key is None:
        st.title(title, anchor=False)
        empty(_("Nothing has been trained yet. Try a sample set: it takes a minute."))
        if st.button(_("Choose data"), type="primary", icon=":material/arrow_forward:", key="run.start"):
            st.switch_page("start.py")
        st.stop()
    run = load_run(ws, key, state.me())
    state.look_at(run.id)
    st.query_params["run"] = run.id
    st.markdown(f"# {title}  :gray[{md(run.name)}]")
    folder = ws.run(run.id)
    if or_first and not (folder / "report.json").is_file() and (folder / FIRST_REPORT).is_file() and bundle_of(folder):
        return run, read_report(folder / FIRST_REPORT)
    if not (folder / "report.json").is_file():
        empty(_why_none(state_of(folder)))
        if st.button(_("Look at the run"), type="primary", icon=":material/show_chart:", key="run.watch"):
            st.switch_page("train.py", query_params={"run": run.id})
        st.stop()
    return run, read_report(folder / "report.json")


def _why_none(now: RunState) -> str:
    if now in RESTING:
        return _("This run has no result yet: it rests, and can be resumed.")
    return _("This run has no result: it failed or was discarded.") if now in ENDED else _("This run is still learning.")


def tried(run: RunSpec) -> Path:
    """The bundle that the run's page to try it asks. Raises `NotFound` where there is none (any more)."""
    bundle = bundle_of(state.workspace().run(run.id))
    if bundle is None:
        raise NotFound("There is nothing to try yet.", "The training has not come that far.", "Wait until it has ended.")
    return bundle
