"""The training loop, as a generator of events: the worker writes them down, tests list them."""
from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from core.data.split import Split
from core.errors import NotANumber, UserError, out_of_memory
from core.events import Discarded, Done, EpochEnd, Event, Notice, Paused, Resumed, Smaller, Started, Step
from core.models.blocks import Network, State
from core.models.shares import outputs
from core.objectives import objective
from core.shelf import Shelf
from core.specs import FreezePlan, Precision, RunSpec, SplitName
from core.training import contrastive, full_batch, micro
from core.training.activations import Stored
from core.training.anchor import Anchored, anchors, pull
from core.training.checkpoint import copy_trained, restore_trained
from core.training.devices import free_memory, quick_products, seed_all
from core.training.losses import LOSSES, Loss, Terms
from core.training.optim import Optimizer, build_optimizer, rate_at, set_rate, trained_parameters
from core.training.order import batches_by_length, epoch_batches
from core.training.pairs import head_alone
from core.training.standing import Keeper, Progress, Sums
from core.training.storing import layouts, store

Wish = Literal["go", "pause", "keep", "discard"]
Control = Callable[[], Wish]
Last = Done | Paused | Discarded
REPORT_SECONDS = 0.1
REPORTS_PER_EPOCH = 4
EVALUATION_BATCH = 64


def fit(run: RunSpec, network: Network, splits: dict[SplitName, Split], n_outputs: int, folder: Path, control: Control,
        precision: Precision = "fp32", shelf: Shelf | None = None, most: int | None = None) -> Iterator[Event]:
    """Train by the run's plan and settings; afterwards the network holds the best epoch. Adapters that the plan asks for are there already
    (`core.models.lora.adapt`), and stay. What the frozen part gives is kept on `shelf`, where later runs find it (None: in the folder, for
    this one alone). At most `most` items are computed at once, fewer where memory runs out.

    Where the training stands is kept in `folder` again and again. When it is found there, the training goes on from it, with the same bits
    as if it had never ended (on a processor, with the same number of threads, which is kept too): the order of items is a function of
    (seed, epoch), dropout of (seed, step).

    Raises `UserError` when nothing would learn, `NotANumber` when the loss is no longer one, `OSError` when the disk is full.
    """
    threads, network.precision = torch.get_num_threads(), precision
    network.keeps_statistics = run.plan.batch_norm == "keep"
    network.to(memory_format=torch.channels_last)  # the order in which convolutions read fastest, here and on GPUs
    if shelf is None:
        shelf = Shelf(folder / "activations")
        shelf.folder.mkdir(exist_ok=True)
    try:
        with quick_products() if network.device.type == "cuda" else nullcontext():
            last = yield from _fit(run, network, splits, n_outputs, control, Keeper(folder, network, run, threads), shelf,
                                   most or run.config.batch_size)
        shelf.settle()
    finally:
        torch.set_num_threads(threads)
        network.precision = "fp32"
    yield last  # only now: whoever hears of the end goes on with the network


def _fit(run: RunSpec, network: Network, splits: dict[SplitName, Split], n_outputs: int, control: Control, keeper: Keeper, shelf: Shelf,
         most: int) -> Generator[Event, None, Last]:
    """Everything but the last event, which it returns."""
    plan, config = run.plan, run.config
    _check_learns(network, plan)
    steps_per_epoch = len(epoch_batches(splits["train"], config.batch_size, config.seed, 0))
    started = Started(len(splits["train"]), len(splits["val"]), len(splits["test"]), n_outputs, trained_parameters(network),
                      sum(p.numel() for p in network.parameters()), config.epochs, steps_per_epoch, network.device.type, network.precision)
    loss = LOSSES[run.data.objective]
    terms = loss.terms(splits["train"].targets, n_outputs, smoothing=config.label_smoothing, weighted=config.class_weights)
    if config.optimizer == "lbfgs" and config.store_activations and (layer := full_batch.linear_head(network, plan)):
        last = yield from full_batch.fit_head(run, network, layer, splits, terms, started, shelf, lambda: _asked(control))
        if last:
            return last
    yield started
    learns, resumed = head_alone(plan) if config.method == "contrastive" else plan, keeper.find()
    if config.method == "contrastive" and not resumed:
        wish = yield from contrastive.tune(run, network, splits["train"], lambda: _asked(control))
        if wish in ("pause", "discard"):
            return _without(wish)
    at = Progress(max(block.from_epoch for block in learns.blocks if block.state != "frozen" and block.from_epoch < config.epochs), most)
    optimizer, anchored = build_optimizer(network, learns, config), anchors(network, learns)
    if resumed:
        keeper.take_up(resumed, at, optimizer)
        yield Resumed(at.epoch, at.step)
        torch.set_num_threads(keeper.threads)
    stored = yield from _computed_once(run, network, splits, learns, terms, shelf, control, at.epoch, keeper.stored if resumed else None)
    if stored is None:
        return _without(_asked(control), at)
    if not resumed:
        keeper.stored = tuple(stored)
    terms, first = terms.on(network.device), at.epoch
    if at.most < config.batch_size:
        network.freeze(learns.trained())
        at.most = max(at.most, micro.least(network))
        yield from _fewer(network, at)
    for epoch in range(first, config.epochs if not at.stop else 0):
        if epoch == first or learns.trained_at(epoch) != learns.trained_at(epoch - 1):
            network.freeze(learns.trained_at(epoch))
            boundary = network.frozen_prefix() if network.frozen_prefix() in stored else 0
            sides = stored.get(boundary, splits)
            torch.set_num_threads(1 if _is_small(network, boundary) else keeper.threads)
        if at.stop != "keep":
            yield from _train_epoch(run, network, sides["train"], boundary, optimizer, anchored, loss, terms, at, control, keeper)
        if at.stop == "keep" and at.best_epoch:
            break
        if ended := _end_epoch(run, network, sides, boundary, loss, terms, at, control) if at.stop in ("", "keep") else None:
            yield ended
        else:
            yield from keeper.save(at, optimizer)
            return _without(at.stop, at)
        if keeper.due(epoch_ended=True):
            yield from keeper.save(at, optimizer)
        if at.stop:
            break
    yield from keeper.save(at, optimizer)
    restore_trained(network, at.best_tensors)
    network.freeze(())
    return Done(at.best_epoch, at.epoch + (at.position > 0), at.best_score, keeper.seconds(at),
                early=at.stop == "early" and at.epoch < config.epochs, stopped=at.stop == "keep")


def _computed_once(run: RunSpec, network: Network, splits: dict[SplitName, Split], learns: FreezePlan, terms: Terms, shelf: Shelf, control: Control,
                   first: int, only: tuple[int, ...] | None) -> Generator[Event, None, dict[int, dict[SplitName, Stored]] | None]:
    """What the frozen part gives, by boundary, from epoch index `first` on; before it, where one is wished, the first model. `only`: of a run that
    goes on, behind which boundaries it was stored. None when the run was paused or discarded meanwhile."""
    parts, stored = (yield from layouts(network, splits, learns, run.config, shelf, first, only)), dict[int, dict[SplitName, Stored]]()
    layer = full_batch.linear_head(network, head_alone(learns)) if run.config.first_model and not learns.adapted() else None
    if layer and only is None and not full_batch.linear_head(network, learns):
        before = yield from full_batch.first_model(run, network, layer, splits, parts, terms, shelf, lambda: _asked(control))
        if before is None:
            return None
        stored |= before
    missing = [one for one in parts if one.boundary not in stored]
    more = yield from store(network, splits, missing, shelf, lambda: _asked(control) in ("pause", "discard"))
    return None if more is None else stored | more


def _without(wish: str, at: Progress | None = None) -> Paused | Discarded:
    """The end of a training that gives no model, or not yet."""
    if wish != "pause":
        return Discarded()
    return Paused(at.epoch, at.step) if at else Paused()


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


def _train_epoch(run: RunSpec, network: Network, side: Split, boundary: int, optimizer: Optimizer, anchored: list[Anchored], loss: Loss,
                 terms: Terms, at: Progress, control: Control, keeper: Keeper) -> Iterator[Event]:
    """What is left of one pass over the training items. Sets `at.stop` when asked to end."""
    config, frozen = run.config, network.frozen_prefix()
    batches = epoch_batches(side, config.batch_size, config.seed, at.epoch)
    window, reported = Sums(), time.monotonic()
    for idx in batches[at.position:]:
        rate = rate_at(config.schedule, config.learning_rate, at.step, config.epochs * len(batches))
        set_rate(optimizer, rate)
        batch, targets = side.augmented(idx, at.epoch), side.targets[idx].to(network.device)
        if frozen > boundary:
            batch = outputs(network, batch, frozen)
        value, logits = yield from _gradients(run, network, batch, targets, frozen, loss, terms, optimizer, at)
        pull(anchored)
        optimizer.step()
        at.step, at.position = at.step + 1, at.position + 1
        window = window.plus(value, loss.counts(logits, targets), len(idx))
        last = at.position == len(batches)
        if last or time.monotonic() - reported > REPORT_SECONDS or at.position % max(1, len(batches) // REPORTS_PER_EPOCH) == 0:
            _refuse_nan(window.mean_loss(), config.learning_rate)
            yield Step(at.epoch + 1, at.step, window.mean_loss(), loss.score(window.counts), rate)
            at.sums, window, reported = at.sums.joined(window), Sums(), time.monotonic()
            if keeper.due():
                yield from keeper.save(at, optimizer)
        at.stop = _asked(control)
        if at.stop:
            break
    at.sums = at.sums.joined(window)


def _gradients(run: RunSpec, network: Network, batch: State, targets: Tensor, start: int, loss: Loss, terms: Terms, optimizer: Optimizer,
               at: Progress) -> Generator[Event, None, tuple[Tensor, Tensor]]:
    """Those of one batch: its loss and its logits. Where memory runs out, fewer items are computed at once, from now on."""
    while True:
        optimizer.zero_grad()
        seed_all(network.device, run.config.seed * 1_000_003 + at.step)
        try:
            return micro.gradients(network, batch, targets, start, at.most, loss, terms)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error) or min(at.most, len(batch)) <= micro.least(network):
                raise
        at.most = max(micro.least(network), min(at.most, len(batch)) // 2)
        free_memory(network.device)
        yield from _fewer(network, at)


def _fewer(network: Network, at: Progress) -> Iterator[Event]:
    """Say that memory is too short for the whole batch."""
    yield Smaller(at.most, micro.statistics_train(network))
    yield Notice("Memory is short: {n} items are computed at once. The batch stays what it was.", {"n": at.most})


def _end_epoch(run: RunSpec, network: Network, sides: dict[SplitName, Split], boundary: int, loss: Loss, terms: Terms, at: Progress,
               control: Control) -> EpochEnd | None:
    """Evaluate, remember the network when it is the best so far, count patience, and go on to the next epoch. None when the training is to be
    paused or discarded before that is done; then `at.stop` says so."""
    epoch, judged = at.epoch, _evaluate(network, sides["val"], boundary, loss, terms, control, _at_once(run, at)) if len(sides["val"]) else (None, None)
    if judged is None:
        at.stop = _asked(control)
        return None
    val_loss, val_score = judged
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
    ended = EpochEnd(epoch + 1, at.step, at.sums.mean_loss(), loss.score(at.sums.counts), val_loss, val_score, best, left)
    at.epoch, at.position, at.sums = epoch + 1, 0, Sums()
    return ended


def _evaluate(network: Network, side: Split, boundary: int, loss: Loss, terms: Terms, control: Control,
              size: int) -> tuple[float, float] | None:
    """Mean loss (without smoothing and weights) and score, everything in `eval()`; None when that is unwanted before it is done."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    sums = Sums()
    batches = batches_by_length(side, size)
    with torch.inference_mode():
        for idx in batches:
            if len(batches) > 1 and _asked(control) in ("pause", "discard"):
                break
            logits, targets = outputs(network, side.inputs(idx), start=boundary).x, side.targets[idx]
            sums = sums.plus(loss.loss(logits, targets, terms.plain()), loss.counts(logits, targets), len(idx))
    for module, training in modes.items():
        module.training = training
    return (sums.mean_loss(), loss.score(sums.counts)) if sums.n == len(side) else None


def _at_once(run: RunSpec, at: Progress) -> int:
    """So many items are judged at once: fewer where memory is short."""
    return EVALUATION_BATCH if at.most >= run.config.batch_size else min(EVALUATION_BATCH, at.most)


def _is_small(network: Network, boundary: int) -> bool:
    """A head alone, also one behind tables of vectors, is too little work to share: several threads would mostly wait for each other."""
    return not any(network.parameters_of(block) for block in network.blocks[boundary:-1] if not block.lookup)


def _refuse_nan(loss: float, rate: float) -> None:
    if not math.isfinite(loss):
        raise NotANumber("The loss is no longer a number.", "At learning rate {rate} the training broke.",
                        "Start again with a learning rate of {better}.", rate=f"{rate:.2g}", better=f"{rate / 10:.1g}")


def _asked(control: Control) -> Literal["", "pause", "keep", "discard"]:
    wish = control()
    return "" if wish == "go" else wish
