"""Grids of small pictures, fetched lazily from the thumbnail route."""
from __future__ import annotations

import html
from collections.abc import Iterable

import streamlit as st

from pages.routes.tokens import mint
from pages.ui import state


def thumbs_url(dataset: str) -> str:
    """A template for `str.format(sha=…)`. The token is minted once a session and dataset, so that the browser's cache works."""
    key = f"thumbs.{dataset}"
    if not state.get(key):
        state.put(key, mint(state.workspace(), state.me(), "thumbs", dataset=dataset))
    return f"graft/thumb/{{sha}}?token={state.get(key)}"


def grid(dataset: str, pictures: Iterable[tuple[str, str]], *, wide: bool = False) -> None:
    """Pictures as (sha, caption); captions are shown as plain text, line by line."""
    url = thumbs_url(dataset)
    cells = "".join(
        f'<figure><img loading="lazy" alt="{html.escape(caption)}" title="{html.escape(caption)}" src="{url.format(sha=sha)}">'
        + "".join(f"<figcaption>{html.escape(line)}</figcaption>" for line in caption.splitlines()) + "</figure>" for sha, caption in pictures)
    st.html(f'<div class="graft-thumbs{" wide" if wide else ""}">{cells}</div>')
