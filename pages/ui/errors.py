"""Faults as people can use them: what is safe, what happened, why, and what to do now."""
from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from core.errors import UserError
from pages.ui.i18n import _, explain
from pages.ui.text import md

log = logging.getLogger(__name__)


def show_error(error: UserError) -> None:
    title, cause, fix = explain(error)
    lines = [f"**{md(title)}**", md(cause), md(fix)]
    st.error("  \n".join(line for line in lines if line), icon=":material/error:")


@contextmanager
def acting(done: str = "") -> Iterator[None]:
    """What the reader asked for is tried inside; it says so when it is done, or why it can't be."""
    try:
        yield
    except UserError as error:
        title, cause, fix = explain(error)
        st.toast(" ".join(md(part) for part in (title, cause, fix) if part), icon=":material/error:", duration="long")
    else:
        if done:
            st.toast(done)


def show_unexpected(error: Exception) -> None:
    """Anything that is no `UserError`: it is our fault, and it says so."""
    log.exception("a page failed", exc_info=error)
    said = _("Your data and runs are safe. Reload the page; if it happens again, send the details below to whoever looks after Graft here.")
    st.error(f"**{_('Something went wrong on this page.')}**  \n{said}", icon=":material/error:")
    with st.expander(_("Details")):
        st.code("".join(traceback.format_exception(error)), language=None)
