"""The catalog as cards: facts, whether the weights are here, and what to do when they are not."""
from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.data.versions import Version
from core.errors import UserError
from core.jobs import downloads
from core.models.catalog import ModelRow, models, on_this_machine, ready, weights_folder
from pages.ui import state
from pages.ui.errors import show_error
from pages.ui.fragments import fragment_of
from pages.ui.i18n import _
from pages.ui.text import count, listed, md, size

COLUMNS = 3


def _takes_pictures(row: ModelRow) -> list[str]:
    return [_("takes pictures of {n} × {n} pixels", n=row.input.input_size)]


def _takes_texts(row: ModelRow) -> list[str]:
    return [_("reads {language}, up to {n} tokens at once", language=_(row.input.languages), n=row.input.max_tokens),
            _("what you take home also opens in transformers’ pipeline()") if row.input.pipeline
            else _("what you take home brings its own predict.py")]


TAKES = {"image": _takes_pictures, "text": _takes_texts}
"""By task: facts of a model's input."""


def rows_for(version: Version | None) -> list[ModelRow]:
    """The models that can learn from this data; all of them while there is none."""
    return [row for row in models(state.workspace()).values() if version is None or row.task == version.task]


def grid(rows: Sequence[ModelRow], chosen: str) -> None:
    query = st.text_input(_("Search"), key="model.search", placeholder=_("Name or family"), icon=":material/search:",
                          label_visibility="collapsed", width=320)
    found = [row for row in rows if (query or "").lower() in f"{row.title} {row.family}".lower()]
    found.sort(key=lambda row: not on_this_machine(row))
    cards = st.grid(COLUMNS, min_column_width=250)
    for row in found:
        _card(cards, row, row.key == chosen)
    if not found:
        st.caption(_("No model of that name. Clear the search to see all."))


def missing_weights(row: ModelRow, page: str) -> None:
    """The chosen model has no weights here: offer to fetch them, or say which file goes where. `page`: the one that shows this."""
    ws = state.workspace()
    now = downloads.status(ws, row.key)
    with st.container(border=True):
        if now and now.state == "running":
            fragment_of(page, lambda: _progress(row), run_every=0.5)()
            return
        st.markdown(f":orange[:material/download: **{_('The weights of {model} are not on this machine yet.', model=md(row.title))}**]")
        if now and now.error:
            show_error(UserError(*now.error, **now.params))
        else:
            st.caption(_("{size} to download once. Without a network: put {file} in {dir}, or use a ready model: {ready}.",
                         size=size(row.size_bytes),
                         file=md(row.weights_file), dir=md(str(weights_folder(row))),
                         ready=listed(md(r.title) for r in ready(row.task))))
        if st.button(_("Download {size}", size=size(row.size_bytes)), icon=":material/download:", key=f"model.download.{row.key}"):
            downloads.start(ws, row.key)
            st.rerun()


def _progress(row: ModelRow) -> None:
    now = downloads.status(state.workspace(), row.key)
    if now is None or now.state != "running":
        if now and now.state == "done":
            downloads.forget(state.workspace(), row.key)
        st.rerun()
    st.progress(now.done / now.total if now.total else 0.0,
                text=_("Downloading {model}: {done} of {total}", model=md(row.title), done=size(now.done), total=size(now.total or row.size_bytes)))


def _card(cards: DeltaGenerator, row: ModelRow, chosen: bool) -> None:
    here = on_this_machine(row)
    with cards.container(border=True, height="stretch", key=f"card-{'chosen' if chosen else 'open'}-{row.key.replace('_', '-')}"):
        st.markdown(f"**{md(row.title)}**  " + (f":green-badge[:material/check: {_('on this machine')}]" if here
                                            else f":orange-badge[:material/download: {size(row.size_bytes)}]"))
        st.caption("  \n".join((
            _("{n} parameters, {size}", n=count(row.parameters), size=size(row.size_bytes)),
            *TAKES[row.task](row),
            *([_("{n} % accuracy: {source}", n=f"{row.score:.1f}", source=_(row.score_source))] if row.score is not None else []))))
        with st.container(horizontal=True, vertical_alignment="center"):
            if chosen:
                st.markdown(f":violet[:material/check_circle: **{_('chosen')}**]", width="content")
            elif st.button(_("Choose"), key=f"model.choose.{row.key}"):
                state.choose_model(row.key)
                st.rerun()
            with st.popover(_("About"), type="tertiary"):
                st.markdown("\n\n".join(_("**{name}**: {what}", name=name, what=_(what)) for name, what in (
                    (_("Learned from"), row.learnt_from), (_("Limits"), row.limits), (_("Licence"), row.licence))))
