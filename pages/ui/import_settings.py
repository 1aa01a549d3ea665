"""Settings for the owner of the machine: the most that imports may bring, and the folders that they may read by path."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.data.limits import LIMITS, Limits, environment_roots, load_limits, roots, save_limits, save_roots
from core.errors import UserError
from core.workspace import Workspace
from pages.ui import state
from pages.ui.errors import show_error
from pages.ui.i18n import _
from pages.ui.text import md


@dataclass(frozen=True, slots=True)
class _Row:
    """One limit. `label` is a key of the translation catalogue; `unit`: how much of the limit's own unit one shown unit is."""
    name: str
    label: str
    unit: int = 1
    upload: bool = False


ROWS = (
    _Row("entries", "Files in one import"),
    _Row("total_bytes", "All files of an import, unpacked (GB)", 2**30),
    _Row("file_bytes", "A single file (MB)", 2**20),
    _Row("pixels", "A single picture (million pixels)", 10**6),
    _Row("total_pixels", "All pictures of an import (million pixels)", 10**6),
    _Row("ratio", "An archive may unpack into so many times its size"),
    _Row("ratio_from_bytes", "That is looked at from this size on (MB)", 2**20),
    _Row("name_chars", "Letters of a name with its folders"),
    _Row("nesting", "Folders inside one another"),
    _Row("cell_chars", "Letters in one cell of a table"),
    _Row("table_rows", "Rows of a table"),
    _Row("table_cells", "Cells of a workbook or Parquet file"),
    _Row("table_bytes", "A workbook or Parquet file, unpacked (MB)", 2**20),
    _Row("json_bytes", "A file that is one JSON list (MB)", 2**20),
    _Row("files", "Files in one upload", upload=True),
    _Row("total_bytes", "One upload in all (GB)", 2**30, upload=True),
    _Row("file_bytes", "A single uploaded file (GB)", 2**30, upload=True),
    _Row("name_bytes", "Bytes of an uploaded name with its folders", upload=True),
    _Row("spare_bytes", "Always left free on the disk (MB)", 2**20, upload=True),
)


def import_settings(ws: Workspace) -> None:
    """The section of the page; whoever calls it has made sure that this is the machine's owner."""
    st.subheader(_("What imports may bring"), anchor=False)
    if state.take("settings.saved"):
        st.toast(_("Saved."))
    try:
        with st.expander(_("Upper limits"), icon=":material/speed:", key="settings.limits"):
            _limits(ws, load_limits(ws))
        with st.expander(_("Folders of this machine"), icon=":material/folder_open:", key="settings.folders"):
            _roots(ws)
    except UserError as error:  # of the file of settings: everything else on this page still works
        show_error(error)


def _limits(ws: Workspace, given: Limits) -> None:
    rev = state.rev("settings.limits")
    with st.form("settings.limits.form", border=False):
        grid = st.grid(3, min_column_width=220)
        values = [_field(row, given, grid, rev) for row in ROWS]
        saved = st.form_submit_button(_("Save"), key="settings.limits.save")
    if saved:
        _keep(lambda: save_limits(ws, _changed(given, values)))
    if given != LIMITS and st.button(_("Back to the usual limits"), key="settings.limits.reset"):
        state.bump("settings.limits")
        _keep(lambda: save_limits(ws, LIMITS))


def _field(row: _Row, given: Limits, grid: DeltaGenerator, rev: int) -> int:
    """The limit as it stands in its field; one that was not touched keeps its exact value."""
    value = getattr(given.upload if row.upload else given, row.name)
    shown = value if row.unit == 1 else value / row.unit
    key = f"settings.limits.{'upload.' if row.upload else ''}{row.name}.{rev}"
    typed = grid.container().number_input(_(row.label), value=shown, step=None if row.unit == 1 else 1.0,
        format=None if row.unit == 1 else "%.6g", key=key)
    return value if typed == shown else round((typed or 0) * row.unit)


def _changed(given: Limits, values: list[int]) -> Limits:
    """Raises `SettingsError` that names every limit out of its range."""
    own = {row.name: value for row, value in zip(ROWS, values) if not row.upload}
    upload = {row.name: value for row, value in zip(ROWS, values) if row.upload}
    return replace(given, **own, upload=replace(given.upload, **upload))


def _keep(save: Callable[[], None]) -> None:
    try:
        save()
    except UserError as error:
        show_error(error)
    else:
        state.put("settings.saved", True)
        st.rerun()


def _roots(ws: Workspace) -> None:
    st.caption(_("Everyone who uses this Graft may import from these folders without uploading. "
                 "Without any, nobody reads from this machine."))
    fixed = environment_roots()
    for folder in fixed:
        st.markdown(f"- {md(str(folder))}")
    if fixed:
        st.caption(_("These come from GRAFT_ROOTS, which Graft was started with."))
    with st.form("settings.roots.form", border=False):
        lines = st.text_area(_("One folder a line"), "\n".join(str(folder) for folder in roots(ws) if folder not in fixed),
            key="settings.roots")
        saved = st.form_submit_button(_("Save"), key="settings.roots.save")
    if saved:
        _keep(lambda: save_roots(ws, lines.splitlines()))
