"""How much should train: short trainings on a sample of the data, watched, drawn and taken over with a click."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import plotly.graph_objects as go
import streamlit as st

from core.data.versions import Version
from core.errors import UserError
from core.models.rows import ModelRow
from core.objectives import objective
from core.specs import DataSpec
from core.training.advice.choices import settings
from core.training.advice.findings import Ask, FreezeAdvice, Trial, taken
from core.training.presets import plan_for
from pages.ui import charts, state
from pages.ui.advice_watch import Section, watched
from pages.ui.errors import show_error
from pages.ui.i18n import _
from pages.ui.scores import said
from pages.ui.text import about, duration, listed

DASHES = ("solid", "dash", "dot", "dashdot")
MUCH_CHEAPER = 0.7
"""Of the time; what takes more is not called quicker."""


def _show(row: ModelRow, data: DataSpec, version: Version) -> None:
    st.write(_("Your model is trained for a moment in each of these ways: only the head, the last stage, thin adapters (LoRA), everything. All learn "
               "from the same sample and are asked about the same other items."))
    draft = state.draft()
    config = draft.actual_config()
    asked = replace(taken(config), lora_rank=config.lora_rank, lora_alpha=config.lora_alpha)
    plan = replace(plan_for(row, "head"), head=draft.actual_plan().head)
    watched(Ask(data, (row.key,), asked, plan, pretrained=draft.pretrained), "freeze", lambda found: _draw(found, row, version),
            lambda kind: _("Training a moment: {what}", what=name(kind)) if kind else _("Getting ready …"), start=_("Try it on a sample"))


SECTION = Section("freeze", "How much should train?", ":material/speed:", _show)


def name(kind: str) -> str:
    return {"head": _("Head only"), "last-stage": _("Last stage"), "lora": _("Adapters (LoRA)"), "all": _("Everything")}.get(kind, kind)


def recommended(found: FreezeAdvice, version: Version) -> str:
    """What the scores mean, in a sentence; empty while there is no recommendation."""
    higher = objective(version.objective).higher_is_better
    scored = [(trial, trial.score) for trial in found.trials if trial.score]
    best = next(((trial, score) for trial, score in scored if trial.kind == found.best), None)
    if best is None:
        return ""
    top, top_score = max(scored, key=lambda pair: pair[1].value if higher else -pair[1].value)
    trial, score = best
    words = {"top": name(top.kind), "best": name(trial.kind), "top_score": said(top_score, version), "score": said(score, version)}
    if len(scored) == 1:
        return _("{best} reaches {score}. Nothing else has been tried to its end.", **words)
    if top.kind == trial.kind and trial is scored[0][0]:
        return _("{best} reaches {score}, and nothing else that was tried does better.", **words)
    if top.kind == trial.kind:
        return _("{best} reaches {score}: better than what is cheaper, by more than luck.", **words)
    if trial.points[-1][0] <= MUCH_CHEAPER * top.points[-1][0]:
        return _("{top} reaches {top_score}, {best} {score} in {t} instead of {top_t}: the difference could be luck. {best} is enough.", **words,
                 t=duration(trial.points[-1][0]), top_t=duration(top.points[-1][0]))
    return _("{top} reaches {top_score}, {best} {score}: the difference could be luck. {best} is enough.", **words)


def trials_figure(trials: Sequence[Trial], metric: str, in_percent: bool, best: str, theme: charts.Theme) -> go.Figure:
    """Score against seconds of training, a line a choice; the last point with its 95 % range, the recommended one in full colour."""
    look, figure = charts.PALETTES[theme], go.Figure()
    for i, trial in enumerate(trials):
        colour, last = look.learns if trial.kind == best else look.dim, trial.score
        ends = [None] * (len(trial.points) - 1)
        value = last.value if last else trial.points[-1][1]
        low, high = (value if end is None else end for end in ((last.low, last.high) if last else (None, None)))
        figure.add_scatter(
            x=[seconds for seconds, _score in trial.points], y=[*(score for _seconds, score in trial.points[:-1]), value], name=name(trial.kind),
            mode="lines+markers", line={"color": colour, "width": 3 if trial.kind == best else 2, "dash": DASHES[i % len(DASHES)]},
            marker={"size": [4] * len(ends) + [10], "color": colour, "opacity": 1},
            error_y={"type": "data", "symmetric": False, "array": [*ends, high - value], "arrayminus": [*ends, value - low], "color": colour,
                     "thickness": 1.5, "width": 5},
            hovertemplate=f"<b>{charts.plain(name(trial.kind))}</b><br>%{{y:{'.0%' if in_percent else '.3g'}}}<br>%{{x:.1f}} s<extra></extra>")
    charts.dress(figure, look, height=320)
    figure.update_layout(legend=charts.LEGEND, showlegend=True)
    figure.update_xaxes(title=_("seconds of training on the sample"), gridcolor=look.grid, zeroline=False, fixedrange=True, rangemode="tozero")
    figure.update_yaxes(title=charts.plain(metric), gridcolor=look.grid, zeroline=False, fixedrange=True, nticks=6,
                        **({"tickformat": ".0%"} if in_percent else {}))
    return figure


def _draw(found: FreezeAdvice, row: ModelRow, version: Version) -> None:
    if found.trials:
        asked = objective(version.objective)
        st.plotly_chart(trials_figure(found.trials, _(asked.metric_label), asked.percent, found.best, st.context.theme.type or "light"),
                        key="advice.freeze.chart", config={"displayModeBar": False})
    if found.whole and (words := recommended(found, version)):
        st.markdown(words)
    for trial in found.trials:
        _line(trial, found, row, version)
    if found.late:
        late = (_("{what} – {t}", what=name(kind), t=about(seconds)) for kind, seconds in found.late)
        st.caption(_("Not tried, for want of time: {what}. Give it more time and look again.", what=listed(late)))
    for kind, fault in found.failed:
        st.caption(f"**{name(kind)}**")
        show_error(UserError(fault.title, fault.cause, fault.fix, **fault.params))
    if found.whole:
        st.caption(_("Learned from {n} items, asked about {m} others; lines at the ends are 95 % ranges. Choices are compared by their answers to the "
                     "same items (randomisation test). A whole training gets further, most of all where much may change.",
                     n=found.n_train, m=found.n_held))


def _line(trial: Trial, found: FreezeAdvice, row: ModelRow, version: Version) -> None:
    if trial.score is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"advice-freeze-{trial.kind}"):
        text = f"**{name(trial.kind)}**  {said(trial.score, version)} · {duration(trial.points[-1][0])}"
        st.markdown(text + (" · " + _("ended early, for want of time") if trial.cut else ""), width="stretch")
        if found.whole and trial.kind == found.best:
            st.markdown(f":violet[:material/check_circle: **{_('enough')}**]", width="content")
        if found.whole and st.button(_("Use this"), key=f"advice.freeze.use.{trial.kind}"):
            given = state.draft().actual_config()
            state.update(plan=trial.plan, preset="custom", config=settings(row, trial.kind, given))  # type: ignore[arg-type]
            state.bump("plan")
            state.bump("settings")
            st.rerun()
