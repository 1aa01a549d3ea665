"""The worst mistakes of a run, a row a task: as pictures, or as texts."""
from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from core.evaluation.report import Mistake, Report, WrongLabels, WrongNumber
from core.specs import DataSpec
from pages.ui import thumbs
from pages.ui.data_view import texts
from pages.ui.i18n import _
from pages.ui.text import likelihood, listed
from pages.ui.try_panel import number

SHOWN = 24
TEXT_CHARS = 400


Wrong = Mistake | WrongLabels | WrongNumber


def worst(data: DataSpec, report: Report) -> None:
    """The most confident ones (of numbers the farthest off) first, each with the answer and the truth."""
    DRAWN[data.task](data, [(mistake, WORDS[type(mistake)](mistake, report)) for mistake in report.mistakes[:SHOWN]])


def _pictures(data: DataSpec, mistakes: Sequence[tuple[Wrong, Sequence[str]]]) -> None:
    thumbs.grid(data.dataset, [(mistake.sha, "\n".join(words)) for mistake, words in mistakes], wide=True, version=data.version)


def _texts(data: DataSpec, mistakes: Sequence[tuple[Wrong, Sequence[str]]]) -> None:
    """A list, since texts want to be read from side to side. They are shown letter by letter."""
    known = texts(data)
    st.html('<div class="graft-texts">' + "".join(_card(known.get(mistake.sha, mistake.name), words) for mistake, words in mistakes) + "</div>")


def _card(text: str, words: Sequence[str]) -> str:
    shown = text if len(text) <= TEXT_CHARS else f"{text[:TEXT_CHARS]}…"
    return f"<figure><blockquote>{html.escape(shown)}</blockquote><figcaption>{html.escape(' · '.join(words))}</figcaption></figure>"


def _of_label(mistake: Mistake, report: Report) -> list[str]:
    return [_("answered {label} ({p})", label=report.labels[mistake.predicted], p=likelihood(mistake.probability)),
            _("really {label}", label=report.labels[mistake.truth])]


def _of_labels(mistake: WrongLabels, report: Report) -> list[str]:
    parts = ((_("not found: {labels}"), mistake.missed), (_("wrongly given: {labels}"), mistake.added))
    return [said.format(labels=listed(report.labels[i] for i in labels)) for said, labels in parts if labels]


def _of_number(mistake: WrongNumber, report: Report) -> list[str]:
    return [_("answered {value}", value=number(mistake.answer, report.unit)), _("really {label}", label=number(mistake.true_value, report.unit))]


DRAWN: dict[str, Callable[[DataSpec, Sequence[tuple[Wrong, Sequence[str]]]], None]] = {"image": _pictures, "text": _texts}
"""By task."""
WORDS: dict[type, Callable[[Any, Report], list[str]]] = {Mistake: _of_label, WrongLabels: _of_labels, WrongNumber: _of_number}
