"""An empty page: a line drawing, one sentence, the way on."""
from __future__ import annotations

import base64
import html

import streamlit as st

SHOOT = ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" fill="none" stroke="#8a8aa8" stroke-width="1.8" '
         'stroke-linecap="round" stroke-linejoin="round"><path d="M32 58V30M32 30c0-10 8-16 18-16 0 10-8 16-18 16zM32 40c0-8-6-13-15-13 0 8 6 13 15 13zM22 58h20"/></svg>')
PICTURE = base64.b64encode(SHOOT.encode("ascii")).decode("ascii")  # drawn elements are stripped from a page's own HTML, pictures are not


def empty(sentence: str) -> None:
    st.html(f'<div class="graft-empty"><img alt="" src="data:image/svg+xml;base64,{PICTURE}"><p>{html.escape(sentence)}</p></div>')
