"""Which runs the list shows, and in which order; kept while the reader looks at other pages."""
from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.events import RunState
from pages.ui import run_cards
from pages.ui.i18n import _, language
from pages.ui.run_list import Order, Row, Wanted

STATES: tuple[RunState, ...] = ("running", "preparing", "queued", "paused", "interrupted", "finished", "stopped", "failed", "discarded")
STARRED = "starred"


def form(rows: Sequence[Row]) -> tuple[Wanted, Order]:
    """What can't make a difference is not offered."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="filter"):
        words = st.text_input(_("Search"), key="runs.words", placeholder=_("Name, tag, note, model, data"), icon=":material/search:",
                              label_visibility="collapsed", persist_state="session", width="stretch")
        data = _one_of(_("All data"), {row.run.data.dataset: row.data for row in rows}, "runs.data")
        tag = _one_of(_("All tags"), {tag: tag for tag in sorted({tag for row in rows for tag in row.said.tags})}, "runs.tag", least=1)
        order = st.selectbox(_("Order"), list(_orders()), format_func=_orders().get, key=f"runs.order.{language()}", label_visibility="collapsed",
                             persist_state="session", width=165)
    picked = _pills(rows)
    return Wanted(words or "", tuple(one for one in STATES if one in picked), STARRED in picked, data, tag), order


def _orders() -> dict[Order, str]:
    return {"new": _("Newest first"), "score": _("Best score first"), "time": _("Quickest first")}


def _one_of(all_of_them: str, names: dict[str, str], key: str, least: int = 2) -> str:
    """A choice among these, or empty."""
    if len(names) < least:
        return ""
    one = st.selectbox(all_of_them, ["", *names], format_func=lambda one: names.get(one, all_of_them), key=f"{key}.{language()}", label_visibility="collapsed",
                       persist_state="session", width=165)
    return one if one in names else ""  # what was chosen before may be gone


def _pills(rows: Sequence[Row]) -> list[str]:
    names = {STARRED: f":material/star: {_('starred')}"} if any(row.said.star for row in rows) else {}
    names |= {one: f"{run_cards.STATE_LOOK[one][0]} {run_cards.state_text(one)}" for one in STATES if any(row.seen.state == one for row in rows)}
    if len(names) < 2:
        return []
    picked = st.pills(_("State"), list(names), selection_mode="multi", format_func=names.get, key="runs.states", label_visibility="collapsed",
                      persist_state="session")
    return [one for one in picked if one in names]
