"""A run at a glance, as lists show it: what it is, its score, its curve, and how long it took. Torch-free."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core import events
from core.errors import NotFound
from core.evaluation.report import Report, read_report
from core.events import Changed, Done, EpochEnd, Event, RunState
from core.jobs.life import LIVING, state_of

MOST_POINTS = 60
"""Of a curve that is a finger wide."""


@dataclass(frozen=True, slots=True)
class Glance:
    """`headline`: its report without what that says of single items; None where there is none. `curve`: validation score after epochs.
    `worked_s`: seconds that it was at work; `since`: since when it is at work again, Unix time, None where it is not."""
    state: RunState
    headline: Report | None = None
    curve: tuple[float, ...] = ()
    worked_s: float = 0.0
    since: float | None = None

    def seconds(self, now: float) -> float:
        """What it has taken so far: its training alone, once that has ended; until then all that it did."""
        return self.worked_s + (max(0.0, now - self.since) if self.since is not None else 0.0)


def glance(folder: Path) -> Glance:
    """Raises `SettingsError` where a file of the run is damaged, `ValueError` where its log is."""
    now, report = state_of(folder), _report(folder)
    log = (events.follow if now in LIVING | {"queued"} else events.read)(folder / "events.jsonl")
    seconds, since = worked(log, now in LIVING)
    headline = report and replace(report, confusion=(), per_class=(), mistakes=(), predictions=())
    return Glance(now, headline, curve(log), seconds, since)


def curve(log: Sequence[Event]) -> tuple[float, ...]:
    """At most `MOST_POINTS` of it, evenly spread, the last one among them."""
    scores = [event.val_score for event in log if isinstance(event, EpochEnd) and event.val_score is not None]
    every = -(-len(scores) // MOST_POINTS)
    return tuple(scores[::-1][::every][::-1]) if scores else ()


def worked(log: Sequence[Event], alive: bool) -> tuple[float, float | None]:
    """Seconds at work, and since when it is at work again, where it is `alive`. A worker that died was at work until it said its last."""
    done = next((event for event in log if isinstance(event, Done)), None)
    if done:
        return done.seconds, None
    seconds, since, heard = 0.0, None, 0.0
    for event in log:
        if isinstance(event, Changed) and event.state in LIVING:
            since = event.t if since is None else since
        elif isinstance(event, Changed) and since is not None:
            seconds, since = seconds + (heard if event.state == "interrupted" else event.t) - since, None
        heard = event.t
    if since is not None and not alive:
        return seconds + heard - since, None
    return seconds, since


def _report(folder: Path) -> Report | None:
    try:
        return read_report(folder / "report.json")
    except NotFound:
        return None
