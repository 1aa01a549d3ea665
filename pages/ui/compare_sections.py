"""What the page that compares runs shows: the runs as a table, their curves, and the settings that differ."""
from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from core import events
from core.evaluation.compare import differences
from core.evaluation.report import Report, read_report
from core.events import RunState
from core.jobs.life import state_of
from core.objectives import objective
from core.specs import RunSpec
from pages.ui import charts, compare_chart, recipe, run_cards, scores, setting_words, state
from pages.ui.i18n import _
from pages.ui.text import duration, listed, md

PLAIN = {"displayModeBar": False}


@dataclass(frozen=True, slots=True)
class Log:
    """What the log of a run says. `seconds`: of its training, None until it has ended; `best`: the epoch that was kept."""
    epochs: tuple[events.EpochEnd, ...]
    seconds: float | None
    best: int | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A run among those that are compared. `place`: of its colour and mark."""
    run: RunSpec
    place: int
    state: RunState
    report: Report | None
    log: Log


def entry(run: RunSpec, place: int) -> Entry:
    """Raises `SettingsError` where a file of the run is damaged, `ValueError` where its log is."""
    folder = state.workspace().run(run.id)
    report, log = folder / "report.json", folder / "events.jsonl"
    return Entry(run, place, state_of(folder), _report(str(report), report.stat().st_mtime_ns) if report.is_file() else None,
                 _log(str(log), log.stat().st_size if log.is_file() else 0))


@st.cache_resource(max_entries=50, show_spinner=False)
def _report(path: str, written_ns: int) -> Report:
    return read_report(Path(path))


@st.cache_data(max_entries=200, show_spinner=False)
def _log(path: str, size_bytes: int) -> Log:
    """Of a log as long as this."""
    found = events.read(Path(path))
    done = next((event for event in reversed(found) if isinstance(event, events.Done)), None)
    return Log(tuple(event for event in found if isinstance(event, events.EpochEnd)), done and done.seconds, done and done.best_epoch)


def table(entries: Sequence[Entry]) -> None:
    """The runs, each with the mark of its curve; a name leads to the run."""
    rows = []
    for one in entries:
        run, report = one.run, one.report
        name = f'<a href="{"results" if report else "train"}?run={run.id}" target="_self">{html.escape(run.name)}</a>'
        several = len({other.run.data.version for other in entries if other.run.data.dataset == run.data.dataset}) > 1
        texts = (scores.score_with_range(report) if report else run_cards.state_text(one.state),
                 "–" if one.log.seconds is None else duration(one.log.seconds), recipe.trained_text(run.model.key, run.plan),
                 recipe.model_text(run.model), setting_words.data_text(run, whole=several))
        score, took = (f'<span class="whole">{html.escape(text)}</span>' for text in texts[:2])
        rows.append([_marked(one, name), score, took, *map(html.escape, texts[2:])])
    _table((_("Run"), _("Score (95 % range)"), _("Time taken"), _("Trains"), _("Model"), _("Data")), rows)


def curves(entries: Sequence[Entry]) -> None:
    """One chart for each kind of question: scores of different kinds share no axis."""
    drawn = [one for one in entries if one.log.epochs]
    if not drawn:
        return
    st.subheader(_("Curves"), anchor=False)
    with st.container(horizontal=True, vertical_alignment="center"):
        names = {"score": _("score"), "loss": _("loss")}
        what = st.segmented_control(_("Curve"), list(names), default="score", format_func=names.get, required=True, key="compare.what",
                                    label_visibility="collapsed")
        training = st.toggle(_("Training items too"), key="compare.training",
                             help=_("Dotted. The farther they are from validation, the more is learned by heart."))
    st.html(f'<div class="graft-legend">{"".join(_marked(one, _short(one.run)) for one in drawn)}</div>')
    for asked in dict.fromkeys(one.run.data.objective for one in drawn):
        row = objective(asked)
        some = [_line(one, what == "loss") for one in drawn if one.run.data.objective == asked]
        figure = compare_chart.curves_figure(some, _("loss") if what == "loss" else _(row.metric_label), row.percent and what == "score",
                                             training, theme())
        st.plotly_chart(figure, key=f"compare.curves.{asked}", config=PLAIN)
    text, fits = _("Validation after each epoch; a ring marks the one that was kept."), [one.run for one in drawn if run_cards.fits(one.run)]
    if fits:
        text += " " + _("Of {names}, each point is a fit of the head to all items at once.", names=listed(md(run.name) for run in fits))
    st.caption(text)


def _line(one: Entry, loss: bool) -> compare_chart.Line:
    ends = one.log.epochs
    return compare_chart.Line(
        one.run.name, one.place, [end.epoch for end in ends], [end.val_loss if loss else end.val_score for end in ends],
        [end.train_loss if loss else end.train_score for end in ends], one.log.best)


def settings(entries: Sequence[Entry]) -> None:
    """Those that differ, and no others."""
    st.subheader(_("Settings that differ"), anchor=False)
    runs = [one.run for one in entries]
    rows = setting_words.worded(differences(runs, [run_cards.fits(run) for run in runs]), runs)
    if not rows:
        st.caption(_("None: these runs have the same settings."))
        return
    _table(("", *(_marked(one, _short(one.run)) for one in entries)),
           [[html.escape(label), *map(html.escape, texts)] for label, texts in rows])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Cells are HTML. The first of each row is its title."""
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(f'<tr><th scope="row">{title}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>' for title, *cells in rows)
    inside = f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    st.html(f'<div class="graft-compare" style="--graft-paper: {charts.PALETTES[theme()].paper}">{inside}</div>')


def _marked(one: Entry, name: str) -> str:
    """`name`: HTML."""
    return f'<span class="graft-run"><img alt="" src="{compare_chart.swatch(one.place, theme())}">{name}</span>'


def _short(run: RunSpec) -> str:
    """Its name as HTML, the whole of it under the pointer."""
    return f'<span title="{html.escape(run.name)}">{charts.short(run.name)}</span>'


def theme() -> charts.Theme:
    return st.context.theme.type or "light"
