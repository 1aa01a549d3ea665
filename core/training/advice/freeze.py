"""How much should train: short trainings on a sample of the data, compared by what they answer about the same items."""
from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data.split import Split
from core.data.versions import Version, load_version
from core.errors import DataError, Fault, UserError
from core.evaluation.judge import evaluate, truths_of
from core.evaluation.predictions import probabilities
from core.events import EpochEnd, Preparing, Started, Step
from core.models.answers import answers_of
from core.models.blocks import Network
from core.models.build import build
from core.models.catalog import find
from core.models.rows import ModelRow
from core.objectives import objective
from core.specs import HeadPlan, ModelSpec, Precision, RunSpec, SplitName
from core.training.advice.alike import figures, surely_better
from core.training.advice.choices import Choice, choices
from core.training.advice.features import SEED, Sides, groups_of, sampled
from core.training.advice.findings import Ask, FreezeAdvice, Looking, Score, Trial, explained
from core.training.advice.linear_probe import folds
from core.training.advice.timing import Expected, Pace, enough_to_time, expected, pace_of
from core.training.fit import fit
from core.training.machine import load_machine
from core.workspace import Workspace

MOST_ITEMS, LEAST_ITEMS = 480, 16
"""Of both halves together."""
FEWEST = 160
"""With less, ranges are so wide that nothing can be told; then rather the dearest choice is left out."""
ROUGHLY = 0.7
"""A choice is begun when so much of the time it should take is left: it may be quicker, and one that is cut short still shows its course."""
TELLING_S = 1.0
"""Epochs that should take less in all tell little of the pace."""
STEPS = 400
"""Of the progress that is told."""
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
    """What a short training leaves. `figures` (n_held, k): what each answer adds to the score. `pace`: what its epochs took, as a multiple
    of what they should have; 1 where that is too little to tell."""
    trial: Trial
    figures: NDArray[np.float64]
    pace: float


def advise(ws: Workspace, ask: Ask, sides: Sides) -> Iterator[Looking | FreezeAdvice]:
    """Short trainings, those that change less first, until the time is up: where there is none for one, there is none for what changes more.
    Raises `UserError` when there are too few items or no model."""
    began, row = time.monotonic(), find(ask.models[0], ws)
    offered = choices(row, ask.config, ask.plan.head if ask.plan else HeadPlan())
    until = began + ask.budget_s if ask.budget_s else float("inf")
    yield Looking(0, STEPS)
    sample, costs = _prepare(ws, row, ask, sides, offered, until)
    ahead_s, whole_s = 0.0, sum(one.total_s for one in costs)

    def looking(kind: str, done_s: float) -> Looking:
        """By the work that is done or the time that is up, whichever is more."""
        share = max(done_s / whole_s, (time.monotonic() - began) / ask.budget_s if ask.budget_s else 0.0)
        return Looking(int(STEPS * min(1.0, share)), STEPS, kind)
    tried, late, failed, pace = list[_Tried](), list[tuple[str, float]](), list[tuple[str, Fault]](), 1.0
    for choice, cost in zip(offered, costs):
        left: _Tried | Fault | None = None
        likely = replace(cost, epochs_s=cost.epochs_s * pace)
        try:
            for step in () if late else _train(ws, row, ask, choice, likely, sample, until):
                if isinstance(step, float):
                    yield looking(choice.kind, ahead_s + step * cost.total_s)
                elif isinstance(step, Trial):
                    yield _advice(tried, sample, late, failed, now=step)
                else:
                    left = step
        except (UserError, MemoryError, RuntimeError) as error:
            left = explained(error)
            log.exception("%s could not be tried", choice.kind)
        if left is None:
            late.append((choice.kind, likely.total_s))
        elif isinstance(left, Fault):
            failed.append((choice.kind, left))
        else:
            tried.append(left)
            pace *= left.pace
        ahead_s += cost.total_s
        yield _advice(tried, sample, late, failed)
    yield replace(_advice(tried, sample, late, failed), whole=True)


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


def _prepare(ws: Workspace, row: ModelRow, ask: Ask, sides: Sides, offered: Sequence[Choice], until: float) -> tuple[_Sample, list[Expected]]:
    """The sample, smaller where time is short, and what each choice's training on it will take."""
    whole, precision = load_version(ws, ask.data), load_machine(ws).precision or "fp32"

    def read(version: Version) -> dict[SplitName, Split]:
        return sides(ws, row, ask.data, version, ask.config)

    def costs(pace: Pace, n: int) -> list[Expected]:
        return [expected(ws, row, choice, pace, n - n // 2, n // 2) for choice in offered]
    few = halves(whole, 2 * enough_to_time(row))
    _network(ws, row, few, ask, None)  # the first time loads libraries too
    began = time.monotonic()
    network = _network(ws, row, few, ask, None)
    pace = pace_of(network, read(few)["train"], precision, whole.objective, time.monotonic() - began)
    left, most_s = max(0.0, until - time.monotonic()), sum(one.total_s for one in costs(pace, MOST_ITEMS))
    version = halves(whole, max(FEWEST, int(MOST_ITEMS * min(1.0, left / most_s))))
    truths = truths_of(version.split("val"), version.labels, version.labels, version.objective)
    return _Sample(version, read(version), truths, precision), costs(pace, len(version.items))


def _network(ws: Workspace, row: ModelRow, version: Version, ask: Ask, choice: Choice | None) -> Network:
    head = choice.plan.head if choice else None
    return build(row, answers_of(version, head, ask.config.input_size), SEED, pretrained=ask.pretrained, store=ws.models)


def _train(ws: Workspace, row: ModelRow, ask: Ask, choice: Choice, cost: Expected, sample: _Sample, until: float) -> Iterator[float | Trial | _Tried]:
    """One short training; yields the share of it that is done, what it has reached, and at last what it leaves: nothing where there is no
    time for it, or none is left when it is about to learn. It ends at an epoch's end when another one would leave no time to judge it, and in
    the middle of the first one only when even that does."""
    if time.monotonic() + ROUGHLY * cost.total_s > until:
        return
    config, until = replace(choice.short(), seed=SEED), until - cost.scoring_s
    network = _network(ws, row, sample.version, ask, choice)
    if choice.plan.adapted():
        from core.models.lora import adapt  # here: the library behind it takes seconds

        adapt(network, choice.plan, config)
    run = RunSpec("advice", choice.kind, "", 0.0, ask.data, ModelSpec(row.key, ask.pretrained), choice.plan, config)
    points, began, steps = list[tuple[float, float]](), time.monotonic(), 1

    def control() -> Any:
        return "keep" if not points and time.monotonic() > until else "go"
    n_outputs = objective(sample.version.objective).outputs(len(sample.version.labels))
    with tempfile.TemporaryDirectory(prefix="advice-") as folder, \
            closing(fit(run, network, sample.splits, n_outputs, Path(folder), control, sample.precision)) as events:  # type: ignore[type-var]
        first_began = epoch_began = began
        for event in events:
            if isinstance(event, Started):
                steps = event.epochs * event.steps_per_epoch
            elif isinstance(event, Preparing):
                if time.monotonic() > until:
                    return
                first_began = epoch_began = time.monotonic()  # the first epoch begins behind it
                yield cost.once_s / cost.total_s * event.done / event.total
            elif isinstance(event, Step):
                yield (cost.once_s + cost.epochs_s * event.step / steps) / cost.total_s
            elif isinstance(event, EpochEnd) and event.val_score is not None:
                at = time.monotonic()
                points.append((at - began, event.val_score))
                last = event.epoch == config.epochs or at + (at - epoch_began) > until
                epoch_began = at
                if last:
                    break
                yield Trial(choice.kind, choice.plan, choice.config.learning_rate, tuple(points), None)
    should_s = cost.epochs_s * len(points) / config.epochs
    pace = (epoch_began - first_began) / should_s if should_s > TELLING_S else 1.0
    # as the last epoch leaves it: the best of several epochs would be chosen by the very items that judge it
    answers = probabilities(network, sample.held, sample.version.objective)
    report = evaluate(answers, sample.truths, sample.version.labels, split="val", objective_key=sample.version.objective)
    yield _Tried(Trial(choice.kind, choice.plan, choice.config.learning_rate, tuple(points), Score(report.score, report.low, report.high),
                       cut=len(points) < config.epochs), figures(np.asarray(answers), np.asarray(sample.truths), sample.version.objective), pace)


def _advice(tried: Sequence[_Tried], sample: _Sample, late: Sequence[tuple[str, float]], failed: Sequence[tuple[str, Fault]],
            now: Trial | None = None) -> FreezeAdvice:
    """`now`: the training that is under way."""
    trials = (*(one.trial for one in tried), *((now,) if now else ()))
    return FreezeAdvice(trials, len(sample.splits["train"]), len(sample.held), _best(tried, sample.version), tuple(late), tuple(failed))


def _best(tried: Sequence[_Tried], version: Version) -> str:
    """The cheapest that is not surely worse than the one with the best score, by their answers to the same items. Trainings that were cut
    short say too little of their kind, and are left out where a whole one is there."""
    tried = [one for one in tried if not one.trial.cut] or tried
    if not tried:
        return ""
    asked = objective(version.objective)
    top = max(tried, key=lambda one: asked.signed(one.trial.score.value) if one.trial.score else float("-inf"))
    return next(one.trial.kind for one in tried if not surely_better(top.figures, one.figures, asked.key))
