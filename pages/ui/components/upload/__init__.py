"""The upload: drop or choose a folder, archives, tables or pictures, watch them arrive. Thousands of files, streamed to disk by the
upload route; what broke off goes on where it ended."""
from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from core.data.intake.entries import clean_name
from core.data.limits import UploadLimits, load_limits
from core.data.versions import Rejected
from pages.routes.parts import PIECE_BYTES
from pages.ui import state
from pages.ui.i18n import _, language


@dataclass(frozen=True, slots=True)
class UploadResult:
    """What has arrived. The browser says so: trust the upload's folder, not these figures."""
    n: int
    """Files."""
    bytes: int
    ms: int
    name: str
    """Of the folder or file, without extension; of the one table among several things, else empty. A user's text."""
    failed: tuple[Rejected, ...]
    """Files that were never sent."""


def upload(ws_token: str, *, key: str, text: dict[str, str] | None = None, single: bool = False) -> UploadResult | None:
    """Draw the drop zone; the result in the one run of the page that follows the last file, else None.

    `ws_token` is of scope "upload" with the claim `upload`, the id of a folder in the workspace. One id takes one upload: after a
    result the component rests until it is given a token with another id. The page also runs when an upload got stuck, so that it may
    give another token. `text` replaces single texts of `_texts`. `single`: one file of any kind is asked for; more may still be dropped.
    """
    limits = load_limits(state.workspace()).upload
    data = {"token": ws_token, "text": _texts() | (text or {}), "lang": language(), "limits": asdict(limits), "piece_bytes": PIECE_BYTES,
            "single": single}
    return _result(_component(key=key, data=data, on_done_change=lambda: None, on_stuck_change=lambda: None).get("done"), limits)


def _result(done: Any, limits: UploadLimits) -> UploadResult | None:
    if not isinstance(done, dict):
        return None
    failed = tuple(_failed(entry, limits) for entry in done.get("failed", ()))
    return UploadResult(int(done["n"]), int(done["bytes"]), int(done["ms"]), str(done["name"])[:80], failed)


def _failed(entry: dict[str, str], limits: UploadLimits) -> Rejected:
    name = clean_name(str(entry["name"]))[:200]
    if entry["why"] == "size":
        return Rejected(name, "It is larger than {limit} GB.", {"limit": f"{limits.file_bytes / 2**30:.3g}"})
    if entry["why"] == "name":
        return Rejected(name, "Its name, with its folders, is too long.")
    return Rejected(name, "The browser could not read it.")


def _texts() -> dict[str, str]:
    return {
        "label": _("Upload files"),
        "drop": _("Drop a folder, an archive or a table here"),
        "hint": _("One sub-folder for each label, such as cats and dogs. Or a table with a column of labels."),
        "folder": _("Choose folder"),
        "files": _("Choose files"),
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
        "before": _("{n} files of “{name}” have arrived. Choose the same folder again to go on."),
        "before_some": _("{n} files have arrived. Choose the same ones again to go on."),
        "before_part": _("{done} of “{name}” have arrived. Choose the same file again to go on."),
        "forget": _("Discard this upload"),
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


def asset(name: str) -> str:
    """The text of a file beside this one."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


_component = st.components.v2.component(
    "graft_upload", html='<div class="up"></div>', css=asset("upload.css"), js=asset("sending.js") + asset("upload.js"))
