"""Runs: everything that was trained here."""
from __future__ import annotations

import pandas as pd
import streamlit as st

from core.jobs.runs import list_runs
from core.objectives import objective
from pages.ui import recipe, run_cards, scores, state
from pages.ui.empty import empty
from pages.ui.i18n import _

ws = state.workspace()
st.title(_("Runs"), anchor=False)
runs = list_runs(ws, state.me())
if not runs:
    empty(_("No runs yet. Every training you start is kept here."))
    if st.button(_("Choose data"), type="primary", icon=":material/arrow_forward:", key="runs.start"):
        st.switch_page("start.py")
else:
    rows, fractions = [], all(objective(run.data.objective).percent for run in runs)
    for run in runs:
        glance = run_cards.summary(ws.run(run.id))
        report = glance.report
        rows.append({_("Run"): run.name, _("State"): run_cards.state_text(glance.state), _("Curve"): list(glance.curve),
                     _("Score"): scores.score_with_range(report) if report else "–",
                     _("Model"): recipe.model_text(run.model),
                     _("Trains"): recipe.trained_text(run.model.key, run.plan),
                     _("Started"): pd.Timestamp(run.created, unit="s", tz="UTC").tz_convert(st.context.timezone or "UTC").tz_localize(None)})
    event = st.dataframe(pd.DataFrame(rows), hide_index=True, on_select="rerun", selection_mode="single-row", key="runs.table", column_config={
        _("State"): st.column_config.TextColumn(width=92),
        _("Curve"): st.column_config.LineChartColumn(width=90, y_min=0.0 if fractions else None, y_max=1.0 if fractions else None, color="primary",
                                                       help=_("Validation score after each epoch")),
        _("Score"): st.column_config.TextColumn(width=118, help=_("Score (95 % range)")),
        _("Started"): st.column_config.DatetimeColumn(width=130, format="YYYY-MM-DD HH:mm")})
    st.caption(_("Tick a run to open it."))
    if event.selection.rows:
        run = runs[event.selection.rows[0]]
        state.look_at(run.id)
        ended = run_cards.summary(ws.run(run.id)).report is not None
        st.switch_page("results.py" if ended else "train.py", query_params={"run": run.id})
