"""Which model suits the data: how well its features tell the labels apart before anything has been trained."""
from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.data.versions import Version, load_version
from core.errors import DataError, Fault, SettingsError, UserError
from core.models.catalog import find
from core.models.rows import ModelRow
from core.objectives import objective
from core.specs import DataSpec, TrainConfig, from_json, to_json
from core.training.advice.findings import Ask, Fit, Looking, Ranking, explained, taken
from core.workspace import Workspace, write_atomic

if TYPE_CHECKING:
    from core.training.advice.features import Prepare

MOST_ITEMS = 600
LEAST_ITEMS = 10
log = logging.getLogger(__name__)


def advise(ws: Workspace, ask: Ask, prepare: Prepare) -> Iterator[Looking | Ranking]:
    """Look at the models, the least work first, until the time is up; what was looked at before is not looked at again. Raises `UserError`
    when there are too few items."""
    from core.training.advice.features import sampled  # here: pages read from this module what is known

    began, version = time.monotonic(), sampled(load_version(ws, ask.data), MOST_ITEMS)
    if len(version.items) < LEAST_ITEMS:
        raise DataError("There are too few items to compare models by.", "It takes {n} at least, besides those kept for the test.", "Add more items.",
                        n=LEAST_ITEMS)
    found, untried = list[Fit](), list[tuple[str, Fault | None]]()
    rows = sorted((find(key, ws) for key in ask.models), key=lambda row: sum(block.macs for block in row.blocks))
    for i, row in enumerate(rows):
        yield Looking(i, len(rows), row.key)
        fit = fit_of(ws, ask.data, row.key, ask.config, pretrained=ask.pretrained)
        try:
            if fit is None and not _late(ask, began):
                for step in _look(ws, row, ask, version, began, prepare):
                    if isinstance(step, Fit):
                        fit = step
                    else:
                        yield replace(step, done=i * step.total + step.done, total=len(rows) * step.total)
        except (UserError, MemoryError, RuntimeError) as error:
            untried.append((row.key, explained(error)))
            log.exception("%s could not be looked at", row.key)
            continue
        found, untried = ([*found, fit], untried) if fit else (found, [*untried, (row.key, None)])
        yield ranked(found, len(version.items), untried, objective(version.objective).higher_is_better)
    yield replace(ranked(found, len(version.items), untried, objective(version.objective).higher_is_better), whole=True)


def ranked(found: Sequence[Fit], n: int, untried: Sequence[tuple[str, Fault | None]], higher_is_better: bool) -> Ranking:
    """Best score first. Those that can't be told from the best of the rest, being within its range, stand in the order of their evidence; where
    that is the same too, the least work first."""
    sign, waiting, order = 1 if higher_is_better else -1, list(found), list[Fit]()
    while waiting:
        best = max(waiting, key=lambda fit: sign * fit.score.value)
        low, high = (best.score.value if end is None else end for end in (best.score.low, best.score.high))
        alike = sorted((fit for fit in waiting if low <= fit.score.value <= high), key=lambda fit: (-fit.logme, fit.item_s))
        order += alike
        waiting = [fit for fit in waiting if fit not in alike]
    return Ranking(tuple(order), n, tuple(untried))


def fit_of(ws: Workspace, data: DataSpec, model: str, config: TrainConfig = TrainConfig(), *, pretrained: bool = True) -> Fit | None:
    """What is known of a model on some data, items taken as the settings say (by default as the model's row does); None while it has not
    been looked at."""
    try:
        return from_json(Fit, _path(ws, data, model, config, pretrained).read_bytes())
    except (FileNotFoundError, SettingsError):
        return None


def _look(ws: Workspace, row: ModelRow, ask: Ask, version: Version, began: float, prepare: Prepare) -> Iterator[Looking | Fit]:
    """Ends without a `Fit` when the time is up."""
    from core.training.advice.features import before_the_head, groups_of
    from core.training.advice.linear_probe import logme, probe

    sample, features, seconds = prepare(ws, row, ask.data, version, ask.config, ask.pretrained), [], 0.0
    for done, some, batch_s in before_the_head(sample):
        features.append(some)
        seconds += batch_s
        yield Looking(done, len(sample), row.key)
        if _late(ask, began):
            return
    x, truths = np.concatenate(features), sample.targets.numpy()
    fit = Fit(row.key, probe(x, truths, version.labels, version.objective, groups_of(version)), logme(x, truths, len(version.labels), version.objective),
              seconds / len(sample), row.parameters)
    path = _path(ws, ask.data, row.key, ask.config, ask.pretrained)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, to_json(fit))
    yield fit


def _late(ask: Ask, began: float) -> bool:
    return bool(ask.budget_s) and time.monotonic() - began > ask.budget_s


def _path(ws: Workspace, data: DataSpec, model: str, config: TrainConfig, pretrained: bool) -> Path:
    """By what the features depend on."""
    key = hashlib.sha256(to_json(data) + model.encode() + to_json(taken(config)) + bytes([pretrained])).hexdigest()[:20]
    return ws.root / "advice" / "fits" / f"{key}.json"
