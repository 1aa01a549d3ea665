"""Runs as cards and rows: name, state, curve, score."""
from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import streamlit as st

from core.errors import UserError
from core.events import RunState
from core.jobs.glance import Glance, glance
from core.jobs.life import EXIT, LIVING, RESTING, state_of
from core.models.catalog import ModelRow, known
from core.specs import RunSpec
from core.training.presets import fitted_at_once
from pages.ui import recipe, scores, state
from pages.ui.i18n import _
from pages.ui.text import md

log = logging.getLogger(__name__)
STATE_LOOK: dict[RunState, tuple[str, str]] = {
    "queued": (":material/schedule:", "gray"), "preparing": (":material/hourglass_top:", "blue"), "running": (":material/play_circle:", "violet"),
    "finished": (":material/check_circle:", "green"), "stopped": (":material/stop_circle:", "green"), "discarded": (":material/delete:", "gray"),
    "failed": (":material/error:", "red"), "interrupted": (":material/bolt:", "orange"), "paused": (":material/pause_circle:", "orange"),
    "draft": (":material/edit:", "gray")}
STATE_TEXT: dict[RunState, str] = {
    "queued": "queued", "preparing": "preparing", "running": "running", "finished": "finished", "stopped": "stopped, kept",
    "discarded": "discarded", "failed": "failed", "interrupted": "interrupted", "paused": "paused", "draft": "draft"}
"""Keys of the translation catalogue."""


def state_text(run_state: RunState) -> str:
    return _(STATE_TEXT[run_state])


def row_of(run: RunSpec) -> ModelRow | None:
    """The run's model, where it is still there, and still made of the same blocks."""
    row = known(run.model.key, state.workspace())
    return row if row and [block.name for block in row.blocks] == [block.name for block in run.plan.blocks] else None


def fits(run: RunSpec) -> bool:
    """Whether its epochs are fits of the head to all items at once. False where its model is gone."""
    row = row_of(run)
    return row is not None and fitted_at_once(row, run.plan, run.config)


def badge(run_state: RunState) -> str:
    icon, colour = STATE_LOOK[run_state]
    return f":{colour}-badge[{icon} {state_text(run_state)}]"


def summary(folder: Path) -> Glance:
    """A run at a glance; as long as nobody works on it, and it does not wait, it is read once. Raises what `glance` raises."""
    try:
        left = (folder / EXIT).stat().st_mtime_ns
    except FileNotFoundError:
        return glance(folder)
    return _left(str(folder), left)


@st.cache_resource(max_entries=1000, show_spinner=False)
def _left(folder: str, at_ns: int) -> Glance:
    """`at_ns`: when it was left so; it may be resumed, and left again."""
    return glance(Path(folder))


def open_run(run: RunSpec, seen: Glance) -> None:
    """Go to the page that has most to say of it."""
    state.look_at(run.id)
    st.switch_page("results.py" if seen.headline else "train.py", query_params={"run": run.id})


def readable(runs: Iterable[RunSpec]) -> list[tuple[RunSpec, Glance]]:
    """With what is seen of them. One of which a file is damaged is left out and logged: the others must stay within reach."""
    ws, found = state.workspace(), []
    for run in runs:
        try:
            found.append((run, summary(ws.run(run.id))))
        except (UserError, ValueError) as error:
            log.warning("run %s is left out: %s", run.id, error)
    return found


def recent(runs: Sequence[RunSpec], most: int) -> list[RunSpec]:
    """The newest, and as many older ones that learn, or rest until somebody resumes them."""
    return [*runs[:most], *[run for run in runs[most:] if _under_way(run)][:most]]


def _under_way(run: RunSpec) -> bool:
    try:
        return state_of(state.workspace().run(run.id)) in LIVING | RESTING
    except UserError:
        return False


def grid(runs: Sequence[RunSpec]) -> None:
    cards = st.grid(4, min_column_width=220)
    for run, seen in readable(runs):
        with cards.container(border=True, height="stretch"):
            st.markdown(f"**{md(run.name)}**  {badge(seen.state)}")
            st.caption(md(scores.score_with_range(seen.headline)) if seen.headline else recipe.preset_text(run.config.preset))
            if st.button(_("Open"), key=f"runs.open.{run.id}", type="tertiary", icon=":material/arrow_forward:"):
                open_run(run, seen)
