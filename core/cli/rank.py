"""`rank`: which models suit the data, as on the Model page."""
from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from typing import Any

from tqdm import tqdm

from core.cli.given import Command, add_columns, imported
from core.data.versions import Version, load_version
from core.errors import Fault
from core.evaluation.report import score_in_words
from core.jobs import advice
from core.jobs.runs import check_kind
from core.models.catalog import ModelRow, find, known, models, on_this_machine
from core.models.from_runs import is_run, named
from core.objectives import objective
from core.owners import LOCAL_OWNER
from core.specs import TrainConfig
from core.training.advice.findings import Ask, Fit, Ranking
from core.workspace import Workspace

LOOK_SECONDS = 0.1
LATE = "There was no time for it; give more with --budget. What has been looked at is kept."
ABSENT = "Its weights are not on this machine. Named by --models, it is downloaded."


def add(command: Command) -> None:
    sub = command("rank", "List models, best first, by how well their features tell the labels apart before anything is trained.", _rank)
    sub.add_argument("--data", required=True, metavar="DIR_OR_ZIP_OR_CSV")
    add_columns(sub)
    sub.add_argument("--models", nargs="+", metavar="KEY", help="models of `models`, or run:NAME (else all of this kind that are on this machine)")
    sub.add_argument("--budget", type=_seconds, default=60.0, metavar="SECONDS", help="after so long no further model is looked at; 0: no limit")


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds")
    return value


def _rank(options: argparse.Namespace) -> dict[str, Any]:
    ws = Workspace.open()
    asked = [find(named(ws, key, LOCAL_OWNER), ws, LOCAL_OWNER) for key in options.models or ()]  # a mistake is told before the data is read
    data = imported(ws, options)
    version = load_version(ws, data)
    for row in asked:
        check_kind(row, version)
    offered = asked or [row for row in models(ws, LOCAL_OWNER).values() if row.task == version.task]
    rows = asked or [row for row in offered if on_this_machine(row)]
    found = _look(ws, Ask(data, tuple(row.key for row in rows), TrainConfig(), budget_s=options.budget), options)
    absent = [row for row in offered if row not in rows]
    if not options.json:
        _print(ws, found, absent, version)
    metric = objective(version.objective)
    return {"metric": metric.metric, "higher_is_better": metric.higher_is_better, "unit": version.unit, "n": found.n,
            "models": [_record(fit) for fit in found.fits],
            "untried": [{"key": key, "reason": _reason(fault)} for key, fault in found.untried] + [{"key": row.key, "reason": ABSENT} for row in absent]}


def _look(ws: Workspace, ask: Ask, options: argparse.Namespace) -> Ranking:
    """Watched until it ends; Ctrl+C ends it too. Raises the look's own `UserError` when it failed."""
    advice.start(ws, "rank", ask, LOCAL_OWNER)
    try:
        with tqdm(total=1.0, desc="looking", bar_format="{l_bar}{bar}|", disable=options.json, file=sys.stderr) as bar:
            while (now := advice.status(ws, "rank", ask)).state == "running":
                if now.looking.about:
                    bar.set_description(f"looking through {now.looking.about}", refresh=False)
                bar.update(now.looking.done / max(1, now.looking.total) - bar.n)
                time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:
        advice.cancel(ws, "rank", ask)
        raise
    if now.error or not isinstance(now.finding, Ranking):
        raise now.error or advice.DIED.error()
    return now.finding


def _print(ws: Workspace, found: Ranking, absent: Sequence[ModelRow], version: Version) -> None:
    for place, fit in enumerate(found.fits, 1):
        score = score_in_words(version.objective, fit.score.value, fit.score.low, fit.score.high, version.unit)
        print(f"{place:>2}. {fit.model:<20} {score}   LogME {fit.logme:.2f}   {1000 * fit.item_s:.3g} ms an item{_title(ws, fit.model)}")
    for key, fault in found.untried:
        print(f"not tried: {key}: {_reason(fault)}")
    if absent:
        print(f"not tried: {len(absent)} that are not on this machine (`models` lists them; name one with --models to have it downloaded)")
    print(f"Linear models on what each network, untrained, makes of {found.n} items; test items are not among them.")


def _title(ws: Workspace, key: str) -> str:
    row = known(key, ws) if is_run(key) else None
    return f"   {row.title}" if row else ""


def _reason(fault: Fault | None) -> str:
    return str(fault.error()) if fault else LATE


def _record(fit: Fit) -> dict[str, Any]:
    return {"key": fit.model, "score": fit.score.value, "low": fit.score.low, "high": fit.score.high, "logme": fit.logme,
            "item_seconds": fit.item_s, "parameters": fit.parameters}
