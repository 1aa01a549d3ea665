"""What a run's curves show, in plain sentences, each with a way to try what could be better."""
from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import streamlit as st

from core import events
from core.jobs.runs import can_go_on
from core.models.catalog import known
from core.models.rows import ModelRow
from core.specs import RunSpec
from core.training.chance import chance
from core.training.narrator import Remark, narrate
from core.training.reruns import Advice
from pages.ui import run_menu, state
from pages.ui.errors import acting
from pages.ui.fragments import fragment_of
from pages.ui.i18n import _

LOOK_S = 2.0


def show(run: RunSpec, ended: bool) -> None:
    """The most important remark, the others folded; nothing while there is nothing to say. Until the run has `ended` it looks again by
    itself."""
    if ended:
        _tell(run, ended)
    else:
        fragment_of("train", lambda: _tell(run, ended), run_every=LOOK_S)()


def _tell(run: RunSpec, ended: bool) -> None:
    log, row = state.workspace().run(run.id) / "events.jsonl", known(run.model.key, state.workspace())
    looked = log.stat().st_size if ended and log.is_file() else int(time.monotonic() / LOOK_S)
    remarks, again = _remarks(str(log), looked, ended, run, row), row is not None and run.owner == state.me()
    if not remarks:
        return
    with st.container(key="narrator", gap="small"):
        _remark(run, remarks[0], 0, again)
        if remarks[1:]:
            with st.expander(_("More about these curves")):
                for number, remark in enumerate(remarks[1:], start=1):
                    _remark(run, remark, number, again)


@st.cache_data(max_entries=64, show_spinner=False)
def _remarks(log: str, looked: int, ended: bool, _run: RunSpec, _row: ModelRow | None) -> list[Remark]:
    """Once for all who look at the same time, `looked`; of a run that has ended as long as its log has that size."""
    version = state.read_version(_run.data)
    return narrate(_run, events.follow(Path(log)), n_val=version.sizes()["val"], ended=ended, row=_row, chance=chance(version))


def _remark(run: RunSpec, remark: Remark, number: int, again: bool) -> None:
    """`again`: it can be run again: its model is still there, and the reader is its owner."""
    text = f":material/chat_bubble: {_(remark.text, **remark.params)}"
    if not remark.change or not again:
        st.markdown(text)
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(text, width="content")
        if remark.change.goes_on and can_go_on(state.workspace(), run):
            _go_on(run, remark.change, number)
        elif st.button(_(remark.change.label, **remark.change.params), key=f"narrator.change.{number}", icon=":material/replay:",
                       help=_("Prepares a new run with this one change. It starts when you say so.")):
            config = replace(remark.change.config or run.config, preset="custom")
            run_menu.prepare_again(replace(run, plan=remark.change.plan or run.plan, config=config))


def _go_on(run: RunSpec, change: Advice, number: int) -> None:
    """Only more epochs are advised: the first ones need not be made again."""
    more = (change.config or run.config).epochs - run.config.epochs
    if st.button(_("Train {n} epochs longer", n=more), key=f"narrator.change.{number}", icon=":material/fast_forward:",
                 help=_("A new run goes on from where this one ended; this one stays as it is.")):
        with acting():
            run_menu.train_longer(run, more)
