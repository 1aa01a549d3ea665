"""Where a run's parts meet: data, network, and, when it has learnt, its report and bundle. The worker alone calls this."""
from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from core.bundle.write import write_bundle, zip_bundle
from core.data.split import Split
from core.data.versions import Version, load_version
from core.evaluation.judge import evaluate
from core.evaluation.predictions import probabilities
from core.evaluation.report import Report, write_report
from core.events import FirstModel, Preparing, Step, read
from core.jobs.room import items_at_once
from core.jobs.runs import BEST, FIRST, FIRST_REPORT
from core.jobs.usage import learn
from core.models.answers import Answers, answers_of
from core.models.blocks import Network
from core.models.build import architecture, build
from core.models.catalog import find
from core.models.shares import SHARE
from core.shelf import Shelf
from core.specs import FreezePlan, Precision, RunSpec, SplitName
from core.tasks.registry import TASKS, Preprocess
from core.training.activations import behind
from core.training.change import Source, changes, source_of, write_changes
from core.training.devices import best_device
from core.training.machine import load_machine, record_most, record_precision, record_speed
from core.training.pairs import head_alone
from core.training.precision import faster_precision, forward_items_per_s
from core.workspace import Workspace

PROBE_ITEMS = 2 * SHARE
ENOUGH_BATCHES = 5
"""So many batches tell the machine's pace."""


@dataclass(frozen=True, slots=True)
class Parts:
    version: Version
    preprocess: Preprocess
    network: Network
    splits: dict[SplitName, Split]
    precision: Precision
    source: Source
    """What will learn, as it was."""

    def bytes(self, plan: FreezePlan) -> tuple[int, int]:
        """Of the weights that learn, and of all."""
        learning, trained = 0, set(plan.trained())
        for block in self.network.blocks:
            learning += sum(p.numel() for p in self.network.learning(block).values()) if block.name in trained else 0
        return 4 * learning, 4 * sum(p.numel() for p in self.network.parameters())


class Progress(Protocol):
    """Told of the preparation as (done, total): files read, bytes of weights fetched. May raise to give up."""

    def reading(self, done: int, total: int) -> None: ...

    def fetching(self, done: int, total: int) -> None: ...


def assemble(ws: Workspace, run: RunSpec, progress: Progress, precision: Precision | None = None) -> Parts:
    """Read the data and build the network of a run. `precision`: the one that it began in, of a run that goes on. Raises `UserError` when
    either is not to be had."""
    row, version = find(run.model.key, ws), load_version(ws, run.data)
    network = build(row, _answers(version, run), run.config.seed, pretrained=run.model.pretrained, progress=progress.fetching, store=ws.models)
    network.to(best_device())
    info = TASKS[run.data.task]
    preprocess = info.facts().preprocess(ws, row, run.config)
    splits = info.load().splits(ws, run.data, version, preprocess, run.config, None if _begins_at_rest(run) else progress.reading)
    precision = precision or _measured(ws, run, network, preprocess)
    source = source_of(network, run.plan)
    if run.plan.adapted():
        from core.models.lora import adapt  # here: the library behind it takes seconds

        adapt(network, run.plan, run.config)  # last: what is measured is the model's own speed
    return Parts(version, preprocess, network, splits, precision, source)


def _answers(version: Version, run: RunSpec) -> Answers:
    return answers_of(version, run.plan.head, run.config.input_size)


def _measured(ws: Workspace, run: RunSpec, network: Network, preprocess: Preprocess) -> Precision:
    """The precision to train in. What is not yet known of this machine is timed first: its faster precision, and its speed with this
    model, by which the next estimates are made."""
    known = load_machine(ws)
    device = network.device
    if not known.precision or known.device != device.type:
        record_precision(ws, faster_precision(device), device.type)
    precision = load_machine(ws).precision if run.config.precision == "auto" else run.config.precision
    if run.model.key not in known.macs_per_s and not _begins_at_rest(run):
        row, task = find(run.model.key, ws), TASKS[run.data.task].load()
        items = task.probe(row, preprocess, PROBE_ITEMS)
        macs = sum(block.macs for block in row.blocks) * task.work(row, preprocess, items)
        record_speed(ws, row.key, macs * forward_items_per_s(network, items, precision))
    return precision


def _begins_at_rest(run: RunSpec) -> bool:
    """Whether the run begins by storing what a frozen part gives: items are then read while that is computed, so that the first ones are
    soon there, and the log says how fast the model is (`_learn_speed`)."""
    return run.config.store_activations and run.plan.blocks[0].state == "frozen"


def most_at_once(ws: Workspace, run: RunSpec, folder: Path, begins: bool) -> int:
    """How many items are computed at once: the batch, or what memory has allowed for before, this run or, when it `begins`, another one of its
    kind."""
    known = (items_at_once(folder), load_machine(ws).most.get(_kind(run)) if begins else None)
    return min([run.config.batch_size, *(most for most in known if most)])


def remember_most(ws: Workspace, run: RunSpec, most: int) -> None:
    """So many items at once were not too many, where it was less than the batch."""
    if most < run.config.batch_size:
        record_most(ws, _kind(run), most)


def _kind(run: RunSpec) -> str:
    """What memory depends on besides the number of items."""
    trains = [str(i) for i, block in enumerate(run.plan.blocks) if block.state != "frozen"]
    return f"{run.model.key} {run.config.input_size or ''} {run.config.max_tokens or ''} {','.join(trains)} {run.plan.batch_norm}"


def finish(ws: Workspace, run: RunSpec, folder: Path, parts: Parts) -> Report | None:
    """Judge the trained network and write `report.json` and `bundle.zip`. Where no item was held back there is no report."""
    _learn_speed(ws, run, folder, parts)
    learn(ws, run, folder)
    if run.plan.adapted():
        from core.models.lora import merge

        merge(parts.network)
    write_changes(folder, changes(parts.network, parts.source))
    report = _judge(ws, run, parts)
    _write(ws, run, folder / BEST, parts, report)
    zip_bundle(folder / BEST, folder / "bundle.zip")
    if report:  # last: pages that find a report offer the model with it
        write_report(folder / "report.json", report)
    return report


def publish_first(ws: Workspace, run: RunSpec, folder: Path, parts: Parts) -> None:
    """Judge the network as it is while the head alone has been fitted, and write its bundle and report, to try and to compare with."""
    run, network = replace(run, plan=head_alone(run.plan)), parts.network
    precision, network.precision = network.precision, "fp32"
    try:
        report = _judge(ws, run, parts)
        _write(ws, run, folder / FIRST, parts, report)
    finally:
        network.precision = precision
    if report:
        write_report(folder / FIRST_REPORT, report)


def _write(ws: Workspace, run: RunSpec, folder: Path, parts: Parts, report: Report | None) -> None:
    row = find(run.model.key, ws)
    write_bundle(folder, module=parts.network.model, architecture=architecture(row, _answers(parts.version, run)),
                 labels=parts.version.labels, unit=parts.version.unit, preprocess=parts.preprocess, objective=run.data.objective, run=run,
                 scores=report.scores() if report else {}, source=row)


def _learn_speed(ws: Workspace, run: RunSpec, folder: Path, parts: Parts) -> None:
    """What the log says of the pace at which the frozen part was computed is worth more than the short probe: it replaces it."""
    log = list(itertools.takewhile(lambda event: not isinstance(event, Step), read(folder / "events.jsonl")))
    stored = [event for event in log if isinstance(event, Preparing) and event.what == "storing"]
    if len(stored) < ENOUGH_BATCHES or stored[-1].computing_s <= stored[0].computing_s:
        return
    row, rests = find(run.model.key, ws), list(itertools.takewhile(lambda block: not block.trains_at(0), run.plan.blocks))
    if any(isinstance(event, FirstModel) for event in log):  # for it everything but the head was computed
        rests = list(run.plan.blocks[:-1])
    macs = sum(block.macs for block in row.blocks[:len(rests)]) * TASKS[run.data.task].load().work(row, parts.preprocess, parts.splits["train"])
    if macs:
        record_speed(ws, row.key, macs * (stored[-1].done - stored[0].done) / (stored[-1].computing_s - stored[0].computing_s))


def _judge(ws: Workspace, run: RunSpec, parts: Parts) -> Report | None:
    """On the test items, without any on the validation items. What never trained gives the same for the next run, and is kept for it."""
    name: SplitName = "test" if len(parts.splits["test"]) else "val"
    side, items, network = parts.splits[name], parts.version.split(name), parts.network
    if not items:
        return None
    network.freeze(run.plan.trained())
    rests = network.frozen_prefix() if run.config.store_activations else 0
    network.freeze(())
    given = behind(network, rests, name, side, Shelf(ws.activations))
    answers = probabilities(network, given, run.data.objective, 0 if given is side else rests)
    return evaluate(answers, side.targets.tolist(), parts.version.labels, split=name,
                    shas=side.shas, names=[item.name for item in items], objective_key=run.data.objective,
                    overruled=parts.version.overruled, unit=parts.version.unit)
