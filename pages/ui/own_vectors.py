"""Your own word vectors: bring a file of GloVe, word2vec or fastText, watch it become a set, see what there is, delete it."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from core.data.limits import roots
from core.errors import DataError, UserError
from core.jobs import vector_import
from core.jobs.runs import check_unused
from core.models.words.vector_sets import VectorSet, delete, list_vector_sets
from core.owners import LOCAL_OWNER
from core.workspace import Workspace, new_id
from pages.routes import inbox
from pages.routes.tokens import mint
from pages.ui import importer, state
from pages.ui.components.upload import upload
from pages.ui.errors import show_error
from pages.ui.fragments import fragment_of
from pages.ui.i18n import _
from pages.ui.text import count, listed, md, size
from pages.ui.ways_in import names_in


def section(ws: Workspace, page: str = "model") -> None:
    """All of it, in a box of its own. `page`: the one that shows it."""
    with st.container(border=True):
        st.markdown(f"**{_('Your own word vectors')}**")
        st.caption(_("Vectors that were learned elsewhere, in a language or a field of your own: files of GloVe, word2vec and fastText."))
        _ended(ws)
        if _running(ws):
            fragment_of(page, _progress, run_every=0.5)()
        for one in list_vector_sets(ws):
            _set(ws, one)
        with st.expander(_("Add word vectors"), icon=":material/add:", expanded=bool(state.get("vectors.error"))):
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
                    _do(lambda: _delete(ws, one))


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

def _mine(ws: Workspace) -> dict[str, vector_import.VectorImport]:
    return {key: now for key, now in vector_import.imports(ws).items() if now.owner == state.me()}


def _running(ws: Workspace) -> bool:
    return any(now.state == "running" for now in _mine(ws).values())


def _ended(ws: Workspace) -> None:
    """Why an import failed, until the reader has seen it; one that is done stands in the list."""
    for key, now in _mine(ws).items():
        if now.state == "done":
            vector_import.forget(ws, key)
            st.toast(_("The word vectors “{name}” are ready.", name=md(now.title)), icon=":material/check:")
        if now.error:
            show_error(now.error)
            if st.button(_("All right"), key=f"vectors.seen.{key}"):
                vector_import.forget(ws, key)
                st.rerun()


def _progress() -> None:
    ws = state.workspace()
    running = {key: now for key, now in _mine(ws).items() if now.state == "running"}
    if set(running) != state.get("vectors.running", set(running)) or not running:
        state.take("vectors.running")
        st.rerun()
    state.put("vectors.running", set(running))
    for key, now in running.items():
        st.progress(now.share, text=_("Reading “{name}” …", name=md(now.title)))
        if st.button(_("Cancel"), key=f"vectors.cancel.{key}"):
            vector_import.cancel(ws, key)
            st.rerun()


# ---- adding ----

def _add(ws: Workspace) -> None:
    error = state.get("vectors.error")
    if error:
        show_error(error)
    ways = {"upload": _("Upload a file")}
    if roots(ws):
        ways["path"] = _("Folder of this machine")
    if vector_import.incoming(ws):
        ways["incoming"] = _("Files put ready")
    name = st.text_input(_("Name"), key=f"vectors.name.{state.rev('vectors')}", max_chars=vector_import.MOST_NAME,
                         placeholder=_("The name of the file, if you give none"))
    way = "upload"
    if len(ways) > 1:
        way = st.segmented_control(_("Where is the file?"), list(ways), format_func=ways.get, default=way, required=True, key="vectors.way",
                                   label_visibility="collapsed")
    {"upload": _from_upload, "path": _from_path, "incoming": _from_incoming}[way](ws, name)
    if state.me() == LOCAL_OWNER:
        st.caption(_("A very large file need not be uploaded: put it into {dir} on this machine and reload the page.",
                     dir=md(str(vector_import.incoming_folder(ws)))))


def _from_upload(ws: Workspace, name: str) -> None:
    upload_id = importer.inbox_id("vectors")
    token = mint(ws, state.me(), "upload", upload=upload_id)
    done = upload(token, key=f"vectors.upload.{upload_id}", single=True, text={
        "label": _("Upload word vectors"), "drop": _("Drop a file with word vectors here"), "files": _("Choose file"),
        "hint": _("As text or binary (.txt, .vec, .bin), also packed as gz or zip.")})
    if done and done.n:
        state.update(vectors=new_id())
        if inbox.take(ws, upload_id):
            _do(lambda: _start_uploaded(ws, name or done.name, upload_id))
        st.rerun()


def _start_uploaded(ws: Workspace, title: str, upload_id: str) -> None:
    """Raises what `vector_import.start` does; what arrived is removed then: no page would come back to it."""
    try:
        vector_import.start(ws, title or _("my word vectors"), "upload", upload_id, state.me())
    except (UserError, OSError):
        inbox.release(ws, upload_id)
        inbox.clear(inbox.inbox_of(ws, upload_id))
        raise


def _from_path(ws: Workspace, name: str) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        root = st.selectbox(_("Folder"), roots(ws), format_func=str, key="vectors.root", width=300)
        files = [name for name in names_in(root) if (root / name).is_file()]
        below = st.selectbox(_("File inside it"), files, key="vectors.below", accept_new_options=True, index=None, width=300)
        if st.button(_("Use this file"), key="vectors.path.use", disabled=not below):
            _do(lambda: vector_import.start(ws, name or Path(below).stem, "path", str(root / below), state.me()))


def _from_incoming(ws: Workspace, name: str) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        file = st.selectbox(_("File"), vector_import.incoming(ws), key="vectors.file", width=300)
        if st.button(_("Use this file"), key="vectors.incoming.use"):
            _do(lambda: vector_import.start(ws, name or Path(file).stem, "incoming", file, state.me()))


def _do(action: Callable[[], object]) -> None:
    """Run the page again afterwards, which shows the result, or why there is none."""
    state.take("vectors.error")
    try:
        action()
    except UserError as error:
        state.put("vectors.error", error)
    except OSError as error:
        state.put("vectors.error", DataError("The import could not begin.", "The system says: {reason}", "Free some space, then try again.",
                                             reason=error.strerror or str(error)))
    else:
        state.bump("vectors")
    st.rerun()
