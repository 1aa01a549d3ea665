"""Where a run's parts meet: data, network, and, when it has learnt, its report and bundle. The worker alone calls this."""
from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.bundle.write import write_bundle, zip_bundle
from core.data.split import Split
from core.data.versions import Version, load_version
from core.evaluation.predictions import probabilities
from core.evaluation.report import Report, evaluate, write_report
from core.models.build import architecture, build
from core.models.blocks import Network
from core.models.catalog import find
from core.preprocess import Preprocess, from_row
from core.specs import RunSpec, SplitName
from core.tasks.registry import TASKS
from core.training.estimate import record_speed
from core.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Parts:
    version: Version
    preprocess: Preprocess
    network: Network
    splits: dict[SplitName, Split]


class Progress(Protocol):
    """Told of the preparation as (done, total): files read, bytes of weights fetched. May raise to give up."""

    def reading(self, done: int, total: int) -> None: ...

    def fetching(self, done: int, total: int) -> None: ...


def assemble(ws: Workspace, run: RunSpec, progress: Progress) -> Parts:
    """Read the data and build the network of a run. Raises `UserError` when either is not to be had."""
    row, version = find(run.model.key), load_version(ws, run.data)
    network = build(run.model, len(version.labels), run.config.seed, progress.fetching)
    preprocess = from_row(row, run.config.input_size)
    splits = TASKS[run.data.task].load().splits(ws, version, preprocess, run.config.augmentation, run.config.seed, progress.reading)
    return Parts(version, preprocess, network, splits)


def finish(ws: Workspace, run: RunSpec, folder: Path, parts: Parts) -> Report | None:
    """Judge the trained network and write `report.json` and `bundle.zip`. Where no item was held back there is no report."""
    row, report = find(run.model.key), _judge(ws, run, parts)
    if report:
        write_report(folder / "report.json", report)
    write_bundle(folder / "best", module=parts.network.model, architecture=architecture(row, len(parts.version.labels)),
                 labels=parts.version.labels, preprocess=parts.preprocess, objective=run.data.objective, run=run,
                 scores=report.scores() if report else {}, source=row)
    zip_bundle(folder / "best", folder / "bundle.zip")
    return report


def _judge(ws: Workspace, run: RunSpec, parts: Parts) -> Report | None:
    """On the test items, without any on the validation items. The machine's speed with this model is measured on the way, for the
    next estimate."""
    name: SplitName = "test" if len(parts.splits["test"]) else "val"
    side, items = parts.splits[name], parts.version.split(name)
    if not items:
        return None
    row, began = find(run.model.key), time.perf_counter()
    answers = probabilities(parts.network, side, run.data.objective)
    macs = sum(block.macs for block in row.blocks) * (parts.preprocess.input_size / row.input_size) ** 2
    record_speed(ws, row.key, macs * len(side) / (time.perf_counter() - began))
    return evaluate(answers, side.labels.tolist(), parts.version.labels, split=name,
                    shas=side.shas, names=[item.name for item in items], objective_key=run.data.objective)
