"""Text that users typed, made safe for Markdown, and numbers as people read them."""
from __future__ import annotations

import re

from pages.ui.i18n import _

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:&])")


def md(text: str) -> str:
    """`text` so that Markdown shows it literally, on one line: no picture is fetched, no link made, no colour set."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split())).replace("\\<", "&lt;").replace("\\>", "&gt;").replace("\\&", "&amp;")


def percent(share: float | None) -> str:
    """Whole percents: the range beside a score says that more digits would be an illusion."""
    return "–" if share is None else f"{share * 100:.0f} %"


def score_range(score: float, low: float, high: float) -> str:
    return f"{score * 100:.0f} % ({low * 100:.0f}–{high * 100:.0f})"


def duration(seconds: float) -> str:
    """Rounded as an estimate deserves."""
    if seconds < 1:
        return _("under 1 s")
    if seconds < 90:
        return _("{n} s", n=round(seconds) if seconds < 10 else round(seconds / 5) * 5)
    if seconds < 5400:
        return _("{n} min", n=round(seconds / 60))
    return _("{n} h", n=f"{seconds / 3600:.1f}")


def size(n_bytes: float) -> str:
    return f"{n_bytes / 1e6:.0f} MB" if n_bytes < 1e9 else f"{n_bytes / 1e9:.1f} GB"


def count(n: float) -> str:
    """1,234 · 12.3 K · 5.0 M."""
    return f"{n:,.0f}" if n < 10_000 else f"{n / 1e3:.1f} K" if n < 1e6 else f"{n / 1e6:.1f} M"
