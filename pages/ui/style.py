"""The few rules of look that Streamlit's theme can't say."""
from __future__ import annotations

from pathlib import Path

import streamlit as st

CSS = Path(__file__).with_name("style.css").read_text(encoding="utf-8")


def apply() -> None:
    st.html(f"<style>{CSS}</style>")
