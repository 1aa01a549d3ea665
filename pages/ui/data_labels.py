"""The labels with their true counts; ticked ones are renamed, merged or dropped."""
from __future__ import annotations

import streamlit as st

from core.data import edit
from core.data.versions import Version
from core.specs import DataSpec
from pages.ui.data_split import said_of_sides
from pages.ui.data_tables import counts_table
from pages.ui.data_view import carry_out
from pages.ui.i18n import _
from pages.ui.text import md


def section(data: DataSpec, version: Version) -> None:
    _labels(data, version)
    said_of_sides(version)


def _labels(data: DataSpec, version: Version) -> None:
    ticked = counts_table(version, data.version)
    if not ticked:
        st.caption(_("Tick labels to rename, merge or drop them."))
        return
    names = [version.labels[i] for i in ticked]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(_("New name"), names[0], max_chars=200, key=f"data.rename.{data.version}.{ticked}", width=220)
        if len(ticked) == 1:
            if st.button(_("Rename"), key="data.rename"):
                carry_out(data, lambda: edit.rename_label(version, ticked[0], name))
        elif st.button(_("Merge {n} labels", n=len(ticked)), key="data.merge"):
            carry_out(data, lambda: edit.merge_labels(version, ticked, name))
        if st.button(_("Drop"), key="data.drop", icon=":material/delete:", help=_("Leaves these labels and their items out; undo brings them back.")):
            carry_out(data, lambda: edit.drop_labels(version, ticked))
    st.caption(md(", ".join(names)[:300]))
