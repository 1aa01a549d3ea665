"""Data: what there is of each label, what is wrong with it, how it is split; and the items themselves, to look at and to correct."""
from __future__ import annotations

import streamlit as st

from core.data.versions import Dataset, Version, last_change, list_datasets, load_dataset, redo, spec_of, undo
from core.models.catalog import find
from core.objectives import objective
from core.specs import DataSpec
from pages.ui import (
    data_asked,
    data_columns,
    data_earlier,
    data_health,
    data_items,
    data_labels,
    data_split,
    data_view,
    doctor,
    importer,
    recipe,
    state,
    text_lengths,
)
from pages.ui.empty import empty
from pages.ui.i18n import _
from pages.ui.text import md

LENGTHS = {"text": text_lengths}
"""By task: what shows how long its items are, where that differs."""

ws, who, draft = state.workspace(), state.me(), state.draft()
st.title(_("Data"), anchor=False)
bar = recipe.place()


def _chooser() -> None:
    """More files for this dataset, another dataset, or new files."""
    datasets = list_datasets(ws, who)
    label = _("Add to this data, or use other data") if draft.data else _("Choose data")
    with st.expander(label, expanded=draft.data is None or bool(state.get("import.error")), key="data.other"):
        into = ""
        if draft.data and load_dataset(ws, draft.data.dataset, who).current == draft.data.version \
                and st.toggle(_("Add to the data below instead of making a new dataset"), key="data.into", persist_state="session"):
            into = draft.data.dataset
        importer.drop_zone("data", into=into)
        importer.last_error()
        if datasets:
            names = {dataset.id: dataset.name for dataset in datasets}
            chosen = st.selectbox(_("Or data that is already here"), list(names), format_func=names.get, key="data.chosen",
                                  index=list(names).index(draft.data.dataset) if draft.data and draft.data.dataset in names else None)
            if chosen and (not draft.data or chosen != draft.data.dataset):
                state.update(data=spec_of(ws, next(d for d in datasets if d.id == chosen)))
                st.rerun()


def _headline(data: DataSpec, version: Version, dataset: Dataset) -> None:
    data_earlier.notice(data, dataset)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{md(dataset.name)}**  ·  " + data_view.in_short(version), width="content")
        st.space("stretch")
        if data.version == dataset.current:
            _history(data, dataset)
        data_view.list_link(data)


def _history(data: DataSpec, dataset: Dataset) -> None:
    """The last change with its way back."""
    change = last_change(dataset)
    if change:
        st.caption(md(_(change.what, **change.params)), width="content")
        if st.button(_("Undo"), icon=":material/undo:", key="data.undo"):
            state.update(data=undo(ws, data.dataset, who))
            st.rerun()
    if dataset.undone and st.button(_("Redo"), icon=":material/redo:", key="data.redo", help=md(_(dataset.undone[-1].what, **dataset.undone[-1].params))):
        state.update(data=redo(ws, data.dataset, who))
        st.rerun()


def _body(data: DataSpec, version: Version) -> None:
    found = data_view.problems(data)
    halves = st.grid(2, min_column_width=400, gap="large")
    with halves.container():
        data_asked.section(data, version)
        st.subheader(_("Numbers") if objective(version.objective).numeric else _("Labels"), anchor=False)
        data_labels.section(data, version)
    with halves.container():
        st.subheader(_("Health"), anchor=False)
        data_health.section(data, version, found)
    views = {"items": data_view.item_words(version)[0], "split": _("Split and groups")}
    if objective(version.objective).labels_exclude:
        views["doctor"] = _("Label doctor")
    if version.task in LENGTHS:
        views["lengths"] = _("Length of the texts")
    if version.table:
        views["columns"] = _("Columns and encoding")
    view = st.segmented_control(_("View"), list(views), format_func=views.get, default="items", required=True, key="data.view",
                                label_visibility="collapsed", persist_state="session")
    if view == "split":
        data_split.section(data, version, data_view.facts(data))
    elif view == "doctor":
        doctor.section(data, version)
    elif view == "columns":
        data_columns.section(data, version)
    elif view == "lengths":
        LENGTHS[version.task].section(data, find(draft.model, ws), draft.actual_config())
    else:
        data_items.section(data, version, next((problem for problem in found if problem.kind == state.get("data.focus")), None))


if importer.busy():
    importer.progress("data")
    st.stop()
_chooser()
if draft.data is None:
    empty(_("No data yet. Choose a folder with one sub-folder for each label, or a table with a column of labels."))
else:
    _headline(draft.data, state.version(), load_dataset(ws, draft.data.dataset, who))
    _body(draft.data, state.version())
recipe.fill_draft(bar, "data", button=_("Next: model"), icon=":material/arrow_forward:", disabled=draft.data is None,
                  on_click=lambda: st.switch_page("model.py"))
