"""A checkpoint file of your own: choose its architecture, bring the file, watch it become a model, delete it again."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from core.data.limits import roots
from core.errors import DataError, UserError
from core.jobs import checkpoint_import
from core.jobs.runs import check_unused
from core.models.catalog import CATALOG, known
from core.models.own import delete_file, file_rows
from core.models.rows import ModelRow
from core.owners import LOCAL_OWNER
from core.workspace import Workspace, new_id
from pages.routes import inbox
from pages.routes.tokens import mint
from pages.ui import importer, state
from pages.ui.components.upload import upload
from pages.ui.errors import show_error
from pages.ui.fragments import fragment_of
from pages.ui.i18n import _
from pages.ui.text import listed, md, size
from pages.ui.ways_in import names_in


def section(ws: Workspace, task: str, page: str = "model") -> None:
    """All of it, in a box of its own. `page`: the one that shows it."""
    with st.container(border=True):
        st.markdown(f"**{_('A checkpoint file of your own')}**")
        st.caption(_("Weights that were trained elsewhere, for an architecture of the catalog: a state dict ({endings}). Its head is left "
                     "out, whatever labels it had. Code in such a file is never run.", endings=listed(checkpoint_import.ENDINGS)))
        _ended(ws)
        if any(now.state == "running" for now in _mine(ws).values()):
            fragment_of(page, _progress, run_every=0.5)()
        for row in file_rows(ws).values():
            if row.task == task:
                _file(ws, row)
        with st.expander(_("Add a checkpoint file"), icon=":material/add:", expanded=bool(state.get("checkpoint.error")) or any(now.error for now in _mine(ws).values())):
            _add(ws, task)


def _file(ws: Workspace, row: ModelRow) -> None:
    base = known(row.base, ws)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{md(row.title)}**  :gray[{md(base.title if base else row.base)}, {size(row.size_bytes)}]", width="content")
        st.space("stretch")
        if state.me() == LOCAL_OWNER:
            with st.popover(_("Delete"), type="tertiary", icon=":material/delete:"):
                st.caption(_("Its weights are deleted here; the file that you brought is not touched. Models that began as it keep what they need."))
                if st.button(_("Delete this model"), key=f"checkpoint.delete.{row.key}"):
                    _do(lambda: _delete(ws, row))


def _delete(ws: Workspace, row: ModelRow) -> None:
    check_unused(ws, row.key)
    delete_file(ws, row.key)


# ---- what is under way ----

def _mine(ws: Workspace) -> dict[str, checkpoint_import.CheckpointImport]:
    return checkpoint_import.imports(ws, state.me())


def _ended(ws: Workspace) -> None:
    """Why an import failed, until the reader has seen it; one that is done becomes the model that is chosen."""
    for key, now in _mine(ws).items():
        if now.state == "done":
            checkpoint_import.forget(ws, key)
            state.choose_model(now.key)
            st.rerun()
        if now.error:
            show_error(now.error)
            with st.container(horizontal=True):
                for base in now.like:
                    if st.button(_("Use it as {model}", model=md(CATALOG[base].title)), key=f"checkpoint.again.{key}.{base}"):
                        _do(lambda: checkpoint_import.again(ws, key, base))
                if st.button(_("All right"), key=f"checkpoint.seen.{key}"):
                    checkpoint_import.forget(ws, key)
                    st.rerun()


def _progress() -> None:
    ws = state.workspace()
    running = {key: now for key, now in _mine(ws).items() if now.state == "running"}
    if set(running) != state.get("checkpoint.running", set(running)) or not running:
        state.take("checkpoint.running")
        st.rerun()
    state.put("checkpoint.running", set(running))
    for key, now in running.items():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f":material/progress_activity: {_('Reading “{name}” …', name=md(now.title))}", width="content")
            if st.button(_("Cancel"), key=f"checkpoint.cancel.{key}"):
                checkpoint_import.cancel(ws, key)
                st.rerun()


# ---- adding ----

def _add(ws: Workspace, task: str) -> None:
    if error := state.get("checkpoint.error"):
        show_error(error)
    rows = checkpoint_import.architectures(task)
    if not rows:
        st.caption(_("No such architecture is on this machine: download its model first. Its tokenizer is needed too, and no checkpoint holds one."))
        return
    left, right = st.columns(2)
    base = left.selectbox(_("Architecture"), [row.key for row in rows], format_func=lambda key: CATALOG[key].title, key=f"checkpoint.base.{task}",
                          help=_("The network that the weights belong to. If it is another one, you are told which it looks like."))
    name = right.text_input(_("Name"), key=f"checkpoint.name.{state.rev('checkpoint')}", max_chars=checkpoint_import.MOST_NAME,
                            placeholder=_("The name of the file, if you give none"))
    way = "upload"
    if roots(ws):
        ways = {"upload": _("Upload a file"), "path": _("Folder of this machine")}
        way = st.segmented_control(_("Where is the file?"), list(ways), format_func=ways.get, default=way, required=True, key="checkpoint.way",
                                   label_visibility="collapsed")
    {"upload": _from_upload, "path": _from_path}[way](ws, base, name)


def _from_upload(ws: Workspace, base: str, name: str) -> None:
    upload_id = importer.inbox_id("checkpoint")
    token = mint(ws, state.me(), "upload", upload=upload_id)
    done = upload(token, key=f"checkpoint.upload.{upload_id}", single=True, text={
        "label": _("Upload a checkpoint file"), "drop": _("Drop a checkpoint file here"), "files": _("Choose file"),
        "hint": listed(checkpoint_import.ENDINGS)})
    if done and done.n:
        state.update(checkpoint=new_id())
        if inbox.take(ws, upload_id):
            _do(lambda: _start_uploaded(ws, name or done.name or _("my weights"), base, upload_id))
        st.rerun()


def _start_uploaded(ws: Workspace, title: str, base: str, upload_id: str) -> None:
    """Raises what `checkpoint_import.start` does; what arrived is removed then: no page would come back to it."""
    try:
        checkpoint_import.start(ws, title, base, "upload", upload_id, state.me())
    except (UserError, OSError):
        inbox.release(ws, upload_id)
        inbox.clear(inbox.inbox_of(ws, upload_id))
        raise


def _from_path(ws: Workspace, base: str, name: str) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        root = st.selectbox(_("Folder"), roots(ws), format_func=str, key="checkpoint.root", width=300)
        files = [name for name in names_in(root) if (root / name).is_file()]
        below = st.selectbox(_("File inside it"), files, key="checkpoint.below", accept_new_options=True, index=None, width=300)
        if st.button(_("Use this file"), key="checkpoint.path.use", disabled=not below):
            _do(lambda: checkpoint_import.start(ws, name or Path(below).stem, base, "path", str(root / below), state.me()))


def _do(action: Callable[[], object]) -> None:
    """Run the page again afterwards, which shows the result, or why there is none."""
    state.take("checkpoint.error")
    try:
        action()
    except UserError as error:
        state.put("checkpoint.error", error)
    except OSError as error:
        state.put("checkpoint.error", DataError("The import could not begin.", "The system says: {reason}", "Free some space, then try again.",
                                                reason=error.strerror or str(error)))
    else:
        state.bump("checkpoint")
    st.rerun()
