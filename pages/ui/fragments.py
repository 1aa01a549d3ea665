"""Parts of a page that run again by themselves, each belonging to one page."""
from __future__ import annotations

from collections.abc import Callable

import streamlit as st


def fragment_of(page: str, function: Callable[[], None], *, run_every: float) -> Callable[[], None]:
    """`function` as a fragment of the page's own, though several pages show it.

    When the browser's last request to rerun that of the page before comes late, it is dropped. Were it the same fragment, it would
    run as part of the page before, and the browser would clear what it shows for that.
    """
    def part() -> None:
        function()
    part.__qualname__ = f"{function.__qualname__}_on_{page}"  # fragments are told apart by their names
    part.__module__ = function.__module__
    return st.fragment(part, run_every=run_every)
