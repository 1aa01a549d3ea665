"""Your own word vectors: bring a file of GloVe, word2vec or fastText, watch it become a set, see what there is, delete it."""
from __future__ import annotations

import streamlit as st

from core.jobs import vector_import
from core.jobs.brought import Brought, incoming_folder
from core.jobs.runs import check_unused
from core.jobs.side_jobs import Job
from core.models.words.vector_sets import VectorSet, delete, list_vector_sets
from core.owners import LOCAL_OWNER
from core.workspace import Workspace
from pages.ui import bring_file, state
from pages.ui.errors import show_error
from pages.ui.fragments import fragment_of
from pages.ui.i18n import _
from pages.ui.text import count, listed, md, size


def section(ws: Workspace, page: str = "model") -> None:
    """All of it, in a box of its own. `page`: the one that shows it."""
    with st.container(border=True):
        st.markdown(f"**{_('Your own word vectors')}**")
        st.caption(_("Vectors that were learned elsewhere, in a language or a field of your own: files of GloVe, word2vec and fastText."))
        _ended(ws)
        if any(now.state == "running" for now in _mine(ws).values()):
            fragment_of(page, _progress, run_every=0.5)()
        for one in list_vector_sets(ws):
            _set(ws, one)
        with st.expander(_("Add word vectors"), icon=":material/add:", expanded=bring_file.refused("vectors")):
            _add(ws)


# ---- what there is ----

def _set(ws: Workspace, one: VectorSet) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        with st.container(gap=None):
            st.markdown(f"**{md(one.title)}**")
            st.caption("  \n".join(_facts(one)))
        if state.me() in (one.owner, LOCAL_OWNER):
            with st.popover(_("Delete"), type="tertiary", icon=":material/delete:"):
                st.caption(_("Models that have learned with these vectors keep what they need. The file that you brought is not touched."))
                if st.button(_("Delete these word vectors"), key=f"vectors.delete.{one.key}"):
                    bring_file.attempt("vectors", lambda: _delete(ws, one))


def _delete(ws: Workspace, one: VectorSet) -> None:
    check_unused(ws, f"words:{one.key}")
    delete(ws, one.key, state.me())


def _facts(one: VectorSet) -> list[str]:
    said = [_("{n} words, {dims} numbers each, {size}", n=count(one.n_words), dims=one.dims, size=size(one.size_bytes)),
            _("from {file} ({format})", file=md(one.source_file), format=one.format)]
    if one.languages:
        said.append(_("Language: {languages}", languages=listed(one.languages)))
    if one.n_listed > one.n_words + one.n_repeated + one.n_unusable:
        said.append(_("Its first {n} words of {total}: the most common ones.", n=count(one.n_words), total=count(one.n_listed)))
    if one.n_repeated or one.n_unusable:
        said.append(_("Left out: {repeated} words that came again, {unusable} rows that could not be read.", repeated=count(one.n_repeated),
                      unusable=count(one.n_unusable)))
    return said


# ---- what is under way ----

def _mine(ws: Workspace) -> dict[str, Job[Brought]]:
    return {key: now for key, now in vector_import.imports(ws).items() if now.ask.owner == state.me()}


def _ended(ws: Workspace) -> None:
    """Why an import failed, until the reader has seen it; one that is done stands in the list."""
    for key, now in _mine(ws).items():
        if now.state == "done":
            vector_import.forget(ws, key)
            st.toast(_("The word vectors “{name}” are ready.", name=md(now.ask.title)), icon=":material/check:")
        if now.error:
            show_error(now.error)
            if st.button(_("All right"), key=f"vectors.seen.{key}"):
                vector_import.forget(ws, key)
                st.rerun()


def _progress() -> None:
    ws = state.workspace()
    bring_file.running("vectors", _mine(ws), _how_far, lambda key: vector_import.cancel(ws, key))


def _how_far(now: Job[Brought]) -> None:
    st.progress(now.share, text=_("Reading “{name}” …", name=md(now.ask.title)))


# ---- adding ----

def _add(ws: Workspace) -> None:
    bring_file.last_error("vectors")
    words = bring_file.Words(_("Upload word vectors"), _("Drop a file with word vectors here"),
                             _("As text or binary (.txt, .vec, .bin), also packed as gz or zip."), _("my word vectors"))
    bring_file.choose(ws, "vectors", bring_file.name_field("vectors"), words,
                      lambda title, origin, source: vector_import.start(ws, title, origin, source, state.me()), put_ready=True)
    if state.me() == LOCAL_OWNER:
        st.caption(_("A very large file need not be uploaded: put it into {dir} on this machine and reload the page.",
                     dir=md(str(incoming_folder(ws)))))
