"""Text that users typed, made safe for Markdown, and numbers and lists as the reader's language writes them."""
from __future__ import annotations

import re
from collections.abc import Iterable

from pages.ui.i18n import _, language

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:&])")
_LINK = re.compile(r"(?i)(https?|ftp|mailto|xmpp)(?=:)|(www)(?=\.)|(?=@)")
"""Where the reader of Markdown sees a link by itself, whatever is escaped; a word joiner, which has no width, keeps it from that."""


def md(text: str) -> str:
    """`text` so that Markdown shows it literally, on one line: no picture is fetched, no link made, no colour set."""
    unlinked = _LINK.sub("\\g<0>\u2060", " ".join(text.split()))
    return _SPECIAL.sub(r"\\\1", unlinked).replace("\\<", "&lt;").replace("\\>", "&gt;").replace("\\&", "&amp;")


def percent(share: float | None) -> str:
    """Whole percents: the range beside a score says that more digits would be an illusion."""
    return "–" if share is None else _("{n} %", n=f"{share * 100:.0f}")


def likelihood(share: float) -> str:
    """How sure an answer is: like `percent`, but never rounded to certainty."""
    if 0 < share < 0.01:
        return _("under 1 %")
    if 0.99 < share < 1:
        return _("over 99 %")
    return percent(share)


def score_range(score: float, low: float, high: float) -> str:
    """93 % (88–96) · 93%（88–96）."""
    return _("{n} % ({low}–{high})", n=f"{score * 100:.0f}", low=f"{low * 100:.0f}", high=f"{high * 100:.0f}")


def listed(texts: Iterable[str]) -> str:
    """a, b · a、b."""
    return _(", ").join(texts)


def about(seconds: float) -> str:
    """`duration` as the estimate that it is: “about 45 s”, but not “about under 1 s”."""
    return duration(seconds) if seconds < 1 else _("about {t}", t=duration(seconds))


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
    """1,234 · 12.3 K · 4.9 M in English, 1,234 · 1.23万 · 491万 in Chinese, which counts in ten thousands."""
    if n < 10_000:
        return f"{n:,.0f}"
    if language() == "zh-CN":
        return f"{_three_digits(n / 1e4)}万" if n < 1e8 else f"{_three_digits(n / 1e8)}亿"
    return f"{n / 1e3:.1f} K" if n < 1e6 else f"{n / 1e6:.1f} M"


def _three_digits(n: float) -> str:
    """As the browser shortens figures: 491, 1.23, 1170."""
    return f"{float(f'{n:.3g}'):g}"
