"""The ways in which data comes: a folder or files, label by label, pasted texts, a folder of this machine."""
from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

import streamlit as st

from core.data.limits import inside_roots, roots
from core.errors import UserError
from pages.ui import importer, state
from pages.ui.collector import collector
from pages.ui.errors import show_error
from pages.ui.i18n import _

PASTE_CHARS = 2_000_000
MOST_FOLDERS = 500
MOST_READ = 5_000
"""Entries of a folder that are looked at for the list, which is made anew in each run of the page; other names can be typed."""


def choose(place: str) -> None:
    """One way at a time; the first is the one that most people need."""
    ways = {"files": _("Folder or files"), "classes": _("Label by label, with a camera too"), "paste": _("Paste texts")}
    if roots(state.workspace()):
        ways["here"] = _("Folder of this machine")
    way = st.segmented_control(_("Where do your examples come from?"), list(ways), format_func=ways.get, default="classes" if importer.collecting() else "files", required=True,
                               key=f"{place}.way", label_visibility="collapsed")
    if way == "classes":
        collector(place)
    elif way == "paste":
        _paste(place)
    elif way == "here":
        _from_here(place)
    else:
        importer.drop_zone(place)


def _paste(place: str) -> None:
    text = st.text_area(_("Labeled texts"), state.get("pasted", ""), key=f"{place}.paste", height=220, max_chars=PASTE_CHARS, placeholder=_(
        "One text a line, its label before it, with a comma or a tab between:\nspam, You have won a prize\nham, See you at eight"))
    if st.button(_("Use these texts"), type="primary", key=f"{place}.paste.use"):
        importer.begin_paste(text)


def _from_here(place: str) -> None:
    """A folder or file below those that the owner of the machine has opened for this; nothing is uploaded."""
    st.caption(_("These folders are on the machine on which Graft runs. Nothing is uploaded."))
    allowed = roots(state.workspace())
    with st.container(horizontal=True, vertical_alignment="bottom"):
        root = st.selectbox(_("Folder"), allowed, format_func=str, key=f"{place}.root", width=380)
        below = st.selectbox(_("Folder inside it"), ["", *names_in(root)], key=f"{place}.below", accept_new_options=True, width=300,
                             format_func=lambda name: name or _("(the whole folder)"))
        if st.button(_("Use this folder"), type="primary", key=f"{place}.here.use"):
            try:
                path = inside_roots(state.workspace(), root / below if below else root)
            except UserError as error:
                show_error(error)
            else:
                importer.begin_path(path)


def names_in(root: Path) -> list[str]:
    """What lies right in a folder, folders first; of a very large one only a part."""
    try:
        with os.scandir(root) as entries:
            found = sorted((not _is_folder(entry), entry.name) for entry in islice(entries, MOST_READ) if not entry.name.startswith("."))
    except OSError:
        return []
    return [name for _file, name in found[:MOST_FOLDERS]]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle, or to where nobody may look
        return False
