"""A name that somebody typed, or that stands in a table, as plain text on one line."""
from __future__ import annotations

import re
import unicodedata

NAME_CHARS = 200
"""The most that a label may have."""


def one_line(text: str) -> str:
    """Composed, with single blanks, without characters that steer a terminal, reverse the direction of writing or can't be encoded."""
    text = unicodedata.normalize("NFC", text)
    text = re.sub(r"[\u202a-\u202e\u2066-\u2069\u200e\u200f\u2028\u2029\ufeff]|(?![\t\n\r])[\x00-\x1f\x7f-\x9f]", "", text)
    return " ".join(re.sub(r"[\ud800-\udfff]", "\ufffd", text).split())
