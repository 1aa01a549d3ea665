"""Any model of the Hugging Face Hub, by its id, or one in a folder on this machine."""
from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.errors import UserError
from core.jobs import add_model
from core.jobs.add_model import Wanted
from core.jobs.runs import check_unused
from core.jobs.side_jobs import Job
from core.models.own import added_rows, forget_row
from core.models.rows import ModelRow
from core.owners import LOCAL_OWNER
from pages.ui import state
from pages.ui.errors import show_error
from pages.ui.fragments import fragment_of
from pages.ui.i18n import _
from pages.ui.text import md, size

WAYS = ("", "mean", "first", "last")


def _texts() -> None:
    st.markdown(f"**{_('Another model for texts')}**")
    st.caption(_("Any encoder or decoder of the Hugging Face Hub by its id, such as {example}, or one in a folder on this machine. "
                 "Code that comes with a model is never run.", example="google-bert/bert-base-uncased"))


def _pictures() -> None:
    st.markdown(f"**{_('Another model for pictures')}**")
    st.caption(_("A ViT, DeiT, DINOv2, ConvNeXt, Swin or ResNet of the Hugging Face Hub, or any network of timm, by its id, such as {example}, or "
                 "one in a folder on this machine. Code that comes with a model is never run.", example="timm/resnet18.a1_in1k"))


ABOUT: dict[str, Callable[[], None]] = {"text": _texts, "image": _pictures}
"""By task: what can be added."""
ASKS_POOLING = {"text"}
"""Tasks whose models have their pooling chosen when they are added; for others the plan of the head chooses it."""


def section(page: str, task: str) -> None:
    """`page`: the one that shows it."""
    with st.container(border=True):
        ABOUT[task]()
        now = _asked_for(task)
        if now and now.state == "done":
            _forget_asked(task)
            state.choose_model(now.result)
            st.rerun()
        for row in added_rows(state.workspace()).values():
            if row.task == task:
                _added(row)
        if now and now.state == "running":
            fragment_of(page, lambda: _progress(task), run_every=0.5)()
            return
        error = _form(task, now.ask.repo if now else "")
        if error or now and now.error:
            show_error(error or now.error)  # type: ignore[union-attr, arg-type]


def _asked_for(task: str) -> Job[Wanted] | None:
    """What the reader has last wanted to add, and how it went."""
    repo = state.get(f"model.adding.{task}")
    return add_model.status(state.workspace(), repo) if repo else None


def _forget_asked(task: str) -> None:
    add_model.forget(state.workspace(), state.take(f"model.adding.{task}"))


def _added(row: ModelRow) -> None:
    """A model that was added; whoever owns the machine may take it off the list again."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{md(row.title)}**  :gray[{md(row.repo)}]", width="content")
        st.space("stretch")
        if state.me() == LOCAL_OWNER:
            with st.popover(_("Delete"), type="tertiary", icon=":material/delete:"):
                st.caption(_("It leaves the list. Its files stay where they are, and models that began as it keep what they need."))
                if st.button(_("Delete this model"), key=f"model.forget.{row.key}"):
                    _forget(row)


def _forget(row: ModelRow) -> None:
    try:
        check_unused(state.workspace(), row.key)
    except UserError as error:
        show_error(error)
        return
    forget_row(state.workspace(), row.key)
    st.rerun()


def _form(task: str, before: str) -> UserError | None:
    """`before`: what was typed last, to be mended. What can't be begun is returned as the reason."""
    left, *middle, right = st.columns([4, 2, 1] if task in ASKS_POOLING else [6, 1], vertical_alignment="bottom")
    text = left.text_input(_("Id or folder"), before, key="model.add.id", placeholder="owner/name")
    pooling = middle[0].selectbox(_("One vector from"), WAYS, key="model.add.pooling", format_func={
        "": _("as the model suggests"), "mean": _("the mean of all tokens"), "first": _("the first token"), "last": _("the last token")}.get,
        help=_("How what was understood of the tokens becomes one answer for the text.")) if middle else ""
    if right.button(_("Add"), key="model.add", disabled=not (text or "").strip(), width="stretch"):
        try:
            state.put(f"model.adding.{task}", add_model.start(state.workspace(), text, pooling or None, state.me(), task))
        except UserError as error:
            return error
        st.rerun()
    return None


def _progress(task: str) -> None:
    now = _asked_for(task)
    if now is None or now.state != "running":
        st.rerun()  # the section says what came of it
    repo = md(now.ask.repo)
    st.progress(now.share, text=_("Adding {model}: {done} of {total}", model=repo, done=size(now.done), total=size(now.total))
                if now.total else _("Adding {model}", model=repo))
    if st.button(_("Cancel"), key="model.add.cancel"):
        add_model.cancel(state.workspace(), state.take(f"model.adding.{task}"))
        st.rerun()
