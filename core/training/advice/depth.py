"""How deep the network's features have to be for this data: a linear model on what each block gives."""
from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from core.data.versions import load_version
from core.errors import DataError
from core.models.catalog import find
from core.training.advice.features import Prepare, after_each_block, groups_of, sampled
from core.training.advice.findings import Ask, Depths, Looking, Score
from core.training.advice.linear_probe import probe
from core.training.advice.ranking import LEAST_ITEMS, MOST_ITEMS
from core.workspace import Workspace


def advise(ws: Workspace, ask: Ask, prepare: Prepare) -> Iterator[Looking | Depths]:
    """One pass over the items for all blocks, then a probe after each; where the time is up, on the items seen so far. Raises `UserError`."""
    began, row = time.monotonic(), find(ask.models[0], ws)
    version = sampled(load_version(ws, ask.data), MOST_ITEMS)
    if len(version.items) < LEAST_ITEMS:
        raise DataError("There are too few items to compare depths by.", "It takes {n} at least, besides those kept for the test.", "Add more items.",
                        n=LEAST_ITEMS)
    sample = prepare(ws, row, ask.data, version, ask.config, ask.pretrained)
    names, batches, n = [block.name for block in sample.network.blocks[:-1]], [], 0
    steps = len(sample) + len(names)
    for n, some in after_each_block(sample):
        batches.append(some)
        yield Looking(n, steps, row.key)
        if ask.budget_s and time.monotonic() - began > ask.budget_s and n >= LEAST_ITEMS:
            break
    truths, groups, scores = sample.targets[:n].numpy(), groups_of(version)[:n], list[tuple[str, Score]]()
    for i, name in enumerate(names):
        features = np.concatenate([batch[i] for batch in batches])
        scores.append((name, probe(features, truths, version.labels, version.objective, groups)))
        yield Looking(len(sample) + i + 1, steps, name)
        yield Depths(row.key, tuple(scores), n)
    yield Depths(row.key, tuple(scores), n, whole=True)
