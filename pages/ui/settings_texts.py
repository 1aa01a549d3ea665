"""The settings of a run that only texts have: how much of them is read, and what of those that are longer."""
from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.models.catalog import ModelRow
from core.specs import DataSpec, LongTexts, TrainConfig
from pages.ui import text_lengths
from pages.ui.i18n import _


def batch_help() -> str:
    return _("How many texts make one step. Texts of like length meet in a batch, so that little is padded.")


def size(given: TrainConfig, row: ModelRow, rev: str) -> TrainConfig:
    own, ways = row.input, long_text_names()
    tokens = st.number_input(_("Longest text (tokens)"), 4, own.max_tokens, min(given.max_tokens or own.tokens, own.max_tokens), step=16,
                             key=f"train.tokens.{rev}.{row.key}", help=_("A token is a word or a part of one. Reading more of a text costs more time."))
    how = st.selectbox(
        _("Of longer texts read"), list(ways), list(ways).index(given.long_texts), key=f"train.long.{rev}", format_func=ways.get,
        help=_("In windows, each part is read by itself and what was understood is averaged: nothing is lost, and it takes longest."))
    return replace(given, max_tokens=None if int(tokens) == own.tokens else int(tokens), long_texts=how)


def long_text_names() -> dict[LongTexts, str]:
    return {"start": _("the start"), "ends": _("the start and the end"), "windows": _("everything, in windows")}


def more(given: TrainConfig, row: ModelRow, rev: str) -> TrainConfig:
    return given


def after(edited: TrainConfig, row: ModelRow, data: DataSpec | None) -> None:
    """How much of the user's texts is left out by these settings."""
    if data:
        text_lengths.sentence(data, row, edited)


def warn(config: TrainConfig, row: ModelRow, data: DataSpec) -> None:
    """Before the training: what of the texts will not be read."""
    text_lengths.cut(data, row, config)
