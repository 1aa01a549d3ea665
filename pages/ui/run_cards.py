"""Runs as cards and rows: name, state, curve, score."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from core import events
from core.errors import NotFound
from core.evaluation.report import Report, read_report
from core.events import RunState
from core.jobs.life import state_of
from core.specs import RunSpec
from pages.ui import recipe, scores, state
from pages.ui.i18n import _
from pages.ui.text import md

STATE_LOOK: dict[RunState, tuple[str, str]] = {
    "queued": (":material/schedule:", "gray"), "preparing": (":material/hourglass_top:", "blue"), "running": (":material/play_circle:", "violet"),
    "finished": (":material/check_circle:", "green"), "stopped": (":material/stop_circle:", "green"), "discarded": (":material/delete:", "gray"),
    "failed": (":material/error:", "red"), "interrupted": (":material/bolt:", "orange"), "paused": (":material/pause_circle:", "orange"),
    "draft": (":material/edit:", "gray")}


def state_text(run_state: RunState) -> str:
    return {"queued": _("queued"), "preparing": _("preparing"), "running": _("running"), "finished": _("finished"),
            "stopped": _("stopped, kept"), "discarded": _("discarded"), "failed": _("failed"), "interrupted": _("interrupted"),
            "paused": _("paused"), "draft": _("draft")}[run_state]


def badge(run_state: RunState) -> str:
    icon, colour = STATE_LOOK[run_state]
    return f":{colour}-badge[{icon} {state_text(run_state)}]"


@dataclass(frozen=True, slots=True)
class Summary:
    state: RunState
    report: Report | None
    curve: tuple[float, ...]
    """Validation score after each epoch."""


def summary(folder: Path) -> Summary:
    """A run at a glance; of one that has ended it is read once."""
    now = state_of(folder)
    return _ended(str(folder), now) if (folder / "exit.json").is_file() else _read(folder, now)


@st.cache_data(max_entries=500, show_spinner=False)
def _ended(folder: str, now: RunState) -> Summary:
    return _read(Path(folder), now)


def _read(folder: Path, now: RunState) -> Summary:
    try:
        report = read_report(folder / "report.json")
    except NotFound:
        report = None
    curve = tuple(event.val_score for event in events.read(folder / "events.jsonl")
                  if isinstance(event, events.EpochEnd) and event.val_score is not None)
    return Summary(now, report, curve)


def grid(runs: Sequence[RunSpec]) -> None:
    cards = st.grid(4, min_column_width=220)
    for run in runs:
        with cards.container(border=True, height="stretch"):
            at_a_glance = summary(state.workspace().run(run.id))
            st.markdown(f"**{md(run.name)}**  {badge(at_a_glance.state)}")
            report = at_a_glance.report
            st.caption(scores.score_with_range(report) if report else recipe.preset_text(run.config.preset))
            ended = at_a_glance.state in ("finished", "stopped")
            if st.button(_("Open"), key=f"runs.open.{run.id}", type="tertiary", icon=":material/arrow_forward:"):
                state.look_at(run.id)
                st.switch_page("results.py" if ended else "train.py", query_params={"run": run.id})
