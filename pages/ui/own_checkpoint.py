"""A checkpoint file of your own: choose its architecture, bring the file, watch it become a model, delete it again."""
from __future__ import annotations

import streamlit as st

from core.jobs import checkpoint_import
from core.jobs.checkpoint_import import Checkpoint
from core.jobs.runs import check_unused
from core.jobs.side_jobs import Job
from core.models.catalog import CATALOG, known
from core.models.own import delete_file, file_rows
from core.models.rows import ModelRow
from core.owners import LOCAL_OWNER
from core.workspace import Workspace
from pages.ui import bring_file, state
from pages.ui.errors import show_error
from pages.ui.fragments import fragment_of
from pages.ui.i18n import _
from pages.ui.text import listed, md, size


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
        failed = bring_file.refused("checkpoint") or any(now.error for now in _mine(ws).values())
        with st.expander(_("Add a checkpoint file"), icon=":material/add:", expanded=failed):
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
                    bring_file.attempt("checkpoint", lambda: _delete(ws, row))


def _delete(ws: Workspace, row: ModelRow) -> None:
    check_unused(ws, row.key)
    delete_file(ws, row.key)


# ---- what is under way ----

def _mine(ws: Workspace) -> dict[str, Job[Checkpoint]]:
    return checkpoint_import.imports(ws, state.me())


def _ended(ws: Workspace) -> None:
    """Why an import failed, until the reader has seen it; one that is done becomes the model that is chosen."""
    for key, now in _mine(ws).items():
        if now.state == "done":
            checkpoint_import.forget(ws, key)
            state.choose_model(now.result)
            st.rerun()
        if now.error:
            show_error(now.error)
            with st.container(horizontal=True):
                for base in checkpoint_import.like(now):
                    if st.button(_("Use it as {model}", model=md(CATALOG[base].title)), key=f"checkpoint.again.{key}.{base}"):
                        bring_file.attempt("checkpoint", lambda: checkpoint_import.again(ws, key, base))
                if st.button(_("All right"), key=f"checkpoint.seen.{key}"):
                    checkpoint_import.forget(ws, key)
                    st.rerun()


def _progress() -> None:
    ws = state.workspace()
    bring_file.running("checkpoint", _mine(ws), _reading, lambda key: checkpoint_import.cancel(ws, key))


def _reading(now: Job[Checkpoint]) -> None:
    st.markdown(f":material/progress_activity: {_('Reading “{name}” …', name=md(now.ask.brought.title))}", width="content")


# ---- adding ----

def _add(ws: Workspace, task: str) -> None:
    bring_file.last_error("checkpoint")
    rows = checkpoint_import.architectures(task)
    if not rows:
        st.caption(_("No such architecture is on this machine: download its model first. Its tokenizer is needed too, and no checkpoint holds one."))
        return
    left, right = st.columns(2)
    base = left.selectbox(_("Architecture"), [row.key for row in rows], format_func=lambda key: CATALOG[key].title, key=f"checkpoint.base.{task}",
                          help=_("The network that the weights belong to. If it is another one, you are told which it looks like."))
    with right:
        name = bring_file.name_field("checkpoint")
    words = bring_file.Words(_("Upload a checkpoint file"), _("Drop a checkpoint file here"), listed(checkpoint_import.ENDINGS),
                             _("my weights"))
    bring_file.choose(ws, "checkpoint", name, words,
                      lambda title, origin, source: checkpoint_import.start(ws, title, base, origin, source, state.me()))
