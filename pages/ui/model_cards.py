"""The catalog as cards: facts, whether the weights are here, and what to do when they are not."""
from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.models.catalog import ModelRow, on_this_machine, weights_folder
from pages.ui import state
from pages.ui.i18n import _
from pages.ui.text import count, md, size

COLUMNS = 3


def grid(rows: Sequence[ModelRow], chosen: str) -> None:
    query = st.text_input(_("Search"), key="model.search", placeholder=_("Name or family"), icon=":material/search:", label_visibility="collapsed",
                          width=320)
    found = [row for row in rows if (query or "").lower() in f"{row.title} {row.family}".lower()]
    found.sort(key=lambda row: (row.key != chosen, not on_this_machine(row)))
    for start in range(0, len(found), COLUMNS):
        for column, row in zip(st.columns(COLUMNS), found[start:start + COLUMNS]):
            with column:
                _card(row, row.key == chosen)
    if not found:
        st.caption(_("No model of that name. Clear the search to see all."))


def _card(row: ModelRow, chosen: bool) -> None:
    here = on_this_machine(row)
    with st.container(border=True, height="stretch", key=f"card-{'chosen' if chosen else 'open'}-{row.key.replace('_', '-')}"):
        st.markdown(f"**{row.title}**  " + (f":green-badge[:material/check: {_('on this machine')}]" if here
                                            else f":orange-badge[:material/download: {size(row.size_bytes)}]"))
        st.caption("  \n".join((
            _("{n} parameters, {size}", n=count(row.parameters), size=size(row.size_bytes)),
            _("sees {n} × {n} pixels", n=row.input_size), _("{n} % right: {source}", n=f"{row.score:.1f}", source=_(row.score_source)))))
        if not here:
            st.caption(":orange[" + _("Without a network: put {file} in {dir}", file=md(row.weights_file), dir=md(str(weights_folder(row)))) + "]")
        with st.popover(_("About"), type="tertiary", icon=":material/info:"):
            st.markdown(f"{_('Learnt from')}: {_(row.learnt_from)}\n\n{_('Limits')}: {_(row.limits)}\n\n{_('Licence')}: {_(row.licence)}")
        if chosen:
            st.markdown(f":violet[:material/check_circle: **{_('chosen')}**]")
        elif st.button(_("Choose"), key=f"model.choose.{row.key}"):
            state.choose_model(row.key)
            st.rerun()
