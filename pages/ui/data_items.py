"""The items of a dataset: filtered, paged, selected and corrected."""
from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.data import edit
from core.data.health.check import Problem
from core.data.versions import Version
from core.objectives import objective
from core.specs import DataSpec, SplitName
from pages.ui import state
from pages.ui.components.item_grid import Cell, item_grid
from pages.ui.data_view import carry_out, texts
from pages.ui.i18n import _
from pages.ui.text import md
from pages.ui.thumbs import thumbs_url

PAGE = 48
GROUPS_PAGE = 12
MANY_LABELS = 12
TEXT_CHARS = 600


def section(data: DataSpec, version: Version, focus: Problem | None) -> None:
    """All items, or those that a problem of the health report concerns."""
    if focus is not None and focus.groups:
        _focused(data, version, focus)
    else:
        _all(data, version)


def _focused(data: DataSpec, version: Version, focus: Problem) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/filter_alt: {_('Shown: {what}', what=md(_(focus.title, **focus.params)))}", width="content")
        if st.button(_("Show all"), key="data.unfocus", type="tertiary", icon=":material/close:"):
            state.take("data.focus")
            st.rerun()
    together = any(len(group) > 1 for group in focus.groups)
    groups = focus.groups if together else [tuple(group[0] for group in focus.groups if group)]
    size = GROUPS_PAGE if together else len(groups)
    page = _page(-(-len(groups) // size) if size else 1, f"data.page.{data.version}.{focus.kind}")
    shown = groups[(page - 1) * size:page * size] if together else [groups[0][:PAGE * 2]]
    _grid(data, version, shown, f"data.items.{data.version}.{focus.kind}.{page}", reveal=True)


def _all(data: DataSpec, version: Version) -> None:
    label = _label_filter(data, version)
    with st.container(horizontal=True):
        query = st.text_input(_("Search"), key="data.search", placeholder=_("Words of the text or file name") if version.task == "text"
                              else _("File name"), icon=":material/search:", label_visibility="collapsed", width=280)
        names: dict[SplitName, str] = {"train": _("Training"), "val": _("Validation"), "test": _("Test")}
        side = st.segmented_control(_("Side"), list(names), format_func=names.get, key="data.side", label_visibility="collapsed")
    positions = _found(data, version, label, side, (query or "").strip().lower())
    if not positions:
        st.caption(_("Nothing fits this search."))
        return
    if label is None and not query:  # a taste of every label on the first page
        positions = sorted(positions, key=lambda position: version.items[position].sha)
    page = _page(-(-len(positions) // PAGE), f"data.page.{data.version}.{label}.{side}.{query}")
    _grid(data, version, [positions[(page - 1) * PAGE:page * PAGE]], f"data.items.{data.version}.{label}.{side}.{query}.{page}")


def _label_filter(data: DataSpec, version: Version) -> int | None:
    if len(version.labels) < 2:
        return None
    key = f"data.label.{data.version}"
    if len(version.labels) > MANY_LABELS:
        return st.selectbox(_("Label"), range(len(version.labels)), index=None, format_func=lambda i: version.labels[i], key=key,
                            placeholder=_("All labels"), label_visibility="collapsed", width=340)
    return st.pills(_("Label"), range(len(version.labels)), format_func=lambda i: md(version.labels[i]), key=key, label_visibility="collapsed")


def _found(data: DataSpec, version: Version, label: int | None, side: SplitName | None, query: str) -> list[int]:
    words = texts(data) if version.task == "text" and query else {}
    return [position for position, item in enumerate(version.items)
            if (label is None or label in item.borne) and (side is None or item.split == side)
            and (not query or query in item.name.lower() or query in words.get(item.sha, "").lower())]


def _page(pages: int, key: str) -> int:
    return st.pagination(pages, key=key) if pages > 1 else 1


def _grid(data: DataSpec, version: Version, groups: Sequence[Sequence[int]], key: str, reveal: bool = False) -> None:
    problems = st.container()  # above the items, where it is seen
    act = item_grid([[_cell(data, version, position) for position in group] for group in groups], version.labels, key=key, reveal=reveal,
                    relabel=objective(version.objective).labels_exclude)
    if act is None:
        return
    with problems:
        if act.operation == "relabel":
            carry_out(data, lambda: edit.relabel(version, act.positions, act.label))
        elif act.operation == "remove":
            carry_out(data, lambda: edit.remove(version, act.positions))
        else:
            carry_out(data, lambda: edit.set_split(version, act.positions, act.operation))


def _cell(data: DataSpec, version: Version, position: int) -> Cell:
    item = version.items[position]
    note = {"train": "", "val": _("validation"), "test": _("test")}[item.split]  # most train: saying so leaves labels no room
    if version.task == "text":
        return Cell(position, version.said(item), item.name, note, text=texts(data).get(item.sha, "")[:TEXT_CHARS])
    return Cell(position, version.said(item), item.name, note, url=thumbs_url(data.dataset, data.version).format(sha=item.sha))
