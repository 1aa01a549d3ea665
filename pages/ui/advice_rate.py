"""A learning rate from the data: the loss while the rate rises, and the value that the curve suggests."""
from __future__ import annotations

import math
from dataclasses import replace

import plotly.graph_objects as go
import streamlit as st

from core.models.catalog import on_this_machine
from core.models.rows import ModelRow
from core.training.advice.findings import RATES, Ask, RateCurve
from core.training.presets import fitted_at_once
from pages.ui import charts, state
from pages.ui.advice_watch import watched
from pages.ui.i18n import _

WIDTH = 440
"""Of what opens, in pixels."""


def section(row: ModelRow) -> None:
    """Look for the rate of the draft's plan and settings; nothing where there is none to look for. Folded: heavy work begins on a click."""
    draft, config, plan = state.draft(), state.draft().actual_config(), state.draft().actual_plan()
    if draft.data is None or draft.data.task != row.task or not on_this_machine(row) or config.method != "plain" or fitted_at_once(row, plan, config):
        return
    ask = Ask(draft.data, (row.key,), replace(config, preset="custom", learning_rate=1e-3, epochs=1, schedule="constant", patience=0), plan,
              pretrained=draft.pretrained)
    with st.popover(_("Find a learning rate"), icon=":material/speed:", key="train.find_rate"), st.container(width=WIDTH):
        st.caption(_("The rate rises step by step from next to nothing until the training breaks. The network is thrown away afterwards."))
        watched(ask, "rate", _draw, lambda _about: _("Raising the learning rate …"), start=_("Look for it"))


def rate_figure(found: RateCurve, theme: charts.Theme) -> go.Figure:
    """Smoothed loss against the learning rate on a logarithmic axis; what is suggested is marked."""
    look = charts.PALETTES[theme]
    figure = go.Figure(go.Scatter(x=[rate for rate, _loss in found.points], y=[loss for _rate, loss in found.points], mode="lines", showlegend=False,
                                  line={"color": look.learns, "width": 2.5}, hovertemplate="%{x:.2g}: %{y:.3g}<extra></extra>"))
    if found.suggested:
        figure.add_vline(found.suggested, line={"color": look.ink, "width": 1.5, "dash": "dot"})
        figure.add_annotation(x=math.log10(found.suggested), y=1, yref="paper", yanchor="bottom", showarrow=False, text=f"{found.suggested:.2g}",
                              font={"size": 13, "color": look.ink})  # notes on a logarithmic axis stand at its exponents
    charts.dress(figure, look, height=230)
    figure.update_layout(margin={"t": 24})
    figure.update_xaxes(type="log", range=[math.log10(rate) for rate in RATES], title=_("learning rate"), gridcolor=look.grid, zeroline=False,
                        fixedrange=True, dtick=1, exponentformat="power")
    top = found.points[0][1] * 1.5 if found.points else 1.0
    figure.update_yaxes(title=_("loss"), gridcolor=look.grid, zeroline=False, fixedrange=True, nticks=5,
                        range=[min([0.0, *(loss for _rate, loss in found.points)]), top])
    return figure


def _draw(found: RateCurve) -> None:
    if found.points:
        st.plotly_chart(rate_figure(found, st.context.theme.type or "light"), key="advice.rate.chart", config={"displayModeBar": False})
    if not found.whole:
        return
    if found.cut:
        st.caption(_("The time was up before the training broke. Give it more to see the whole curve."))
    if found.suggested is None:
        if not found.cut:
            st.markdown(_("The loss never falls clearly, so the curve suggests no value. Keep the preset's."))
        return
    st.markdown(_("The curve suggests {rate}: the loss begins to fall, well below where the training breaks.", rate=f"{found.suggested:.2g}"),
                help=_("At most a tenth of the rate with the lowest loss (Smith 2017, arXiv:1506.01186). Blocks with a share of the rate keep it."))
    draft = state.draft()
    if draft.actual_config().learning_rate == found.suggested:
        st.markdown(f":violet[:material/check_circle: **{_('chosen')}**]")
    elif st.button(_("Use {rate}", rate=f"{found.suggested:.2g}"), key="advice.rate.use", icon=":material/check:"):
        state.update(config=replace(draft.actual_config(), preset="custom", learning_rate=found.suggested), plan=draft.actual_plan(), preset="custom")
        state.bump("settings")
        st.rerun()
