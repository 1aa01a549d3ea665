"""How much should train: short trainings on a sample of the data, compared by what they answer about the same items."""
from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.data.split import Split
from core.data.versions import Version, load_version
from core.errors import DataError, Fault, UserError
from core.evaluation.judge import evaluate, truths_of
from core.evaluation.predictions import probabilities
from core.events import EpochEnd, Preparing, Step
from core.models.answers import answers_of
from core.models.blocks import Network
from core.models.build import build
from core.models.catalog import find
from core.models.rows import ModelRow
from core.models.shares import outputs
from core.objectives import objective
from core.specs import HeadPlan, ModelSpec, Precision, RunSpec, SplitName
from core.training.advice.alike import gains, surely_better
from core.training.advice.choices import Choice, choices
from core.training.advice.features import SEED, Sides, groups_of, sampled
from core.training.advice.findings import Ask, FreezeAdvice, Looking, Score, Trial
from core.training.advice.linear_probe import folds
from core.training.advice.ranking import TOO_LARGE
from core.training.fit import fit
from core.training.machine import load_machine
from core.workspace import Workspace

MOST_ITEMS, LEAST_ITEMS = 480, 16
"""Of both halves together."""
FEWEST = 160
"""With less, ranges are so wide that nothing can be told; then rather the dearest choice is left out."""
PASSES = 50
"""So many times as long as a forward pass of half the sample all choices take together, roughly."""
DEAR: dict[str, float] = {"head": 3.0, "last-stage": 4.0, "lora": 3.5, "all": 4.0}
"""The same of the first epoch of each."""
TIMED = 16
STEPS = 100
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Sample:
    """Half of the items to learn from, the other half ("val") to be scored on. `truths`: as `core.evaluation.judge` takes them."""
    version: Version
    splits: dict[SplitName, Split]
    truths: list[Any]
    precision: Precision

    @property
    def held(self) -> Split:
        return self.splits["val"]


@dataclass(frozen=True, slots=True)
class _Tried:
    """What a short training leaves. `gains` (n_held,): how good each answer is; more is better."""
    trial: Trial
    gains: NDArray[np.float64]


def advise(ws: Workspace, ask: Ask, sides: Sides) -> Iterator[Looking | FreezeAdvice]:
    """Short trainings, the cheapest first, until the time is up. Raises `UserError` when there are too few items or no model."""
    began, row = time.monotonic(), find(ask.models[0], ws)
    offered = choices(row, ask.config, ask.plan.head if ask.plan else HeadPlan())
    until = began + ask.budget_s if ask.budget_s else float("inf")
    yield Looking(0, len(offered) * STEPS)
    sample, item_s = _prepare(ws, row, ask, sides)
    tried, untried = list[_Tried](), list[tuple[str, Fault | None]]()
    for i, choice in enumerate(offered):
        if time.monotonic() + DEAR[choice.kind] * len(sample.held) * item_s > until:
            untried.append((choice.kind, None))
            continue
        try:
            for step in _train(ws, row, ask, choice, sample, until):
                if isinstance(step, float):
                    yield Looking(int((i + step) * STEPS), len(offered) * STEPS, choice.kind)
                elif isinstance(step, Trial):
                    yield _advice(tried, untried, sample, step)
                else:
                    tried.append(step)
        except (UserError, MemoryError) as error:
            log.exception("%s could not be tried", choice.kind)
            untried.append((choice.kind, Fault.of(error) if isinstance(error, UserError) else TOO_LARGE))
            continue
        yield _advice(tried, untried, sample)
    yield replace(_advice(tried, untried, sample), whole=True)


def halves(version: Version, most: int) -> Version:
    """At most so many items of the training and validation sides, one half to learn from and one to be scored on, of each label alike. Items
    of one group are in one half. Raises `DataError` where there are too few."""
    some = sampled(version, most)
    if len(some.items) < LEAST_ITEMS:
        raise DataError("There are too few items to compare trainings by.", "It takes {n} at least, besides those kept for the test.",
                        "Add more items.", n=LEAST_ITEMS)
    truths, groups = np.asarray(truths_of(some.items, some.labels, some.labels, some.objective)), groups_of(some)
    if len(set(groups)) < 2:
        raise DataError("There are too few items to compare trainings by.", "All items belong to one group.", "Add more items.")
    _learned, held = next(iter(folds(truths, some.objective, groups, 2)))
    apart = set(held.tolist())
    return replace(some, items=tuple(replace(item, split="val" if i in apart else "train") for i, item in enumerate(some.items)))


def _prepare(ws: Workspace, row: ModelRow, ask: Ask, sides: Sides) -> tuple[_Sample, float]:
    """The sample, smaller where time is short, and the seconds of an item's way through the network."""
    whole = load_version(ws, ask.data)

    def read(version: Version) -> dict[SplitName, Split]:
        return sides(ws, row, ask.data, version, ask.config)
    few = halves(whole, TIMED * 2)
    network, split = _network(ws, row, few, ask, None), read(few)["train"]
    network.freeze(())
    network.eval()
    batch = split.inputs(torch.arange(len(split)))
    outputs(network, batch)  # the first time is slower
    began = time.perf_counter()
    outputs(network, batch)
    item_s = (time.perf_counter() - began) / len(split)
    n = int(2 * ask.budget_s / (PASSES * item_s)) if ask.budget_s else MOST_ITEMS
    version = halves(whole, max(FEWEST, min(MOST_ITEMS, n)))
    truths = truths_of(version.split("val"), version.labels, version.labels, version.objective)
    return _Sample(version, read(version), truths, load_machine(ws).precision or "fp32"), item_s


def _network(ws: Workspace, row: ModelRow, version: Version, ask: Ask, choice: Choice | None) -> Network:
    head = choice.plan.head if choice else None
    return build(row, answers_of(version, head, ask.config.input_size), SEED, pretrained=ask.pretrained, store=ws.models)


def _train(ws: Workspace, row: ModelRow, ask: Ask, choice: Choice, sample: _Sample, until: float) -> Iterator[float | Trial | _Tried]:
    """One short training; yields the share of it that is done, what it has reached, and at last what it leaves. It ends at an epoch's end when another one would take too long, and in the
    middle of the first one only when even that does."""
    config = replace(choice.short(), seed=SEED)
    network = _network(ws, row, sample.version, ask, choice)
    if choice.plan.adapted():
        from core.models.lora import adapt  # here: the library behind it takes seconds

        adapt(network, choice.plan, config)
    run = RunSpec("advice", choice.kind, "", 0.0, ask.data, ModelSpec(row.key, ask.pretrained), choice.plan, config)
    points, began = list[tuple[float, float]](), time.monotonic()

    def control() -> Any:
        return "keep" if not points and time.monotonic() > until else "go"
    with tempfile.TemporaryDirectory(prefix="advice-") as folder:
        events = fit(run, network, sample.splits, objective(sample.version.objective).outputs(len(sample.version.labels)), Path(folder), control,
                     sample.precision)
        done, epoch_began = 0.0, began
        for event in events:
            if isinstance(event, Preparing):
                yield 0.5 * event.done / event.total if choice.kind == "head" else 0.0
            elif isinstance(event, Step):
                done = max(done, (event.epoch - 1) / config.epochs)
                yield done
            elif isinstance(event, EpochEnd) and event.val_score is not None:
                at = time.monotonic()
                points.append((at - began, event.val_score))
                last = event.epoch == config.epochs or at + (at - epoch_began) > until
                epoch_began = at
                if last:
                    break
                yield Trial(choice.kind, choice.plan, choice.config.learning_rate, tuple(points), None)
                yield event.epoch / config.epochs
        events.close()  # type: ignore[attr-defined]
    # as the last epoch leaves it: the best of several epochs would be chosen by the very items that judge it
    answers = probabilities(network, sample.held, sample.version.objective)
    report = evaluate(answers, sample.truths, sample.version.labels, split="val", objective_key=sample.version.objective)
    yield _Tried(Trial(choice.kind, choice.plan, choice.config.learning_rate, tuple(points), Score(report.score, report.low, report.high),
                       cut=len(points) < config.epochs), gains(np.asarray(answers), np.asarray(sample.truths), sample.version.objective))


def _advice(tried: Sequence[_Tried], untried: Sequence[tuple[str, Fault | None]], sample: _Sample, now: Trial | None = None) -> FreezeAdvice:
    """`now`: the training that is under way."""
    trials = (*(one.trial for one in tried), *((now,) if now else ()))
    return FreezeAdvice(trials, len(sample.splits["train"]), len(sample.held), _best(tried, sample.version), tuple(untried))


def _best(tried: Sequence[_Tried], version: Version) -> str:
    """The cheapest that is not surely worse than the one with the best score, by their answers to the same items. Trainings that were cut
    short say too little of their kind, and are left out where a whole one is there."""
    tried = [one for one in tried if not one.trial.cut] or tried
    if not tried:
        return ""
    sign = 1 if objective(version.objective).higher_is_better else -1
    top = max(tried, key=lambda one: sign * one.trial.score.value if one.trial.score else float("-inf"))
    return next(one.trial.kind for one in tried if not surely_better(top.gains, one.gains))
