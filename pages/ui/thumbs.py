"""Grids of small pictures, fetched lazily from the thumbnail route."""
from __future__ import annotations

import html
from collections.abc import Iterable

import streamlit as st

from core.data.versions import load_dataset
from pages.routes.tokens import mint
from pages.ui import state


def thumbs_url(dataset: str, version: str = "") -> str:
    """A template for `str.format(sha=…)`. `version`: the one that a run used; its pictures are shown though later ones lack some.

    The token is minted once a session, dataset and version, so that the browser's cache works. It names no version where that is the
    current one: an edit then leaves the addresses of all pictures as they were.
    """
    ws, who = state.workspace(), state.me()
    older = {"version": version} if version and version != load_dataset(ws, dataset, who).current else {}
    key = f"thumbs.{dataset}.{older.get('version', '')}"
    if not state.get(key):
        state.put(key, mint(ws, who, "thumbs", dataset=dataset, **older))
    return f"graft/thumb/{{sha}}?token={state.get(key)}"


def grid(dataset: str, pictures: Iterable[tuple[str, str]], *, wide: bool = False, version: str = "") -> None:
    """Pictures as (sha, caption); captions are shown as plain text, line by line. `version`: as for `thumbs_url`."""
    url = thumbs_url(dataset, version)
    cells = "".join(
        f'<figure><img loading="lazy" alt="{html.escape(caption)}" title="{html.escape(caption)}" src="{url.format(sha=sha)}">'
        + "".join(f"<figcaption>{html.escape(line)}</figcaption>" for line in caption.splitlines()) + "</figure>" for sha, caption in pictures)
    st.html(f'<div class="graft-thumbs{" wide" if wide else ""}">{cells}</div>')
