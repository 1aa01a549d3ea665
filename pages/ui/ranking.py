"""Which model suits the data: how well each model's features tell the labels apart before anything is trained."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
import streamlit as st

from core.data.versions import Version
from core.models.catalog import known, on_this_machine
from core.models.rows import ModelRow
from core.objectives import objective
from core.specs import DataSpec, TrainConfig
from core.training.advice.findings import Ask, Fit, Ranking, Score
from core.training.advice.ranking import fit_of, ranked
from core.training.presets import PRESETS, preset_config, preset_plan
from pages.ui import charts, model_cards, predictions, scores, state
from pages.ui.advice_watch import Section, watched
from pages.ui.errors import show_error
from pages.ui.i18n import _
from pages.ui.text import duration, listed, md

MOST_ROWS = 12
TICKS_S = (0.2, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 4 * 3600, 24 * 3600)


@dataclass(frozen=True, slots=True)
class Point:
    """A model: what training it would take, in seconds, and how well its features fit."""
    title: str
    seconds: float
    score: Score
    chosen: bool = False


def _show(row: ModelRow, data: DataSpec, version: Version) -> None:
    rows = [one for one in model_cards.rows_for(version) if on_this_machine(one)]
    ask = Ask(data, tuple(one.key for one in rows), TrainConfig())
    fits = [fit for one in rows if (fit := fit_of(state.workspace(), data, one.key))]
    earlier = ranked(fits, 0, (), objective(version.objective).higher_is_better) if fits else None
    st.write(_("Each model on this machine looks at the same items; then a linear model learns your labels from what it saw and is asked about items "
               "that it has not seen. Nothing in the network is trained, so it takes seconds."))
    watched(ask, "rank", lambda found: _draw(found, row, version), lambda key: _("Looking through {model} …", model=_title(key)),
            known=earlier, start=_("Compare {n} models", n=len(rows)))


SECTION = Section("rank", "Which model suits my data?", ":material/leaderboard:", _show)


def _draw(found: Ranking, chosen: ModelRow, version: Version) -> None:
    rows = [(fit, one) for fit in found.fits if (one := known(fit.model, state.workspace()))]
    points = [Point(one.title, _seconds(one, version), fit.score, one.key == chosen.key) for fit, one in rows]
    if points:
        st.plotly_chart(fits_figure(points, _(objective(version.objective).metric_label), objective(version.objective).percent,
                                    st.context.theme.type or "light"), key="advice.rank.chart", config={"displayModeBar": False})
        st.caption(_("Lines are 95 % ranges. Models whose ranges overlap can't be told apart by so few items; then the evidence (LogME) decides."))
    for place, ((fit, one), point) in enumerate(zip(rows[:MOST_ROWS], points), 1):
        _line(place, fit, one, point, version)
    _left_out(found)
    with st.expander(_("How this was found"), key="advice.rank.how"):
        st.write(_("A sample of {n} items; five rounds of ridge regression on the features that enter the head, each judged on the fifth that was left "
                   "out. LogME is the log evidence, an item, that the features give to the labels under a linear model (You et al. 2021, "
                   "arXiv:2102.11005). The time is that of a training by the preset in use.", n=found.n or "–"))


def _line(place: int, fit: Fit, one: ModelRow, point: Point, version: Version) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"advice-rank-{place}"):
        st.markdown(f"**{place}. {md(one.title)}**  {scores.said(fit.score, version)} · {_('training {t}', t=duration(point.seconds))} · "
                    f"LogME {fit.logme:.2f}", width="stretch")
        if point.chosen:
            st.markdown(f":violet[:material/check_circle: **{_('chosen')}**]", width="content")
        elif st.button(_("Use this"), key=f"advice.rank.use.{one.key}"):
            state.choose_model(one.key)
            st.rerun()


def _left_out(found: Ranking) -> None:
    late = [_title(key) for key, fault in found.untried if fault is None]
    if late:
        st.caption(_("Not tried, for want of time: {models}. What has been looked at is kept: look again to go on.", models=md(listed(late))))
    for key, fault in found.untried:
        if fault:
            st.caption(f"**{md(_title(key))}**")
            show_error(fault.error())


def _title(key: str) -> str:
    row = known(key, state.workspace())
    return row.title if row else key


def _seconds(row: ModelRow, version: Version) -> float:
    preset = state.draft().preset
    preset = preset if preset in PRESETS else "instant"
    return predictions.expected(row, preset_plan(row, preset), preset_config(row, preset), version).total


def fits_figure(points: Sequence[Point], metric: str, in_percent: bool, theme: charts.Theme) -> go.Figure:
    """Score against seconds, a point a model with its 95 % range; the chosen one filled."""
    look = charts.PALETTES[theme]
    figure = go.Figure(go.Scatter(
        x=[max(point.seconds, 0.1) for point in points], y=[point.score.value for point in points], mode="markers+text",
        text=[charts.short(point.title) for point in points], textposition="middle right", textfont={"color": look.dim, "size": 12},
        error_y={"type": "data", "symmetric": False, "color": look.learns, "thickness": 1.5, "width": 5,
                 "array": [(_end(point.score.high, point) - point.score.value) for point in points],
                 "arrayminus": [(point.score.value - _end(point.score.low, point)) for point in points]},
        marker={"size": 11, "color": [look.learns if point.chosen else look.paper for point in points], "line": {"width": 2, "color": look.learns}},
        customdata=[duration(point.seconds) for point in points], cliponaxis=False, showlegend=False,
        hovertemplate=f"<b>%{{text}}</b><br>{charts.plain(metric)}: %{{y:{'.0%' if in_percent else '.3g'}}}<br>%{{customdata}}<extra></extra>"))
    charts.dress(figure, look, height=300)
    known_s = [max(point.seconds, 0.1) for point in points] or [1.0]
    start, end = math.log10(min(known_s) / 2), math.log10(max(known_s) * 5)  # names stand to the right of their points
    ticks = [s for s in TICKS_S if start <= math.log10(s) <= end]
    figure.update_xaxes(type="log", title=_("time of a training"), gridcolor=look.grid, zeroline=False, fixedrange=True, range=[start, end],
                        tickvals=ticks, ticktext=[duration(s) for s in ticks])
    figure.update_yaxes(title=charts.plain(metric), gridcolor=look.grid, zeroline=False, fixedrange=True, nticks=6,
                        **({"tickformat": ".0%"} if in_percent else {}))
    return figure


def _end(end: float | None, point: Point) -> float:
    return point.score.value if end is None else end
