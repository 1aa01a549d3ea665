"""A look at the data, asked for, watched and shown: what all advice has in common."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import streamlit as st

from core.data.versions import Version
from core.errors import UserError
from core.jobs import advice
from core.jobs.probe import anybody_learns
from core.models.rows import ModelRow
from core.specs import DataSpec
from core.training.advice.findings import AdviceKind, Ask, Looking
from pages.ui import state
from pages.ui.errors import show_error
from pages.ui.fragments import fragment_of
from pages.ui.i18n import _
from pages.ui.text import duration

LOOK_S = 0.7
BUDGETS_S = (10, 30, 60, 180, 600)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Section:
    """One question that is answered from the data. `title` is a key of the translation catalogue; `show(row, data, version)` draws it, for
    the chosen model."""
    key: AdviceKind
    title: str
    icon: str
    show: Callable[[ModelRow, DataSpec, Version], None]


def watched(ask: Ask, kind: AdviceKind, show: Callable[[T], None], about: Callable[[str], str], *, known: T | None = None,
            start: str, budgets: bool = True) -> None:
    """Draw the finding, in part while it is looked for, and the ways to look, to look again and to stop. `about(key)` words what is looked
    at now; `known`: what can be shown until there is a finding; `start`: the button's words."""
    now = advice.status(state.workspace(), kind, ask)
    if now.state == "running":
        fragment_of(f"model_{kind}", lambda: _running(ask, kind, show, about, known), run_every=LOOK_S)()
        return
    if now.error:
        show_error(now.error)
    found = now.finding or known
    if found is not None:
        show(found)  # type: ignore[arg-type]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        budget = st.selectbox(_("Time for it"), BUDGETS_S, index=2, format_func=duration, key=f"advice.{kind}.budget", width=130) if budgets else 0
        if st.button(start if found is None else _("Look again"), key=f"advice.{kind}.start", icon=":material/search_insights:"):
            _start(replace(ask, budget_s=float(budget)), kind)
        if anybody_learns(state.workspace()):
            st.caption(_("A training is under way: both will be slower."), width="content")


def _start(ask: Ask, kind: AdviceKind) -> None:
    try:
        advice.start(state.workspace(), kind, ask, state.me())
    except UserError as error:
        show_error(error)
    else:
        st.rerun()


def _running(ask: Ask, kind: AdviceKind, show: Callable[[T], None], about: Callable[[str], str], known: T | None) -> None:
    now = advice.status(state.workspace(), kind, ask)
    if now.state != "running":
        st.rerun()
    st.progress(_share(now.looking), text=about(now.looking.about) if now.looking.total else _("Getting ready …"))
    if st.button(_("Cancel"), key=f"advice.{kind}.cancel"):
        advice.cancel(state.workspace(), kind, ask)
        st.rerun()
    if (found := now.finding or known) is not None:
        show(found)  # type: ignore[arg-type]


def _share(looking: Looking) -> float:
    return min(1.0, looking.done / looking.total) if looking.total else 0.0
