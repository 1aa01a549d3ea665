"""Data: what there is of each label, how it is split, what was left out."""
from __future__ import annotations

import streamlit as st

from core.data.versions import list_datasets, load_dataset, spec_of
from pages.ui import importer, recipe, state, thumbs
from pages.ui.data_tables import counts_table, rejected_table
from pages.ui.empty import empty
from pages.ui.i18n import _
from pages.ui.text import md

PAGE = 48

ws, who, draft = state.workspace(), state.me(), state.draft()
st.title(_("Data"), anchor=False)
bar = recipe.place()


def _chooser() -> None:
    """Another dataset, or new files."""
    datasets = list_datasets(ws, who)
    with st.expander(_("Use other data") if draft.data else _("Choose data"), expanded=draft.data is None or bool(state.get("import.error")), key="data.other"):
        importer.drop_zone("data")
        importer.last_error()
        if datasets:
            names = {dataset.id: dataset.name for dataset in datasets}
            chosen = st.selectbox(_("Or data that is already here"), list(names), format_func=names.get, key="data.chosen",
                                  index=list(names).index(draft.data.dataset) if draft.data and draft.data.dataset in names else None)
            if chosen and (not draft.data or chosen != draft.data.dataset):
                state.update(data=spec_of(ws, next(d for d in datasets if d.id == chosen)))
                st.rerun()


if importer.busy():
    importer.progress("data")
    st.stop()
_chooser()
if draft.data is None:
    empty(_("No data yet. Choose a folder with one sub-folder for each label."))
else:
    version, dataset = state.version(), load_dataset(ws, draft.data.dataset, who)
    st.markdown(f"**{md(dataset.name)}**  ·  " + _("{n} pictures, {k} labels", n=f"{len(version.items):,}", k=len(version.labels)))
    if version.fixed_splits:
        st.caption(_("The split came with your folders and was kept."))
    else:
        st.caption(_("Split by content, the same each time: about 70 % to learn from, 15 % for choosing the best epoch (validation), 15 % used once at the end (test)."))
    if not version.split("test"):
        st.info(_("There are no test pictures: scores will be those of the validation pictures, which are also used to choose the best epoch."),
                icon=":material/info:")
    counts_table(version)
    if version.rejected:
        n_rejected = len(version.rejected)
        with st.expander(_("1 unreadable file left out: see which") if n_rejected == 1
                         else _("{n} unreadable files left out: see which", n=n_rejected), icon=":material/warning:"):
            rejected_table(version.rejected)
    st.subheader(_("Pictures"), anchor=False)
    label = st.pills(_("Label"), range(len(version.labels)), format_func=lambda i: md(version.labels[i]), key=f"data.label.{draft.data.version}",
                     label_visibility="collapsed")
    items = [item for item in version.items if label is None or item.label == label]
    pages = max(1, -(-len(items) // PAGE))
    page = st.pagination(pages, key=f"data.page.{draft.data.version}.{label}") if pages > 1 else 1
    if label is None:  # a taste of every label on the first page
        items.sort(key=lambda item: item.sha)
    shown = items[(page - 1) * PAGE:page * PAGE]
    thumbs.grid(draft.data.dataset, [(item.sha, version.labels[item.label]) for item in shown])
recipe.fill_draft(bar, "data", button=_("Next: model"), icon=":material/arrow_forward:", disabled=draft.data is None,
                  on_click=lambda: st.switch_page("model.py"))
