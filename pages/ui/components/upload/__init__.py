"""The upload: drop or choose a folder or a zip, watch it arrive. Thousands of files, streamed to disk by the upload route."""
from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from core.data.versions import Rejected
from pages.routes.inbox import LIMITS
from pages.ui.i18n import _, language


@dataclass(frozen=True, slots=True)
class UploadResult:
    """What has arrived. The browser says so: trust the upload's folder, not these figures."""
    n: int
    """Files."""
    bytes: int
    ms: int
    name: str
    """Of the folder or zip, without extension; empty where several things were dropped. A user's text."""
    failed: tuple[Rejected, ...]
    """Files that were never sent."""


def upload(ws_token: str, *, key: str, text: dict[str, str] | None = None) -> UploadResult | None:
    """Draw the drop zone; the result in the one run of the page that follows the last file, else None.

    `ws_token` is of scope "upload" with the claim `upload`, the id of a folder in the workspace. One id takes one upload: after a
    result the component rests until it is given a token with another id. `text` replaces single texts of `_texts`.
    """
    data = {"token": ws_token, "text": _texts() | (text or {}), "lang": language(), "limits": asdict(LIMITS)}
    return _result(_component(key=key, data=data, on_done_change=lambda: None).get("done"))


def _result(done: Any) -> UploadResult | None:
    if not isinstance(done, dict):
        return None
    failed = tuple(_failed(entry) for entry in done.get("failed", ()))
    return UploadResult(int(done["n"]), int(done["bytes"]), int(done["ms"]), str(done["name"])[:80], failed)


def _failed(entry: dict[str, str]) -> Rejected:
    name = str(entry["name"])
    if entry["why"] == "size":
        return Rejected(name, "It is larger than {limit} GB.", {"limit": round(LIMITS.file_bytes / 2**30)})
    if entry["why"] == "name":
        return Rejected(name, "Its name, with its folders, is too long.")
    return Rejected(name, "The browser could not read it.")


def _texts() -> dict[str, str]:
    return {
        "label": _("Upload pictures"),
        "drop": _("Drop a folder or a zip here"),
        "hint": _("With one sub-folder for each label, such as cats and dogs"),
        "folder": _("Choose folder"),
        "zip": _("Choose zip"),
        "release": _("Let go to upload"),
        "looking": _("Looking through the folder …"),
        "found": _("{n} files found so far"),
        "sending": _("Uploading {name}"),
        "sending_some": _("Uploading"),
        "count": _("{done} of {total} files"),
        "volume": _("{done} of {total}"),
        "again": _("The connection broke off. Trying again …"),
        "cancel": _("Cancel upload"),
        "arrived": _("{n} files have arrived."),
        "retry": _("Try again"),
        "other": _("Choose something else"),
        "failed": _("The upload did not finish."),
        "lost": _("The app did not answer. What has arrived is safe and is not sent twice."),
        "empty": _("There are no files in it."),
        "empty_fix": _("Choose the folder that holds your labeled sub-folders. Hidden files don't count."),
        "unreadable": _("None of the files could be read."),
        "unreadable_fix": _("They were moved, are still being written, or are not yours to open."),
        "much": _("That is too much at once."),
        "much_fix": _("At most {files} files with {size} together are possible. Upload a part of them."),
        "folder_failed": _("The folder can't be read."),
    }


HERE = Path(__file__).parent
_component = st.components.v2.component(
    "graft_upload", html='<div class="up"></div>', css=(HERE / "upload.css").read_text(encoding="utf-8"),
    js=(HERE / "upload.js").read_text(encoding="utf-8"))
