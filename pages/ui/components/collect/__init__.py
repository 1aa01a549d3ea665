"""Pictures collected label by label: a card for each, filled from files, folders or the camera. Everything is uploaded as it comes."""
from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import streamlit as st

from core.data.limits import load_limits
from core.data.versions import LEAST_PER_LABEL
from pages.ui import state
from pages.ui.components import upload
from pages.ui.i18n import _, language


@dataclass(frozen=True, slots=True)
class Collected:
    """`names`: what each folder of the upload is called, in the order of the cards. Names that a user typed, none of them twice."""
    names: dict[str, str]


def collect(ws_token: str, *, upload_id: str, key: str) -> Collected | None:
    """Draw the cards; the result in the one run of the page that follows the wish to use the pictures, else None.

    `ws_token` is of scope "upload" with the claim `upload`, which is `upload_id`. The pictures lie there as `<class>/<file>`. The page
    also runs when sending got stuck, so that it may give another token.
    """
    limits = load_limits(state.workspace()).upload
    data = {"token": ws_token, "id": upload_id, "text": _texts(), "lang": language(), "limits": asdict(limits), "least": LEAST_PER_LABEL}
    return _result(_component(key=key, data=data, on_done_change=lambda: None, on_stuck_change=lambda: None).get("done"))


def _result(done: Any) -> Collected | None:
    if not isinstance(done, dict) or not isinstance(done.get("names"), dict):
        return None
    return Collected({str(key): str(name)[:80] for key, name in done["names"].items()})


def _texts() -> dict[str, str]:
    return {
        "label": _("Collect pictures label by label"),
        "class_n": _("Label {n}"),
        "class_name": _("Name of this label"),
        "add": _("Add a label"),
        "remove": _("Remove {name} with its pictures"),
        "none": _("No pictures yet"),
        "one": _("1 picture"),
        "count": _("{n} pictures"),
        "more": _("{n} more"),
        "drop": _("Drop pictures or a folder here"),
        "release": _("Let go to add them"),
        "files": _("Choose pictures"),
        "folder": _("Choose folder"),
        "camera": _("Use camera"),
        "camera_off": _("Close camera"),
        "opening": _("Opening the camera …"),
        "hold": _("Hold to record"),
        "recording": _("Recording …"),
        "hold_hint": _("Move and turn what you show. The space bar works too."),
        "no_camera": _("No camera was found. Connect one and try again, or choose pictures instead."),
        "refused": _("The browser does not let this page use the camera. Allow it beside the address, then try again, "
                     "or choose pictures instead."),
        "busy": _("The camera is in use by another program. Close that one and try again, or choose pictures instead."),
        "insecure": _("A browser gives the camera only to addresses that begin with https or localhost. Choose pictures instead."),
        "take_back": _("Remove picture {n}"),
        "unreadable": _("Could not be read: {n}"),
        "skipped": _("Not pictures, so left out: {n}"),
        "total": _("{n} pictures, {k} labels"),
        "need": _("At least two labels with {m} pictures each, better 20 or more."),
        "same": _("Two labels are called “{name}”. Give each a name of its own."),
        "nameless": _("A label has no name yet."),
        "sending": _("Sending, {n} left …"),
        "again": _("The connection broke off. Trying again …"),
        "failed": _("The upload did not finish."),
        "lost": _("The app did not answer. What has arrived is safe and is not sent twice."),
        "retry": _("Try again"),
        "use": _("Use these pictures"),
        "clear": _("Start over"),
        "clear_really": _("Really remove all pictures?"),
    }


_component = st.components.v2.component(
    "graft_collect", html='<div class="co"></div>', css=upload.asset("../collect/collect.css"),
    js="\n".join(upload.asset(name) for name in ("sending.js", "../collect/camera.js", "../collect/card.js", "../collect/collect.js")))
