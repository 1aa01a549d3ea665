"""The reader's runs as rows: what is known of each, which of them are wanted, in which order, and the table of them."""
from __future__ import annotations

import time
import unicodedata
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd
import streamlit as st

from core.data.versions import load_dataset
from core.errors import UserError
from core.events import RunState
from core.jobs.about import About, about, say
from core.jobs.glance import Glance
from core.objectives import objective
from core.specs import DataSpec, RunSpec
from pages.ui import recipe, run_cards, scores, state
from pages.ui.i18n import _
from pages.ui.text import duration

Order = Literal["new", "score", "time"]
COLOURS: dict[str, str] = {"finished": "green", "stopped": "green", "failed": "red", "interrupted": "orange", "paused": "orange",
                           "running": "violet", "preparing": "blue", "queued": "gray", "discarded": "gray", "draft": "gray"}
MOST_ROWS, ROW_PX = 14, 35
"""More of them scroll inside the table."""


@dataclass(frozen=True, slots=True)
class Row:
    """A run in the list. `model`, `trains`, `data` and `data_text`: in the reader's words, plain text; the last says which version, too."""
    run: RunSpec
    said: About
    seen: Glance
    model: str
    trains: str
    data: str
    data_text: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """`words`: all of them stand in what is said of a run. `states`: one of these, where any is given. `data`: a dataset's id."""
    words: str = ""
    states: tuple[RunState, ...] = ()
    starred: bool = False
    data: str = ""
    tag: str = ""


def rows(runs: Sequence[RunSpec]) -> list[Row]:
    """Those that can be read."""
    ws, data = state.workspace(), {spec: _data(spec) for spec in {run.data for run in runs}}
    return [Row(run, about(ws.run(run.id)), seen, recipe.model_text(run.model), recipe.trained_text(run.model.key, run.plan), *data[run.data])
            for run, seen in run_cards.readable(runs)]


def _data(spec: DataSpec) -> tuple[str, str]:
    """“flowers”, and where the data was changed since it came, the same with the number of its version."""
    try:
        dataset = load_dataset(state.workspace(), spec.dataset, state.me())
    except UserError:  # deleted, or damaged: the run stays
        return "–", "–"
    if len(dataset.versions) == 1 or spec.version not in dataset.versions:
        return dataset.name, dataset.name
    return dataset.name, _("{data}, version {n}", data=dataset.name, n=dataset.versions.index(spec.version) + 1)


def chosen(all_rows: Sequence[Row], wanted: Wanted) -> list[Row]:
    words = wanted.words.casefold().split()
    return [row for row in all_rows
            if (not wanted.states or row.seen.state in wanted.states) and (not wanted.starred or row.said.star)
            and wanted.data in ("", row.run.data.dataset) and (not wanted.tag or wanted.tag in row.said.tags)
            and all(word in _said(row) for word in words)]


def _said(row: Row) -> str:
    return "\n".join((row.run.name, row.said.note, row.model, row.run.model.key, row.trains, row.data, *row.said.tags)).casefold()


def ordered(found: Sequence[Row], by: Order, now: float) -> list[Row]:
    """Equal ones stay in the order in which they were. By score, questions of different kinds stand apart; what has none comes last."""
    if by == "score":
        kinds = list(dict.fromkeys(row.run.data.objective for row in found))
        return sorted(found, key=lambda row: _place(row, kinds))
    if by == "time":
        return sorted(found, key=lambda row: row.seen.seconds(now) or float("inf"))
    return sorted(found, key=lambda row: -row.run.created)


def _place(row: Row, kinds: list[str]) -> tuple[bool, int, float]:
    report = row.seen.headline
    return report is None, kinds.index(row.run.data.objective), -objective(report.objective).signed(report.score) if report else 0.0


def several_kinds(found: Sequence[Row]) -> bool:
    """Whether scores of these mean different things."""
    return len({row.run.data.objective for row in found if row.seen.headline}) > 1


def table(found: Sequence[Row], ticked: Sequence[str]) -> list[Row]:
    """The table; `ticked`: ids of those that have a tick where it is new. Returns those that have one now."""
    now, in_percent = time.time(), all(objective(row.run.data.objective).percent for row in found)
    key = f"runs.table.{zlib.crc32(','.join(row.run.id for row in found).encode())}"  # of these rows: ticks go by places
    texts = [scores.score_with_range(row.seen.headline) if row.seen.headline else "–" for row in found]
    columns = {
        "star": ["★" if row.said.star else "☆" for row in found],
        "name": [row.run.name for row in found],
        "score": texts,
        "state": [[run_cards.state_text(row.seen.state)] for row in found],
        "curve": [list(row.seen.curve) for row in found],
        "time": [duration(seconds) if (seconds := row.seen.seconds(now)) else "–" for row in found],
        "model": [row.model for row in found],
        "trains": [row.trains for row in found],
        "data": [row.data_text for row in found],
        "started": [_local(row.run.created) for row in found],
        "tags": [list(row.said.tags) for row in found]}
    config = _config(found, texts, in_percent)
    event = st.dataframe(
        pd.DataFrame(columns), hide_index=True, on_select="rerun", selection_mode="multi-row", key=key, column_config=config,
        column_order=[name for name in columns if name != "tags" or any(row.said.tags for row in found)],
        height=(min(len(found), MOST_ROWS) + 1) * ROW_PX + 3, alt=_("Runs"),
        selection_default={"selection": {"rows": [place for place, row in enumerate(found) if row.run.id in ticked]}})
    return [found[place] for place in sorted(event.selection.rows) if place < len(found)]


def _config(found: Sequence[Row], texts: Sequence[str], in_percent: bool) -> dict[str, object]:
    column = st.column_config
    states = dict.fromkeys(row.seen.state for row in found)
    return {
        "star": column.ButtonColumn("", width=44, type="tertiary", pinned=True, help=_("Click to star a run."), key="runs.star", on_click=_star,
                                    args=([row.run.id for row in found],)),
        "name": column.ButtonColumn(_("Run"), width=_width((row.run.name for row in found), 90, 220), type="tertiary", alignment="left", pinned=True,
                                    help=_("Click a name to open the run."), key="runs.open"),
        "state": column.MultiselectColumn(_("State"), width=_width(map(run_cards.state_text, states), 84) + 16,
                                          options=[run_cards.state_text(one) for one in states], color=[COLOURS[one] for one in states]),
        "score": column.TextColumn(_("Score"), width=_width(texts, 90), help=_("Score (95 % range)")),
        "curve": column.LineChartColumn(_("Curve"), width=90, y_min=0.0 if in_percent else None, y_max=1.0 if in_percent else None, color="primary",
                                        help=_("Validation score after each epoch")),
        "time": column.TextColumn(_("Time"), width=84, help=_("What its training took; until it has ended, the time it was at work so far")),
        "model": column.TextColumn(_("Model"), width=_width((row.model for row in found), 90, 220)),
        "trains": column.TextColumn(_("Trains"), width=_width((row.trains for row in found), 70, 200)),
        "data": column.TextColumn(_("Data"), width=_width((row.data_text for row in found), 70, 200)),
        "started": column.DatetimeColumn(_("Started"), width=140, format="YYYY-MM-DD HH:mm"),
        "tags": column.ListColumn(_("Tags"), width=150)}


def _star(ids: Sequence[str]) -> None:
    click = state.get("runs.star")
    folder = state.workspace().run(ids[click.row])
    say(folder, star=not about(folder).star)


def opened(found: Sequence[Row]) -> Row | None:
    """The one whose name was clicked just now."""
    click = state.get("runs.open")
    return found[click.row] if click and click.row < len(found) else None


def _local(t: float) -> pd.Timestamp:
    return pd.Timestamp(t, unit="s", tz="UTC").tz_convert(st.context.timezone or "UTC").tz_localize(None)


def _width(texts: Iterable[str], least: int, most: int = 400) -> int:
    """Pixels in which all of these can be read, within bounds."""
    widest = max((sum(14 if unicodedata.east_asian_width(letter) in "WF" else 7 for letter in text) for text in texts), default=0)
    return min(max(widest + 24, least), most)
