"""An empty page: a line drawing, one sentence, the way on."""
from __future__ import annotations

import html

import streamlit as st

SHOOT = ('<svg viewBox="0 0 64 64" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round" '
         'aria-hidden="true"><path d="M32 58V30M32 30c0-10 8-16 18-16 0 10-8 16-18 16zM32 40c0-8-6-13-15-13 0 8 6 13 15 13zM22 58h20"/></svg>')


def empty(sentence: str) -> None:
    st.html(f'<div class="graft-empty">{SHOOT}<p>{html.escape(sentence)}</p></div>')
