"""Try it: a picture or a text in, an answer out."""
from __future__ import annotations

import streamlit as st

from core.jobs.predictor_client import client
from pages.ui import first_model, recipe, state, try_pictures, try_texts
from pages.ui.i18n import _
from pages.ui.run_pages import ended_run

PANELS = {"image": try_pictures.panel, "text": try_texts.panel}
"""By task."""

run, report = ended_run(_("Try it"), or_first=True)
bar = recipe.place()
client().warm()
first_model.here(run)
PANELS[run.data.task](run, report)
if (state.workspace().run(run.id) / "bundle.zip").is_file():
    recipe.fill_download(bar, run)
else:
    recipe.fill_run(bar, run, button=_("Watch the training"), icon=":material/show_chart:",
                    on_click=lambda: st.switch_page("train.py", query_params={"run": run.id}))
