"""What the pages of one run share: find it, or say in place why there is nothing to show."""
from __future__ import annotations

import streamlit as st

from core.evaluation.report import Report, read_report
from core.jobs.runs import list_runs, load_run, state_of
from core.specs import RunSpec
from pages.ui import state
from pages.ui.empty import empty
from pages.ui.i18n import _
from pages.ui.text import md


def ended_run(title: str) -> tuple[RunSpec, Report]:
    """The run in the address (else the newest that has a result) and its report; stops the page when there is none."""
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
    if not (ws.run(run.id) / "report.json").is_file():
        ended = state_of(ws.run(run.id)) in ("failed", "discarded", "interrupted")
        empty(_("This run has no result: it failed, was interrupted or was discarded.") if ended else _("This run is still learning."))
        if st.button(_("Look at the run"), type="primary", icon=":material/show_chart:", key="run.watch"):
            st.switch_page("train.py", query_params={"run": run.id})
        st.stop()
    return run, read_report(ws.run(run.id) / "report.json")
