"""Interface text in the reader's language. The English text is the key: `_("Run {name}", name=run.name)`."""
from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Literal

import streamlit as st

from core.errors import UserError
from pages.ui.state import chosen_language

Language = Literal["en", "zh-CN"]
LANGUAGES: dict[Language, str] = {"en": "English", "zh-CN": "简体中文"}
TRANSLATIONS = Path(__file__).parents[2] / "assets" / "translations"


@cache
def catalogue(language: Language) -> dict[str, str]:
    """All entries of a language, merged from the files of its folder. Empty for English, which is the key."""
    entries: dict[str, str] = {}
    for path in sorted((TRANSLATIONS / language).glob("*.json")):
        entries |= json.loads(path.read_text(encoding="utf-8"))
    return entries


def language() -> Language:
    """The reader's choice, else the browser's language."""
    chosen = chosen_language()
    if chosen in LANGUAGES:
        return chosen
    return "zh-CN" if (st.context.locale or "").lower().startswith("zh") else "en"


def _(text: str, /, **values: object) -> str:
    """`text` in the reader's language with its `{placeholders}` filled. Escape values that users typed before passing them."""
    translated = catalogue(language()).get(text, text)
    return translated.format(**values) if values else translated


def explain(error: UserError) -> tuple[str, str, str]:
    """Title, cause and fix of an error in the reader's language; the cause may hold text that users typed: show it as plain text."""
    return tuple(_(part, **error.params) if part else "" for part in (error.title, error.cause, error.fix))  # type: ignore[return-value]
