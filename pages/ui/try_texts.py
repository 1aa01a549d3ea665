"""Try it with texts: one is answered in full, many become a table to take along."""
from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from core.data.export import safe_cell
from core.data.versions import Version
from core.errors import UserError
from core.jobs.predictor_client import Prediction, client
from core.specs import RunSpec
from pages.ui import state
from pages.ui.data_view import texts
from pages.ui.errors import show_error
from pages.ui.i18n import _
from pages.ui.text import md
from pages.ui.try_panel import UNSURE, answer, samples

SAMPLES = 6
CARD_CHARS = 160
MOST_CHARS = 2_000_000
MOST_LINES = 1000
AT_ONCE = 32
"""Texts in one request: the bar moves, and none takes too long."""


@dataclass(frozen=True, slots=True)
class Sample:
    text: str
    truth: str
    """The label that it bears."""


def panel(run: RunSpec) -> None:
    halves = st.grid(2, min_column_width=380, gap="large")
    left, right = halves.container(), halves.container()
    with left:
        lines, truth = _choose(run, state.read_version(run.data))
    with right:
        if not lines:
            st.caption(_("Write a text, or click a sample. Samples come from the texts that the model never learned from."))
            return
        try:
            said = _asked(run, lines)
        except UserError as error:
            show_error(error)
            return
        if len(lines) == 1:
            answer(said.labels, said.probabilities[0], truth)
        else:
            _table(run, lines, said)


def _choose(run: RunSpec, version: Version) -> tuple[tuple[str, ...], str]:
    """The texts being asked about, and the label of a sample where it is one."""
    key = f"try.{run.id}"
    written = st.text_area(_("Your text"), key=f"{key}.text", height=180, max_chars=MOST_CHARS,
                           placeholder=_("One text. On several lines: a text on each line.")) or ""
    sample: Sample | None = state.get(f"{key}.sample")
    if sample and sample.text == written:
        lines, truth = (written,), sample.truth
    else:
        lines, truth = tuple(line for line in written.split("\n") if line.strip()), ""
        if len(lines) > 1 and st.toggle(_("All of it is one text"), key=f"{key}.one"):
            lines = (written,)
    if len(lines) > MOST_LINES:
        st.caption(_("The first {n} of {m} lines are answered. For more, the model that you take home reads whole files.", n=MOST_LINES,
                     m=f"{len(lines):,}"))
    _cards(run, version)
    return lines[:MOST_LINES], truth


def _cards(run: RunSpec, version: Version) -> None:
    words, key = texts(run.data), f"try.{run.id}"
    shown = samples(version, SAMPLES)
    if shown:
        st.caption(_("Samples it never learned from"))
    for position, item in enumerate(shown):
        text = words.get(item.sha, "")
        st.button(md(text if len(text) <= CARD_CHARS else f"{text[:CARD_CHARS]}…") or _("(empty)"), key=f"{key}.sample.{position}",
                  width="stretch", on_click=_bringer(key, Sample(text, version.labels[item.label])))


def _bringer(key: str, sample: Sample) -> Callable[[], None]:
    """What a click on a sample does: it stands in the text field, as if it had been typed there."""
    def bring() -> None:
        state.put(f"{key}.text", sample.text)
        state.put(f"{key}.sample", sample)
    return bring


def _asked(run: RunSpec, lines: tuple[str, ...]) -> Prediction:
    """The answers, kept until other texts are asked about: a download asks nothing anew."""
    key = f"try.{run.id}.answer"
    kept: tuple[tuple[str, ...], Prediction] | None = state.get(key)
    if kept and kept[0] == lines:
        return kept[1]
    bundle, parts = state.workspace().run(run.id) / "best", [lines[i:i + AT_ONCE] for i in range(0, len(lines), AT_ONCE)]
    bar = st.progress(0.0, text=_("Reading")) if len(parts) > 1 else None
    said: list[Prediction] = []
    for part in parts:
        said.append(client().predict_texts(bundle, part))
        if bar:
            bar.progress(len(said) / len(parts), text=_("Reading: {n} of {m}", n=min(len(said) * AT_ONCE, len(lines)), m=len(lines)))
    if bar:
        bar.empty()
    whole = Prediction(said[0].labels, tuple(row for one in said for row in one.probabilities), sum(one.seconds for one in said))
    state.put(key, (lines, whole))
    return whole


def _table(run: RunSpec, lines: Sequence[str], said: Prediction) -> None:
    best = [max(range(len(said.labels)), key=row.__getitem__) for row in said.probabilities]
    sure = [row[i] for row, i in zip(said.probabilities, best)]
    names = [said.labels[i] if p >= UNSURE else _("Not sure: {label}?", label=said.labels[i]) for i, p in zip(best, sure)]
    frame = pd.DataFrame({_("Text"): lines, _("Label"): names, _("Probability"): [100 * p for p in sure]})
    st.dataframe(frame, hide_index=True, key=f"try.{run.id}.table", height="content" if len(frame) <= 12 else 460, column_config={
        _("Text"): st.column_config.TextColumn(width="large"), _("Probability"): st.column_config.NumberColumn(format="%.1f %%")})
    st.download_button(_("Download as CSV"), lambda: _csv(lines, said), file_name="answers.csv", mime="text/csv", key=f"try.{run.id}.csv",
                       icon=":material/download:")


def _csv(lines: Sequence[str], said: Prediction) -> bytes:
    """Text, label and the probability of each label; UTF-8 with a mark, which spreadsheets need."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["text", "label", *map(safe_cell, said.labels)])
    for line, row in zip(lines, said.probabilities):
        best = said.labels[max(range(len(row)), key=row.__getitem__)]
        writer.writerow([safe_cell(line), safe_cell(best), *(f"{p:.6f}" for p in row)])
    return b"\xef\xbb\xbf" + out.getvalue().encode("utf-8", "replace")
