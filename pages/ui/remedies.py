"""For failures that have a name: the next step, prepared, one click away."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from core.events import Event, Failed, Smaller
from core.specs import RunSpec, TrainConfig
from pages.ui import run_menu, state
from pages.ui.i18n import _


def offer(run: RunSpec, failed: Failed) -> None:
    """A button behind the words, where a click can help."""
    if failed.kind == "nan":
        rate = run.config.learning_rate / 10
        _rerun(run, _("Run it again with learning rate {rate}", rate=f"{rate:.1g}"), replace(run.config, learning_rate=float(f"{rate:.1g}")))
    elif failed.kind == "memory" and run.config.batch_size > 2:
        config = replace(run.config, batch_size=max(2, run.config.batch_size // 2), preset="custom")
        _rerun(run, _("Run it again with batches of {n}", n=config.batch_size), config)
    elif failed.kind == "data":
        _to(_("Look at the data"), ":material/photo_library:", "data.py", run)
    elif failed.kind == "weights":
        _to(_("Choose another model"), ":material/account_tree:", "model.py", run)


def short_memory(run: RunSpec, log: Sequence[Event]) -> None:
    """Where memory ran out, BatchNorm that trains has learned from fewer items than was wished."""
    few = next((event for event in reversed(log) if isinstance(event, Smaller)), None)
    if few is None or not few.batch_norm:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/memory: {_('Memory is short, so BatchNorm learns from {n} items at a time. The result is steadier when it keeps what it knew.', n=few.items)}",
                    width="stretch")
        if st.button(_("Try: keep BatchNorm as it was"), icon=":material/replay:", key="remedy.norm"):
            run_menu.prepare_again(replace(run, plan=replace(run.plan, batch_norm="keep"), config=replace(run.config, preset="custom")))


def _rerun(run: RunSpec, label: str, config: TrainConfig) -> None:
    if st.button(label, icon=":material/replay:", key="remedy"):
        run_menu.prepare_again(replace(run, config=replace(config, preset="custom")))


def _to(label: str, icon: str, page: str, run: RunSpec) -> None:
    if st.button(label, icon=icon, key="remedy"):
        state.update(data=run.data)
        st.switch_page(page)
