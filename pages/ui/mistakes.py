"""The worst mistakes of a run, a row a task: as pictures, or as texts."""
from __future__ import annotations

import html
from collections.abc import Callable, Sequence

import streamlit as st

from core.evaluation.report import Mistake, Report
from core.specs import DataSpec
from pages.ui import thumbs
from pages.ui.data_view import texts
from pages.ui.i18n import _
from pages.ui.text import likelihood

SHOWN = 24
TEXT_CHARS = 400


def worst(data: DataSpec, report: Report) -> None:
    """The most confident ones first, each with the answer and the truth."""
    DRAWN[data.task](data, report.mistakes[:SHOWN], report.labels)


def _pictures(data: DataSpec, mistakes: Sequence[Mistake], labels: Sequence[str]) -> None:
    thumbs.grid(data.dataset, [(mistake.sha, "\n".join(_words(mistake, labels))) for mistake in mistakes], wide=True, version=data.version)


def _texts(data: DataSpec, mistakes: Sequence[Mistake], labels: Sequence[str]) -> None:
    """A list, since texts want to be read from side to side. They are shown letter by letter."""
    words = texts(data)
    st.html('<div class="graft-texts">' + "".join(_card(words.get(mistake.sha, mistake.name), _words(mistake, labels))
                                                  for mistake in mistakes) + "</div>")


def _card(text: str, words: Sequence[str]) -> str:
    shown = text if len(text) <= TEXT_CHARS else f"{text[:TEXT_CHARS]}…"
    return f"<figure><blockquote>{html.escape(shown)}</blockquote><figcaption>{html.escape(' · '.join(words))}</figcaption></figure>"


def _words(mistake: Mistake, labels: Sequence[str]) -> list[str]:
    return [_("answered {label} ({p})", label=labels[mistake.predicted], p=likelihood(mistake.probability)),
            _("really {label}", label=labels[mistake.truth])]


DRAWN: dict[str, Callable[[DataSpec, Sequence[Mistake], Sequence[str]], None]] = {"image": _pictures, "text": _texts}
"""By task."""
