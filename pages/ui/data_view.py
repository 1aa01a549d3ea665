"""What the parts of the data page share: cached readings of the version that is looked at, and how an edit is carried out."""
from __future__ import annotations

import html
from collections.abc import Callable

import streamlit as st

from core.data import edit
from core.data.edit import Edit
from core.data.facts import Facts, load_facts
from core.data.health.check import Problem, check
from core.data.texts import load_texts
from core.data.versions import Version
from core.errors import UserError
from core.specs import DataSpec
from core.tasks.registry import TASKS
from pages.routes.tokens import mint
from pages.ui import state
from pages.ui.errors import show_error
from pages.ui.i18n import _
from pages.ui.text import md
from pages.ui.try_panel import number


@st.cache_resource(max_entries=8, show_spinner=False)
def facts(data: DataSpec) -> Facts:
    """A version's content never changes, so what was measured of it is read once for all sessions."""
    return load_facts(state.workspace(), data.dataset)


@st.cache_resource(max_entries=8, show_spinner=False)
def problems(data: DataSpec) -> tuple[Problem, ...]:
    return check(state.read_version(data), facts(data))


@st.cache_resource(max_entries=4, show_spinner=False)
def texts(data: DataSpec) -> dict[str, str]:
    """By hash; empty for pictures."""
    return load_texts(state.workspace(), data.dataset)


def holds(data: DataSpec) -> Problem | None:
    """What training waits for."""
    return next((problem for problem in problems(data) if problem.severity == "holds"), None)


def show_hold(problem: Problem) -> None:
    """Why training waits, and the way to the page where that is settled."""
    st.warning(f"**{md(_(problem.title, **problem.params))}**  \n{md(_(problem.advice, **problem.params))}", icon=":material/front_hand:")
    if st.button(_("Settle it on the Data page"), key="hold.settle", icon=":material/arrow_back:"):
        state.put("data.focus", problem.kind)
        state.put("data.view", "items")
        st.switch_page("data.py")


def item_words(version: Version) -> tuple[str, str]:
    """The noun for many items of this kind, at the beginning of a line and within one."""
    info = TASKS[version.task]
    return _(info.title), _(info.items)


def in_short(version: Version) -> str:
    """How much there is, as Markdown: items and labels, or the range of their numbers."""
    n, items = f"{len(version.items):,}", item_words(version)[1]
    values = [item.value for item in version.items if item.value is not None]
    if values:
        return _("{n} {items}, {name} from {low} to {high}", n=n, items=items, name=md(version.labels[0]),
                 low=number(min(values), ""), high=md(number(max(values), version.unit)))
    return _("{n} {items}, {k} labels", n=n, k=len(version.labels), items=items)


def list_link(data: DataSpec) -> None:
    """The list of items as a download."""
    token = mint(state.workspace(), state.me(), "items", dataset=data.dataset, version=data.version)
    st.html(f'<a class="graft-link" href="graft/items/{data.dataset}.csv?token={token}" download>{html.escape(_("List as CSV"))}</a>',
            width="content")


def carry_out(data: DataSpec, make: Callable[[], Edit]) -> None:
    """Make an edit, keep it as the next version, and show that one. What can't be done is said in place, and nothing has changed."""
    try:
        done = make()
        new = edit.save(state.workspace(), data.dataset, state.me(), done, base=data.version)
    except UserError as error:
        show_error(error)
        return
    state.update(data=new)
    st.toast(md(_(done.what, **done.params)))
    st.rerun()
