"""One picture to ask the model about: a sample that is clicked, or a file that is chosen, dropped or pasted."""
from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import streamlit as st

from pages.ui.i18n import _
from pages.ui.text import size

MAX_BYTES = 40_000_000


@dataclass(frozen=True, slots=True)
class SamplePicture:
    sha: str
    url: str
    """Address of its thumbnail."""
    label: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """Either a sample (`sha`) or the bytes of a file."""
    sha: str = ""
    name: str = ""
    data: bytes = b""


def picture_input(samples: Sequence[SamplePicture], *, key: str, max_bytes: int = MAX_BYTES) -> Chosen | None:
    """What was brought since the last call; None when nothing was. The picture itself is not checked here."""
    data = {"samples": [asdict(sample) for sample in samples], "max": max_bytes, "text": {
        "samples": _("Samples it never learned from"), "own": _("Drop a picture here, paste it, or {link}"), "choose": _("choose a file"),
        "large": _("This file is too large. At most {limit} are possible.", limit=size(max_bytes)), "pick": _("Try this {label}")}}
    value = _component(key=key, data=data, on_picture_change=lambda: None).get("picture")
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("sha"), str) and value["sha"] in {sample.sha for sample in samples}:
        return Chosen(sha=value["sha"])
    try:
        content = base64.b64decode(value.get("data", ""), validate=True)
    except (binascii.Error, TypeError, ValueError):
        return None
    return Chosen(name=str(value.get("name", ""))[:200], data=content) if 0 < len(content) <= max_bytes else None


def _asset(suffix: str) -> str:
    return (Path(__file__).parent / f"picture_input{suffix}").read_text(encoding="utf-8")


_component = st.components.v2.component("graft_picture_input", html='<div class="pi"></div>', css=_asset(".css"), js=_asset(".js"))
