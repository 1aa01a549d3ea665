"""Which of several runs is better, in sentences."""
from __future__ import annotations

import math
from collections.abc import Sequence

import streamlit as st

from core.errors import NotFound
from core.evaluation.compare import LEAST, Contender, Verdict, learned_from, luck
from core.evaluation.report import Report, read_report
from core.jobs.runs import load_run
from core.objectives import objective
from core.specs import RunSpec
from pages.ui import state
from pages.ui.i18n import _
from pages.ui.text import md
from pages.ui.try_panel import number

Judged = tuple[RunSpec, Report]
"""A run that has a result."""


def best_of(judged: Sequence[Judged]) -> int | None:
    """The place of the best score among the runs that were asked the same; where they were asked different things, among most of them. None
    where no two were asked the same."""
    kinds: dict[tuple[object, ...], list[int]] = {}
    for place, (_run, report) in enumerate(judged):
        kinds.setdefault((report.objective, report.labels, report.unit, report.split), []).append(place)
    most = max(kinds.values(), key=len, default=[])
    return None if len(most) < 2 else max(most, key=lambda place: objective(judged[place][1].objective).signed(judged[place][1].score))


def show(judged: Sequence[Judged], best: int | None) -> None:
    """The best against each of the others, then these among themselves; and what the figures mean."""
    ws = state.workspace()
    found = _luck(tuple((run.id, (ws.run(run.id) / "report.json").stat().st_mtime_ns) for run, _report in judged), state.me())
    of_best = [verdict for verdict in found if best is None or best in (verdict.better, verdict.other)]
    rest = [verdict for verdict in found if verdict not in of_best]
    for verdict in of_best:
        st.markdown(_said(verdict, judged))
    if rest:
        with st.expander(_("The others among themselves"), key="compare.rest"):
            for verdict in rest:
                st.markdown(_said(verdict, judged))
    told = [verdict for verdict in found if verdict.refusal is None]
    if told:
        _meaning(judged[told[0].better][1], len(told))


@st.cache_data(max_entries=50, show_spinner=False)
def _luck(runs: tuple[tuple[str, int], ...], owner: str) -> list[Verdict]:
    """Of runs and the times at which their reports were written."""
    ws = state.workspace()
    return luck([Contender(read_report(ws.run(key) / "report.json"), _learned(load_run(ws, key, owner))) for key, _written in runs])


def _learned(run: RunSpec) -> frozenset[str] | None:
    try:
        return learned_from(state.workspace(), run)
    except NotFound:
        return None


def _said(verdict: Verdict, judged: Sequence[Judged]) -> str:
    """A verdict in a sentence, as Markdown."""
    (one, report), (other, others) = judged[verdict.better], judged[verdict.other]
    names = dict(one=f"**{md(one.name)}**", other=f"**{md(other.name)}**", n=verdict.n)
    icon, text = _refused(verdict, report, others, names) if verdict.refusal else _told(verdict, report, names)
    if verdict.learned:
        text += " " + _("Left out: {n} items that one of the two has learned from. Asked about these, it would answer by heart.",
                        n=verdict.learned)
    return f":material/{icon}: {text}"


def _told(verdict: Verdict, report: Report, names: dict[str, object]) -> tuple[str, str]:
    """An icon and the sentence."""
    told = dict(names, **_figures(verdict, report))
    if verdict.surely:
        return "verified", _("{one} is {gain} better than {other} ({low} to {high}): surely, by their answers to the same {n} items.",
                             **told)
    if verdict.gain:
        return "casino", _("{one} is {gain} better than {other} ({low} to {high}) on the same {n} items: the difference could be luck.",
                           **told)
    if verdict.low == verdict.high:  # no answer of one was better than the other's: that says nothing of other items
        return "drag_handle", _("{one} and {other} do equally well on the same {n} items.", **told)
    return "drag_handle", _("{one} and {other} do equally well on the same {n} items ({low} to {high}).", **told)


def _refused(verdict: Verdict, one: Report, other: Report, names: dict[str, object]) -> tuple[str, str]:
    asked, others = (_(objective(report.objective).title) for report in (one, other))
    why = {
        "objective": _("they were asked different things ({a}; {b})", a=asked, b=others),
        "labels": _("they know different labels"),
        "sides": _("one was judged by test items, the other by validation items, which had chosen its best epoch"),
        "unknown": _("the data of one is gone, and nobody knows any more what it has learned from"),
        "few": _("{n} items were asked of both, and it takes {least} to tell", n=verdict.n, least=LEAST)}[verdict.refusal or ""]
    return "block", _("{one} and {other} can't be compared: {why}.", why=why, **names)


def _figures(verdict: Verdict, report: Report) -> dict[str, str]:
    """What one is better by, and the ends of the range, with as many digits as the range deserves."""
    in_percent = objective(report.objective).percent
    gain, low, high = (100 * value if in_percent else value for value in (verdict.gain, verdict.low, verdict.high))
    decimals = max(0, -math.floor(math.log10((high - low) / 5))) if high > low else 0
    if in_percent:
        points = f"{gain:.{decimals}f}"
        said, ends = _("1 point") if points == "1" else _("{n} points", n=points), [f"{end:.{decimals}f}" for end in (low, high)]
    else:
        said, ends = number(round(gain, decimals), report.unit), [number(round(end, decimals), "") for end in (low, high)]
    return dict(gain=said, low=_signed(ends[0]), high=_signed(ends[1]))


def _signed(text: str) -> str:
    """With a minus that can't be taken for a dash; nothing is less than nothing."""
    return text.replace("-", "−") if any(digit in text for digit in "123456789") else text.replace("-", "")


def _meaning(report: Report, n_verdicts: int) -> None:
    row = objective(report.objective)
    metric = _(row.metric_label)
    said = [_("Points: percentage points of {metric}.", metric=metric) if row.percent else _("Measured by {metric}.", metric=metric),
            _("In brackets, where the difference likely is (95 %). “Surely” means that luck alone would make such a difference in fewer "
              "than 5 of 100 comparisons (a randomisation test of the answers, item by item).")]
    if n_verdicts > 1:
        said.append(_("Among several comparisons luck finds a difference more easily, so each has to be clearer (Holm's correction)."))
    if report.used_for_choosing:
        said.append(_("There were no test items: these are validation items, which chose the best epoch of each run."))
    st.caption(" ".join(said))
