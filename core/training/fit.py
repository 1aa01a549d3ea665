"""The training loop, as a generator of events: the worker writes them down, tests list them."""
from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from core.data.split import Split
from core.errors import UserError
from core.events import Discarded, Done, EpochEnd, Event, Notice, Saved, Started, Step
from core.models.blocks import Network
from core.models.shares import outputs
from core.objectives import objective
from core.shelf import Shelf
from core.specs import FreezePlan, Precision, RunSpec, SplitName, TrainConfig
from core.training import contrastive, full_batch
from core.training.activations import SIDES, Layout, Stored, has_room, layout, storing, views_for
from core.training.anchor import Anchored, anchors, pull
from core.training.checkpoint import copy_trained, restore_trained, save_trained
from core.training.devices import quick_products, seed_all
from core.training.losses import LOSSES, Loss, Terms
from core.training.optim import Optimizer, build_optimizer, rate_at, set_rate, trained_parameters
from core.training.order import batches_by_length, epoch_batches
from core.training.pairs import head_alone

Control = Callable[[], Literal["go", "keep", "discard"]]
REPORT_SECONDS = 0.1
REPORTS_PER_EPOCH = 4
SAVE_SECONDS = 5.0
EVALUATION_BATCH = 64


@dataclass(slots=True)
class _Progress:
    """Where the run stands. `best` orders epochs: the better score first, then the lower loss. Patience is counted from epoch index
    `patience_from` on, when every block that is to train does."""
    patience_from: int
    step: int = 0
    best: tuple[float, float] = (float("-inf"), float("-inf"))
    best_epoch: int = 0
    best_score: float | None = None
    best_tensors: dict[str, Tensor] = field(default_factory=dict)
    waited: int = 0
    saved_at: float = field(default_factory=time.monotonic)
    stop: Literal["", "keep", "discard", "early"] = ""


@dataclass(frozen=True, slots=True)
class _Sums:
    """What a score is made of, over some batches. `loss`: sum over items; tensors, so that nothing waits for a device in each step."""
    loss: Tensor = field(default_factory=lambda: torch.zeros(()))
    counts: Tensor = field(default_factory=lambda: torch.zeros(()))
    n: int = 0

    def plus(self, mean_loss: Tensor, counts: Tensor, n: int) -> _Sums:
        return _Sums(self.loss + mean_loss * n, self.counts + counts, self.n + n)

    def joined(self, other: _Sums) -> _Sums:
        return _Sums(self.loss + other.loss, self.counts + other.counts, self.n + other.n)

    def mean_loss(self) -> float:
        return float(self.loss) / self.n


def fit(run: RunSpec, network: Network, splits: dict[SplitName, Split], n_outputs: int, folder: Path, control: Control,
        precision: Precision = "fp32", shelf: Shelf | None = None) -> Iterator[Event]:
    """Train by the run's plan and settings; afterwards the network holds the best epoch, and so does `folder/best.safetensors`.
    Adapters that the plan asks for are there already (`core.models.lora.adapt`), and stay. What the frozen part gives is kept on
    `shelf`, where later runs find it (None: in the folder, for this one alone).

    Raises `UserError` when nothing would learn or the loss is no longer a number. The order of items is a function of
    (seed, epoch), dropout of (seed, step): what comes next never depends on what ran before in this process.
    """
    threads, network.precision = torch.get_num_threads(), precision
    network.keeps_statistics = run.plan.batch_norm == "keep"
    network.to(memory_format=torch.channels_last)  # the order in which convolutions read fastest, here and on GPUs
    if shelf is None:
        shelf = Shelf(folder / "activations")
        shelf.folder.mkdir(exist_ok=True)
    try:
        with quick_products() if network.device.type == "cuda" else nullcontext():
            last = yield from _fit(run, network, splits, n_outputs, folder, control, threads, shelf)
        shelf.settle()
    finally:
        torch.set_num_threads(threads)
        network.precision = "fp32"
    yield last  # only now: whoever hears of the end goes on with the network


def _fit(run: RunSpec, network: Network, splits: dict[SplitName, Split], n_outputs: int, folder: Path, control: Control,
         threads: int, shelf: Shelf) -> Generator[Event, None, Done | Discarded]:
    """Everything but the last event, which it returns."""
    began, plan, config = time.monotonic(), run.plan, run.config
    _check_learns(network, plan)
    steps_per_epoch = len(epoch_batches(splits["train"], config.batch_size, config.seed, 0))
    started = Started(len(splits["train"]), len(splits["val"]), len(splits["test"]), n_outputs, trained_parameters(network),
                      sum(p.numel() for p in network.parameters()), config.epochs, steps_per_epoch, network.device.type, network.precision)
    loss = LOSSES[run.data.objective]
    terms = loss.terms(splits["train"].targets, n_outputs, smoothing=config.label_smoothing, weighted=config.class_weights)
    if config.optimizer == "lbfgs" and config.store_activations and (layer := full_batch.linear_head(network, plan)):
        last = yield from full_batch.fit_head(run, network, layer, splits, terms, started, folder, shelf, lambda: _asked(control))
        if last:
            return last
    yield started
    if config.method == "contrastive":
        wish = yield from contrastive.tune(run, network, splits["train"], lambda: _asked(control))
        if wish == "discard":
            return Discarded()
        plan = head_alone(plan)
    at = _Progress(max(block.from_epoch for block in plan.blocks if block.state != "frozen" and block.from_epoch < config.epochs))
    layouts, stored = (yield from _layouts(network, splits, plan, config, shelf)), dict[int, dict[SplitName, Stored]]()
    layer = full_batch.linear_head(network, head_alone(plan)) if config.first_model and not plan.adapted() else None
    if layer and not full_batch.linear_head(network, plan):
        before = yield from full_batch.first_model(run, network, layer, splits, layouts, terms, shelf, lambda: _asked(control))
        if before is None:
            return Discarded()
        stored |= before
    stored |= yield from _store(network, splits, [one for one in layouts if one.boundary not in stored], shelf, control, at)
    optimizer, anchored, terms = build_optimizer(network, plan, config), anchors(network, plan), terms.on(network.device)
    for epoch in range(config.epochs):
        if plan.trained_at(epoch) != plan.trained_at(epoch - 1):
            network.freeze(plan.trained_at(epoch))
            boundary = network.frozen_prefix() if network.frozen_prefix() in stored else 0
            sides = stored.get(boundary, splits)
            torch.set_num_threads(1 if _is_small(network, boundary) else threads)
        if at.stop not in ("discard", "keep"):
            totals = yield from _train_epoch(run, network, sides["train"], boundary, optimizer, anchored, loss, terms, epoch, at, control)
        if at.stop == "discard":
            return Discarded()
        if at.stop == "keep" and at.best_epoch:
            break
        yield _end_epoch(run, network, sides, boundary, loss, terms, epoch, totals, at)
        if at.best_epoch == epoch + 1 and time.monotonic() - at.saved_at > SAVE_SECONDS:
            yield _save(at, folder)
        if at.stop:
            break
    yield _save(at, folder)
    restore_trained(network, at.best_tensors)
    network.freeze(())
    return Done(at.best_epoch, epoch + 1, at.best_score, time.monotonic() - began, early=at.stop == "early" and epoch + 1 < config.epochs,
                stopped=at.stop == "keep")


def _check_learns(network: Network, plan: FreezePlan) -> None:
    """Leaves every block awake that the plan ever trains."""
    network.freeze(plan.trained_at(0))
    at_first = trained_parameters(network)
    network.freeze(plan.trained())
    if not trained_parameters(network):
        raise UserError("Nothing would learn.", "Every block is frozen.", "Train at least one block: the head is the usual choice.")
    if not at_first:
        raise UserError("Nothing would learn.", "No block trains in the first epoch.",
                        "Let one block train from the start: the head is the usual choice.")


def _layouts(network: Network, splits: dict[SplitName, Split], plan: FreezePlan, config: TrainConfig,
             shelf: Shelf) -> Generator[Event, None, list[Layout]]:
    """How to store what the frozen part gives, for every one that the run will have and that there is room for."""
    found = list[Layout]()
    for prefix, epochs in _prefixes(network, plan, config.epochs) if config.store_activations else ():
        if one := layout(network, splits["train"], prefix, views_for(splits["train"], epochs)):
            if not has_room([*found, one], {name: splits[name] for name in SIDES}, shelf):
                yield Notice("There is no room to store what the frozen part computes, so it is computed again in every epoch.")
                break
            found.append(one)
    return found


def _prefixes(network: Network, plan: FreezePlan, epochs: int) -> list[tuple[int, int]]:
    """How many leading blocks rest, and in how many epochs. Leaves all of them at rest."""
    found = list[int]()
    for epoch in range(epochs):
        if plan.trained_at(epoch) != plan.trained_at(epoch - 1):
            network.freeze(plan.trained_at(epoch))
        found.append(network.frozen_prefix())
    network.freeze(())
    return [(prefix, len(list(some))) for prefix, some in groupby(found)]


def _store(network: Network, splits: dict[SplitName, Split], layouts: list[Layout], shelf: Shelf, control: Control,
           at: _Progress) -> Generator[Event, None, dict[int, dict[SplitName, Stored]]]:
    """By boundary, the sides as the frozen part gives them, all computed in one pass. Sets `at.stop` when asked to discard the run."""
    if not layouts:
        return {}
    filling = storing(network, splits, layouts, shelf)
    for event in filling.run(network):
        yield event
        if _asked(control) == "discard":
            at.stop = "discard"
            break
    return filling.sides


def _train_epoch(run: RunSpec, network: Network, side: Split, boundary: int, optimizer: Optimizer, anchored: list[Anchored], loss: Loss,
                 terms: Terms, epoch: int, at: _Progress, control: Control) -> Generator[Event, None, list[float]]:
    """One pass over the training items; returns (mean loss, mean score). Sets `at.stop` when asked to end."""
    config, frozen = run.config, network.frozen_prefix()
    batches = epoch_batches(side, config.batch_size, config.seed, epoch)
    total, window, reported = _Sums(), _Sums(), time.monotonic()
    for position, idx in enumerate(batches):
        rate = rate_at(config.schedule, config.learning_rate, at.step, config.epochs * len(batches))
        set_rate(optimizer, rate)
        seed_all(network.device, config.seed * 1_000_003 + at.step)
        batch, targets = side.augmented(idx, epoch), side.targets[idx].to(network.device)
        if frozen > boundary:
            batch = outputs(network, batch, frozen)
        logits = network.run(batch, start=frozen).x
        value = loss.loss(logits, targets, terms)
        optimizer.zero_grad()
        value.backward()
        pull(anchored)
        optimizer.step()
        at.step += 1
        window = window.plus(value.detach(), loss.counts(logits.detach(), targets), len(idx))
        last = position == len(batches) - 1
        if last or time.monotonic() - reported > REPORT_SECONDS or (position + 1) % max(1, len(batches) // REPORTS_PER_EPOCH) == 0:
            _refuse_nan(window.mean_loss(), config.learning_rate)
            yield Step(epoch + 1, at.step, window.mean_loss(), loss.score(window.counts), rate)
            total, window, reported = total.joined(window), _Sums(), time.monotonic()
        at.stop = _asked(control)
        if at.stop:
            break
    total = total.joined(window)
    return [total.mean_loss(), loss.score(total.counts)]


def _end_epoch(run: RunSpec, network: Network, sides: dict[SplitName, Split], boundary: int, loss: Loss, terms: Terms, epoch: int,
               totals: list[float], at: _Progress) -> EpochEnd:
    """Evaluate, remember the network when it is the best so far, count patience."""
    val_loss, val_score = _evaluate(network, sides["val"], boundary, loss, terms) if len(sides["val"]) else (None, None)
    if val_loss is not None:
        _refuse_nan(val_loss, run.config.learning_rate)
    rank = objective(run.data.objective).rank(epoch, val_score, val_loss)
    best = rank > at.best
    if best:
        at.best, at.best_epoch, at.best_score, at.waited = rank, epoch + 1, val_score, 0
        at.best_tensors = copy_trained(network, run.plan)
        if not all(math.isfinite(float(tensor.sum())) for tensor in at.best_tensors.values()):  # seen by no loss where there is no validation
            _refuse_nan(float("nan"), run.config.learning_rate)
    elif epoch >= at.patience_from:
        at.waited += 1
    patience = run.config.patience
    left = max(0, patience - at.waited) if patience and val_score is not None else None
    if left == 0 and not at.stop:
        at.stop = "early"
    return EpochEnd(epoch + 1, at.step, totals[0], totals[1], val_loss, val_score, best, left)


def _evaluate(network: Network, side: Split, boundary: int, loss: Loss, terms: Terms) -> tuple[float, float]:
    """Mean loss (without smoothing and weights) and score, everything in `eval()`."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    sums = _Sums()
    with torch.inference_mode():
        for idx in batches_by_length(side, EVALUATION_BATCH):
            logits, targets = outputs(network, side.inputs(idx), start=boundary).x, side.targets[idx]
            sums = sums.plus(loss.loss(logits, targets, terms.plain()), loss.counts(logits, targets), len(idx))
    for module, training in modes.items():
        module.training = training
    return sums.mean_loss(), loss.score(sums.counts)


def _is_small(network: Network, boundary: int) -> bool:
    """A head alone, also one behind tables of vectors, is too little work to share: several threads would mostly wait for each other."""
    return not any(network.parameters_of(block) for block in network.blocks[boundary:-1] if not block.lookup)


def _refuse_nan(loss: float, rate: float) -> None:
    if not math.isfinite(loss):
        raise UserError("The loss is no longer a number.", "At learning rate {rate} the training broke.",
                        "Start again with a learning rate of {better}.", rate=f"{rate:.2g}", better=f"{rate / 10:.1g}")


def _asked(control: Control) -> Literal["", "keep", "discard"]:
    wish = control()
    return "" if wish == "go" else wish


def _save(at: _Progress, folder: Path) -> Saved:
    save_trained(folder / "best.safetensors", at.best_tensors)
    at.saved_at = time.monotonic()
    return Saved(at.best_epoch)
