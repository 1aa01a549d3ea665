"""Try it with texts: one is answered in full, many become a table to take along."""
from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from core.data.export import safe_cell
from core.data.versions import Item, Version
from core.errors import UserError
from core.evaluation.report import Report
from core.jobs.predictor_client import Prediction, client
from core.specs import RunSpec
from pages.ui import state
from pages.ui.data_view import texts
from pages.ui.errors import show_error
from pages.ui.i18n import _
from pages.ui.run_pages import tried
from pages.ui.text import md
from pages.ui.try_panel import Row, answer, columns, samples

SAMPLES = 6
CARD_CHARS = 160
MOST_CHARS = 2_000_000
MOST_LINES = 1000
AT_ONCE = 32
"""Texts in one request: the bar moves, and none takes too long."""


@dataclass(frozen=True, slots=True)
class Sample:
    text: str
    item: Item


def panel(run: RunSpec, report: Report) -> None:
    halves = st.grid(2, min_column_width=380, gap="large")
    left, right = halves.container(), halves.container()
    version = state.read_version(run.data)
    with left:
        lines, sample = _choose(run)
    with right:
        if lines:
            _answers(run, report, lines, sample)
        else:
            st.caption(_("Write a text, or click a sample. Samples come from the texts that the model never learned from."))
    _cards(run, version)  # last: on a narrow page the answer stands right below the text


def _answers(run: RunSpec, report: Report, lines: tuple[str, ...], sample: Item | None) -> None:
    try:
        said = _asked(run, lines)
    except UserError as error:
        show_error(error)
        return
    if len(lines) == 1:
        answer(report, said.probabilities[0], sample)
    else:
        _table(run, report, lines, said.probabilities)


def _choose(run: RunSpec) -> tuple[tuple[str, ...], Item | None]:
    """The texts being asked about, and the item of the data where a sample is."""
    key = f"try.{run.id}"
    written = st.text_area(_("Your text"), key=f"{key}.text", height=180, max_chars=MOST_CHARS,
                           placeholder=_("One text. On several lines: a text on each line.")) or ""
    st.button(_("Ask"), icon=":material/arrow_forward:", key=f"{key}.ask")  # leaving the field for it is what sends the text
    sample: Sample | None = state.get(f"{key}.sample")
    if sample and sample.text == written:
        lines, item = (written,), sample.item
    else:
        lines, item = tuple(line for line in written.split("\n") if line.strip()), None
        if len(lines) > 1 and st.toggle(_("All of it is one text"), key=f"{key}.one"):
            lines = (written,)
    if len(lines) > MOST_LINES:
        st.caption(_("The first {n} of {m} lines are answered. For more, the model that you take home reads whole files.", n=MOST_LINES,
                     m=f"{len(lines):,}"))
    return lines[:MOST_LINES], item


def _cards(run: RunSpec, version: Version) -> None:
    words, key = texts(run.data), f"try.{run.id}"
    shown = samples(version, SAMPLES)
    if shown:
        st.caption(_("Samples it never learned from"))
    cells = st.grid(2, min_column_width=380)
    for position, item in enumerate(shown):
        text = words.get(item.sha, "")
        cells.button(md(text if len(text) <= CARD_CHARS else f"{text[:CARD_CHARS]}…") or _("(empty)"), key=f"{key}.sample.{position}",
                     width="stretch", on_click=_bringer(key, Sample(text, item)))


def _bringer(key: str, sample: Sample) -> Callable[[], None]:
    """What a click on a sample does: it stands in the text field, as if it had been typed there."""
    def bring() -> None:
        state.put(f"{key}.text", sample.text)
        state.put(f"{key}.sample", sample)
    return bring


def _asked(run: RunSpec, lines: tuple[str, ...]) -> Prediction:
    """The answers, kept until other texts are asked about: a download asks nothing anew."""
    bundle = tried(run)
    key = f"try.{run.id}.{bundle.name}.answer"
    kept: tuple[tuple[str, ...], Prediction] | None = state.get(key)
    if kept and kept[0] == lines:
        return kept[1]
    parts = [lines[i:i + AT_ONCE] for i in range(0, len(lines), AT_ONCE)]
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


def _table(run: RunSpec, report: Report, lines: Sequence[str], rows: Sequence[Row]) -> None:
    frame = pd.DataFrame({_("Text"): lines, **columns(report, rows)})
    st.dataframe(frame, hide_index=True, key=f"try.{run.id}.table", height="content" if len(frame) <= 12 else 460, column_config={
        name: st.column_config.TextColumn(width="medium") if name == _("Text") else st.column_config.NumberColumn(format="%.4g")
        for name in frame.columns if name == _("Text") or frame[name].dtype.kind == "f"})
    st.download_button(_("Download as CSV"), lambda: answers_csv(report, lines, rows), file_name="answers.csv", mime="text/csv",
                       key=f"try.{run.id}.csv", icon=":material/download:")


def answers_csv(report: Report, lines: Sequence[str], rows: Sequence[Row]) -> bytes:
    """The table, and all that the model says behind it, label by label; UTF-8 with a mark, which spreadsheets need."""
    found, out = columns(report, rows), io.StringIO()
    writer = csv.writer(out)
    writer.writerow([_("Text"), *found, *map(safe_cell, report.labels)])
    for i, (line, row) in enumerate(zip(lines, rows)):
        cells = [cell if isinstance(cell := column[i], str) else f"{cell:.6g}" for column in found.values()]
        writer.writerow([safe_cell(line), *map(safe_cell, cells), *(f"{share:.6f}" for share in row)])
    return b"\xef\xbb\xbf" + out.getvalue().encode("utf-8", "replace")
