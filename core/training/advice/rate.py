"""Which learning rate: the loss while the rate rises from next to nothing until it breaks (Smith 2017, arXiv:1506.01186)."""
from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.data.split import Split
from core.data.versions import load_version
from core.errors import DataError, UserError
from core.models.answers import answers_of
from core.models.blocks import Network
from core.models.build import build
from core.models.catalog import find
from core.models.rows import ModelRow
from core.models.shares import outputs
from core.shelf import Shelf
from core.specs import FreezePlan, TrainConfig
from core.training.activations import has_room, layout, storing
from core.training.advice.features import Sides, sampled
from core.training.advice.findings import RATES, Ask, Looking, RateCurve
from core.training.advice.timing import enough_to_time
from core.training.anchor import anchors, pull
from core.training.losses import LOSSES
from core.training.machine import load_machine
from core.training.optim import build_optimizer, set_rate, trained_parameters
from core.training.order import epoch_batches
from core.workspace import Workspace

LOWEST, HIGHEST = RATES
STEPS, FEWEST_STEPS = 100, 30
MOST_ITEMS, LEAST_ITEMS = 480, 4
STEP = (HIGHEST / LOWEST) ** (1 / STEPS)
"""From one of `STEPS` rates to the next."""
QUIET = LOWEST * (HIGHEST / LOWEST) ** 0.2
"""Up to here hardly anything learns."""
KEPT = 0.9
"""Of the smoothed loss, while the rate rises by `STEP`."""
BROKEN = 4.0
"""A loss so many times the best one has left the valley."""
CLEAR = 0.05
"""Less of a descent, as a share of the loss at first, is none."""
SHOW_EVERY = 5


@dataclass(frozen=True, slots=True)
class _Batches:
    """Batch after batch of the sample, over and over; what rests of the network was computed before, once or with the batch."""
    network: Network
    split: Split
    config: TrainConfig
    boundary: int
    """How many blocks the items have been through."""

    def __iter__(self) -> Iterator[tuple[Any, Tensor]]:
        epoch, frozen = 0, self.network.frozen_prefix()
        while True:
            for idx in epoch_batches(self.split, self.config.batch_size, self.config.seed, epoch):
                batch = self.split.augmented(idx, epoch)
                yield outputs(self.network, batch, frozen, self.boundary) if frozen > self.boundary else batch, self.split.targets[idx]
            epoch += 1


def advise(ws: Workspace, ask: Ask, sides: Sides) -> Iterator[Looking | RateCurve]:
    """Train the draft's plan for some steps, each at a higher rate, and throw the network away. Blocks that join later are there from the start.
    Raises `UserError` when there are too few items or nothing would learn."""
    began, row = time.monotonic(), find(ask.models[0], ws)
    if ask.plan is None:
        raise ValueError("a learning rate is looked for by a plan")
    plan = replace(ask.plan, blocks=tuple(replace(block, from_epoch=0) for block in ask.plan.blocks))
    yield Looking(0, STEPS)
    until = began + ask.budget_s if ask.budget_s else float("inf")
    version = sampled(load_version(ws, ask.data), MOST_ITEMS)
    if len(version.items) < LEAST_ITEMS:
        raise DataError("There are too few items to look for a learning rate.", "It takes {n} at least, besides those kept for the test.",
                        "Add more items.", n=LEAST_ITEMS)
    network = build(row, answers_of(version, plan.head, ask.config.input_size), ask.config.seed, pretrained=ask.pretrained, store=ws.models)
    splits = sides(ws, row, ask.data, version, ask.config)
    if plan.adapted():
        from core.models.lora import adapt  # here: the library behind it takes seconds

        adapt(network, plan, ask.config)
    _awake(network, plan)
    network.precision = load_machine(ws).precision or "fp32" if ask.config.precision == "auto" else ask.config.precision
    prefix = network.frozen_prefix() if ask.config.store_activations and not ask.config.augmentation.active else 0
    if prefix and (n := _storable(row, network, splits["train"], ask.config.batch_size, prefix, until)) < len(version.items):
        version = sampled(version, n)
        splits = sides(ws, row, ask.data, version, ask.config)
    shelf, stored = Shelf(ws.activations), None
    one = layout(network, splits["train"], prefix)
    if one and has_room([one], {"train": splits["train"]}, shelf):
        filling = storing(network, splits, [one], shelf, ("train",))
        for step in filling.run(network):
            yield Looking(step.done * STEPS // step.total, 2 * STEPS)
        stored = filling.sides[prefix]["train"]
    batches = _Batches(network, stored or splits["train"], ask.config, prefix if stored else 0)
    yield from _rise(network, plan, ask.config, ask.data.objective, len(version.labels), batches, until)
    shelf.settle()


def _awake(network: Network, plan: FreezePlan) -> None:
    network.keeps_statistics = plan.batch_norm == "keep"
    network.to(memory_format=torch.channels_last)  # as in training
    network.freeze(plan.trained())
    if not trained_parameters(network):
        raise UserError("Nothing would learn.", "Every block is frozen.", "Train at least one block: the head is the usual choice.")


def _storable(row: ModelRow, network: Network, split: Split, batch_size: int, prefix: int, until: float) -> int:
    """So many items that what rests of the network is computed in half of the time that is left, but enough for two batches."""
    some = split.inputs(torch.arange(min(len(split), enough_to_time(row))))
    outputs(network, some, prefix)  # the first time is slower
    began = time.perf_counter()
    outputs(network, some, prefix)
    item_s = (time.perf_counter() - began) / len(some)
    return int(min(MOST_ITEMS, max(2 * batch_size, (until - time.monotonic()) / 2 / item_s)))


def _rise(network: Network, plan: FreezePlan, config: TrainConfig, asked: str, n_labels: int, batches: _Batches,
          until: float) -> Iterator[Looking | RateCurve]:
    """Fewer and larger steps where time is short, and none any more when it is up."""
    loss, optimizer, anchored = LOSSES[asked], build_optimizer(network, plan, config), anchors(network, plan)
    terms = loss.terms(batches.split.targets, n_labels, smoothing=config.label_smoothing, weighted=config.class_weights)
    start, frozen, began = STEPS if batches.boundary else 0, network.frozen_prefix(), 0.0
    rates, losses, rate, cut = list[float](), list[float](), LOWEST, False
    for step, (batch, targets) in enumerate(batches):
        set_rate(optimizer, rate)
        torch.default_generator.manual_seed(config.seed * 1_000_003 + step)
        value = loss.loss(network.run(batch, start=frozen).x, targets, terms)
        optimizer.zero_grad()
        value.backward()
        pull(anchored)
        optimizer.step()
        losses.append(float(value.detach()))
        rates.append(rate)
        now, curve, calm = time.monotonic(), smoothed(rates, losses), quiet(rates)
        if not math.isfinite(losses[-1]) or rate >= HIGHEST * 0.999 or (step > calm and curve[-1] > BROKEN * min(curve[calm:])):
            break
        if cut := now > until:
            break
        yield Looking(start + int(STEPS * math.log(rate / LOWEST) / math.log(HIGHEST / LOWEST)), start + STEPS)
        if step % SHOW_EVERY == 0:
            yield RateCurve(_points(rates, curve))
        began = began or now  # the first step is slower
        steps = step + 1 + (until - now) * step / (now - began) if now > began else STEPS
        rate = rate * (HIGHEST / rate) ** (1 / max(1.0, min(STEPS, max(FEWEST_STEPS, steps)) - step - 1))
    whole = [i for i, value in enumerate(losses) if math.isfinite(value)]
    rates, losses = [rates[i] for i in whole], [losses[i] for i in whole]
    yield RateCurve(_points(rates, smoothed(rates, losses)), suggestion(rates, losses), cut, whole=True)


def smoothed(rates: Sequence[float], losses: Sequence[float]) -> list[float]:
    """The running average of losses, corrected for its start at zero (Kingma and Ba 2015, arXiv:1412.6980). It looks back over the same
    range of rates however large the steps are."""
    mean, weight, found, before = 0.0, 0.0, list[float](), LOWEST / STEP
    for rate, value in zip(rates, losses):
        kept = KEPT ** (math.log(rate / before) / math.log(STEP))
        mean, weight, before = kept * mean + (1 - kept) * value, kept * weight + (1 - kept), rate
        found.append(mean / weight)
    return found


def quiet(rates: Sequence[float]) -> int:
    """How many steps at the start tell how losses differ anyway; a lucky batch among them is no best to compare with."""
    return max(3, sum(rate < QUIET for rate in rates))


def suggestion(rates: Sequence[float], losses: Sequence[float]) -> float | None:
    """The rate at which the smoothed loss falls most steeply, but no more than a tenth of that at its minimum, with two digits. None where it
    does not fall clearly: by less than a twentieth, or by less than losses differ from batch to batch anyway."""
    curve, calm = np.asarray(smoothed(rates, losses)), quiet(rates)
    if len(curve) <= calm:
        return None
    lowest = int(curve[calm:].argmin()) + calm
    level, spread = float(np.mean(losses[:calm])), float(np.std(losses[:calm]))
    if level - curve[lowest] < max(CLEAR * level, spread):
        return None
    slopes = np.gradient(curve, np.log(rates))[:lowest + 1]
    steepest = int(slopes[calm // 2:].argmin()) + calm // 2
    return float(f"{min(rates[steepest], rates[lowest] / 10):.2g}")


def _points(rates: Sequence[float], curve: Sequence[float]) -> tuple[tuple[float, float], ...]:
    return tuple(zip(rates, curve))
