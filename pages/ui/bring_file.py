"""One file that becomes a model: how it is brought, what is under way, and why a try could not begin."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import streamlit as st

from core.data.limits import roots
from core.errors import DataError, UserError
from core.jobs.brought import MOST_NAME, Origin, incoming
from core.jobs.side_jobs import Ask, Job
from core.workspace import Workspace, new_id
from pages.routes import inbox
from pages.routes.tokens import mint
from pages.ui import importer, state
from pages.ui.components.upload import upload
from pages.ui.errors import show_error
from pages.ui.i18n import _
from pages.ui.ways_in import names_in

Place = Literal["vectors", "checkpoint"]
"""Whose form it is: the first word of its keys, and the upload of the draft that it fills."""
Start = Callable[[str, Origin, str], object]
"""Begins with a name, and with where the file is."""


@dataclass(frozen=True, slots=True)
class Words:
    """What the drop zone says. `unnamed`: the name of what is brought without any."""
    label: str
    drop: str
    hint: str
    unnamed: str


def name_field(place: Place) -> str:
    return st.text_input(_("Name"), key=f"{place}.name.{state.rev(place)}", max_chars=MOST_NAME,
                         placeholder=_("The name of the file, if you give none")) or ""


def choose(ws: Workspace, place: Place, name: str, words: Words, start: Start, *, put_ready: bool = False) -> None:
    """The ways to bring a file, of which one is used at a time. `put_ready`: also from the incoming folder."""
    ways = {"upload": _("Upload a file")}
    if roots(ws):
        ways["path"] = _("Folder of this machine")
    if put_ready and incoming(ws):
        ways["incoming"] = _("Files put ready")
    way = "upload"
    if len(ways) > 1:
        way = st.segmented_control(_("Where is the file?"), list(ways), format_func=ways.get, default=way, required=True,
                                   key=f"{place}.way", label_visibility="collapsed")
    if way == "upload":
        _from_upload(ws, place, name, words, start)
    elif way == "path":
        _from_path(ws, place, name, start)
    else:
        _from_incoming(ws, place, name, start)


def _from_upload(ws: Workspace, place: Place, name: str, words: Words, start: Start) -> None:
    upload_id = importer.inbox_id(place)
    token = mint(ws, state.me(), "upload", upload=upload_id)
    done = upload(token, key=f"{place}.upload.{upload_id}", single=True, text={
        "label": words.label, "drop": words.drop, "files": _("Choose file"), "hint": words.hint})
    if done and done.n:
        state.update(**{place: new_id()})
        if inbox.take(ws, upload_id):
            attempt(place, lambda: _start_uploaded(ws, name or done.name or words.unnamed, upload_id, start))
        st.rerun()


def _start_uploaded(ws: Workspace, title: str, upload_id: str, start: Start) -> None:
    """Raises what `start` does; what arrived is removed then: no page would come back to it."""
    try:
        start(title, "upload", upload_id)
    except (UserError, OSError):
        inbox.release(ws, upload_id)
        inbox.clear(inbox.inbox_of(ws, upload_id))
        raise


def _from_path(ws: Workspace, place: Place, name: str, start: Start) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        root = st.selectbox(_("Folder"), roots(ws), format_func=str, key=f"{place}.root", width=300)
        files = [name for name in names_in(root) if (root / name).is_file()]
        below = st.selectbox(_("File inside it"), files, key=f"{place}.below", accept_new_options=True, index=None, width=300)
        if st.button(_("Use this file"), key=f"{place}.path.use", disabled=not below):
            attempt(place, lambda: start(name or Path(below).stem, "path", str(root / below)))


def _from_incoming(ws: Workspace, place: Place, name: str, start: Start) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        file = st.selectbox(_("File"), incoming(ws), key=f"{place}.file", width=300)
        if st.button(_("Use this file"), key=f"{place}.incoming.use"):
            attempt(place, lambda: start(name or Path(file).stem, "incoming", file))


def attempt(place: Place, action: Callable[[], object]) -> None:
    """Run the page again afterwards, which shows the result, or why there is none (`last_error`)."""
    state.take(f"{place}.error")
    try:
        action()
    except UserError as error:
        state.put(f"{place}.error", error)
    except OSError as error:
        state.put(f"{place}.error", DataError("The import could not begin.", "The system says: {reason}",
                                              "Free some space, then try again.", reason=error.strerror or str(error)))
    else:
        state.bump(place)
    st.rerun()


def refused(place: Place) -> bool:
    """Whether the last try could not begin."""
    return state.get(f"{place}.error") is not None


def last_error(place: Place) -> None:
    if error := state.get(f"{place}.error"):
        show_error(error)


def running(place: Place, jobs: Mapping[str, Job[Ask]], row: Callable[[Job[Ask]], None], cancel: Callable[[str], None]) -> None:
    """Those of the jobs that run, each drawn by `row` with a way to stop it; the page runs again when one of them has ended."""
    under_way = {key: now for key, now in jobs.items() if now.state == "running"}
    if not under_way or set(under_way) != state.get(f"{place}.running", set(under_way)):
        state.take(f"{place}.running")
        st.rerun()
    state.put(f"{place}.running", set(under_way))
    for key, now in under_way.items():
        with st.container(horizontal=True, vertical_alignment="center"):
            row(now)
            if st.button(_("Cancel"), key=f"{place}.cancel.{key}"):
                cancel(key)
                st.rerun()
