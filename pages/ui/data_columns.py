"""How the tables of a dataset were read, and reading them again with other columns or another encoding."""
from __future__ import annotations

import streamlit as st

from core.data.intake.encodings import ENCODINGS
from core.data.versions import TableChoice, Version
from core.specs import DataSpec
from pages.ui import importer
from pages.ui.i18n import _
from pages.ui.text import listed, md


def section(data: DataSpec, version: Version) -> None:
    table = version.table
    if table is None:
        return
    read = table.choice
    st.caption(_("Read from {files}. What was found is chosen below; other columns or another encoding make a new version of the data.",
                 files=md(listed(name for name, _sha in table.files[:5]))))
    texts = version.task == "text"
    grid = st.grid(4, min_column_width=200)
    first = grid.container().selectbox(_("Column with the texts") if texts else _("Column with the file names"), table.columns,
                                       index=_place(table.columns, read.text_column), key=f"data.columns.text.{data.version}")
    label = grid.container().selectbox(_("Column with the labels"), table.columns, index=_place(table.columns, read.label_column),
                                       key=f"data.columns.label.{data.version}")
    group = grid.container().selectbox(_("Column with the groups"), ["", *table.columns],
                                       index=_place(("", *table.columns), read.group_column), key=f"data.columns.group.{data.version}",
                                       format_func=lambda name: name or _("(none)"),
                                       help=_("Patient, specimen, document: rows of one group stay on one side of the split."))
    known = tuple(dict.fromkeys((read.encoding, *ENCODINGS)))
    encoding = grid.container().selectbox(_("Encoding"), [name for name in known if name], index=0, key=f"data.columns.encoding.{data.version}",
                                          help=_("How the file stores letters. Change it when letters look wrong."))
    choice = TableChoice(first or "", label or "", group or "", encoding or "", read.objective if label == read.label_column else "")
    importer.last_error()
    if st.button(_("Read again"), key="data.columns.read", icon=":material/refresh:", disabled=choice == read):
        importer.begin_reread(data, choice)


def _place(columns: tuple[str, ...], name: str) -> int | None:
    return columns.index(name) if name in columns else None
