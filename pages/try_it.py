"""Try it: a picture in, the labels' probabilities out."""
from __future__ import annotations

import streamlit as st

from core.data.intake.pictures import check_and_thumbnail
from core.errors import UserError
from core.jobs.predictor_client import client
from pages.ui import charts, recipe, state, try_panel
from pages.ui.errors import show_error
from pages.ui.i18n import _
from pages.ui.run_pages import ended_run

ws = state.workspace()
run, report = ended_run(_("Try it"))
bar = recipe.place()
client().warm()
halves = st.grid(2, min_column_width=380, gap="large")
left, right = halves.container(), halves.container()
with left:
    picture = try_panel.choose(run, state.read_version(run.data))
with right:
    if picture is None:
        st.caption(_("Choose a sample picture, or bring one of your own. Samples come from the pictures that the model never learned from."))
    else:
        try:
            answer = client().predict(ws.run(run.id) / "best", [picture.data])
        except UserError as error:
            show_error(error)
        else:
            st.image(check_and_thumbnail(picture.data).thumb_jpeg, width=260)  # as the model saw it: upright, of any format
            best = max(range(len(answer.labels)), key=lambda i: answer.probabilities[0][i])
            try_panel.verdict(answer.labels[best], answer.probabilities[0][best], picture.truth)
            st.plotly_chart(charts.probability_bars(answer.labels, answer.probabilities[0], st.context.theme.type or "light"), key="try.bars",
                            config={"displayModeBar": False})
recipe.fill_download(bar, run)
