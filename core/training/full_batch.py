"""A linear head that learns alone: fitted to all items at once by L-BFGS (Liu and Nocedal 1989) on what the frozen part gives of them.

One fit after the other, each free to use larger weights than the one before; the validation items choose among them. While the frozen
part is still being computed, fits to the items that are there already show where it is going.
"""
from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.data.split import Split
from core.errors import UserError
from core.events import Discarded, Done, EpochEnd, Event, FirstModel, Notice, Paused, Started, Step
from core.models.blocks import Network, State
from core.objectives import objective
from core.shelf import Shelf
from core.specs import FreezePlan, RunSpec, SplitName
from core.training.activations import SIDES, AsTheyAre, Filling, Layout, Stored, has_room, layout, storing, views_for
from core.training.fits import CHANGE, GRADIENT, MOST_ROUNDS, SHARES, STRENGTHS, USUAL, WORSE
from core.training.losses import LOSSES, Terms

LEAST_ITEMS = 16
"""Fewer are not fitted to while the others are computed."""
AT_ONCE = 256
Wish = Literal["", "pause", "keep", "discard"]
ENDS = ("pause", "discard")
"""Wishes for which no fit is made any more. One that is paused begins anew: what it needs was stored."""


def linear_head(network: Network, plan: FreezePlan) -> nn.Linear | None:
    """The layer that learns, where it is the last block's only one and nothing else learns."""
    head, trained = network.blocks[-1], set(plan.trained())
    layers = [part for path in head.modules for part in network.model.get_submodule(path).modules() if isinstance(part, nn.Linear)]
    if len(layers) != 1 or layers[0].bias is None:
        return None
    learning = {id(p) for block in network.blocks if block.name in trained for p in network.learning(block).values()}
    return layers[0] if learning == {id(layers[0].weight), id(layers[0].bias)} else None


def fit_head(run: RunSpec, network: Network, layer: nn.Linear, splits: dict[SplitName, Split], terms: Terms, started: Started, shelf: Shelf,
             control: Callable[[], Wish]) -> Generator[Event, None, Done | Paused | Discarded | None]:
    """As `core.training.fit.fit`, but for the last event, which it returns; None, before anything else, where there is no room for what the
    frozen part gives. Epochs are fits, of one step each; nothing is random but how items are changed."""
    began = time.monotonic()
    network.freeze(())
    network.eval()
    one = head_layout(network, splits, shelf, views_for(splits["train"], run.config.epochs))
    if one is None:
        return None
    filling = storing(network, splits, [one], shelf)
    on_the_way = [n for share in SHARES if (n := int(share * started.n_train)) >= LEAST_ITEMS] if filling.missing else []
    fits = Fits(run, network, layer, filling.sides[one.boundary], terms)
    n = len(on_the_way) + len(fits.strengths)
    yield replace(started, epochs=n, steps_per_epoch=1, t=time.time())
    yield Notice("Each point is one fit of the head to all items that are there, later ones with more freedom; the one with the best validation score is kept."
                 if len(splits["val"]) else "Each point is one fit of the head to all items that are there.")
    wish: Wish = ""
    for event in _on_the_way(filling, network, fits, on_the_way):
        yield event
        wish = control()
        if wish in ENDS or (wish == "keep" and fits.best):
            break
    if not (wish in ENDS or wish and fits.best):
        yield from fits.freer(control)
        wish = control()
    if wish in ENDS:
        return Paused() if wish == "pause" else Discarded()
    assert fits.best is not None, "at least one fit has been made"
    fits.restore()
    stopped = control() == "keep"
    return Done(fits.best.epoch, fits.n, fits.best.val_score, time.monotonic() - began, early=fits.n < n and not stopped, stopped=stopped)


def head_layout(network: Network, splits: dict[SplitName, Split], shelf: Shelf, views: int = 1) -> Layout | None:
    """How to store what enters the head; None without room."""
    one = layout(network, splits["train"], len(network.blocks) - 1, views)
    return one if one and has_room([one], {name: splits[name] for name in SIDES}, shelf) else None


def first_model(run: RunSpec, network: Network, layer: nn.Linear, splits: dict[SplitName, Split], besides: Sequence[Layout], terms: Terms, shelf: Shelf,
                control: Callable[[], Wish]) -> Generator[Event, None, dict[int, dict[SplitName, Stored]] | None]:
    """Fit the head alone, on items as they are, then say so while the network is this model; afterwards it is what it was. `besides`: what the
    training will need. Returns what of that was stored in the same pass, by boundary; None when the run was paused or discarded meanwhile."""
    began = time.monotonic()
    network.freeze(())
    network.eval()
    plain: dict[SplitName, Split] = {name: AsTheyAre(side) for name, side in splits.items()}
    one = head_layout(network, plain, shelf)
    if one is None:
        return {}
    besides = [other for other in besides if other.boundary != one.boundary and not splits["train"].changes]
    filling = storing(network, plain, [*besides, one], shelf)
    for event in filling.run(network):
        yield event
        if control() in ENDS:
            return None
    fits, before = Fits(run, network, layer, filling.sides[one.boundary], terms), (layer.weight.detach().clone(), layer.bias.detach().clone())
    for _ in fits.freer(control):
        pass
    assert fits.best is not None, "at least one fit has been made"
    fits.restore()
    yield FirstModel(fits.best.val_score, time.monotonic() - began)
    with torch.no_grad():
        layer.weight.copy_(before[0])
        layer.bias.copy_(before[1])
    return filling.sides if not splits["train"].changes else {}


def _on_the_way(filling: Filling, network: Network, fits: Fits, first: list[int]) -> Iterator[Event]:
    """What the frozen part's computation says, and a fit wherever as many items as `first` says are there."""
    for event in filling.run(network):
        yield event
        there = sum(map(len, filling.filled))
        if first and there >= first[0]:
            first = [n for n in first if n > there]
            yield from fits.fit(torch.cat(filling.filled), USUAL)


@dataclass(slots=True)
class Fits:
    """The fits that were made, and the best one. `weight` (n_outputs, D) and `bias` are those of features with mean 0 and variance 1; every fit
    begins where the last one ended."""
    run: RunSpec
    network: Network
    layer: nn.Linear
    sides: dict[SplitName, Stored]
    terms: Terms
    n: int = 0
    best: EpochEnd | None = None
    weight: Tensor = field(init=False)
    bias: Tensor = field(init=False)
    _rank: tuple[float, float] = (-math.inf, -math.inf)
    _kept: tuple[Tensor, Tensor] | None = None
    _entering: dict[SplitName, Tensor] = field(default_factory=dict)
    _behind: tuple[Tensor, Tensor] = field(init=False)

    def __post_init__(self) -> None:
        self.weight, self.bias = torch.zeros(self.layer.weight.shape), torch.zeros(self.layer.bias.shape)  # this is little work, also for a processor
        few = self.sides["train"].inputs(torch.tensor([0]))
        zero, one = (self._head(few, lambda x, y=y: x.new_full((len(x), self.layer.out_features), y)) for y in (0.0, 1.0))
        self._behind = one - zero, zero  # numbers are brought to the unit of the labels behind the layer

    @property
    def strengths(self) -> tuple[float, ...]:
        """Those that are tried with all items."""
        return STRENGTHS if len(self.sides["val"]) else (USUAL,)

    def freer(self, control: Callable[[], Wish]) -> Iterator[Event]:
        """Fits to all items, the least free first."""
        self.best, self._rank, waited = None, (-math.inf, -math.inf), 0
        for strength in self.strengths:
            before = self.best
            yield from self.fit(None, strength)
            waited = waited + 1 if self.best is before else 0
            if control() or waited == WORSE:
                break

    def fit(self, idx: Tensor | None, strength: float) -> Iterator[Event]:
        """To some of the training items (None: all, in every view)."""
        loss, side = LOSSES[self.run.data.objective], self.sides["train"]
        x = self._features("train") if idx is None else self._collected(side, idx)
        targets = side.targets.repeat(len(x) // len(side), *[1] * (side.targets.ndim - 1)) if idx is None else side.targets[idx]
        std, mean = torch.std_mean(x, dim=0, correction=0)
        std = torch.where(std > 1e-6 * std.max(), std, torch.ones_like(std))
        weight, bias = self.weight.clone().requires_grad_(), self.bias.clone().requires_grad_()
        solver = torch.optim.LBFGS([weight, bias], max_iter=MOST_ROUNDS, tolerance_grad=GRADIENT, tolerance_change=CHANGE,
                                   line_search_fn="strong_wolfe")

        def plain() -> tuple[Tensor, Tensor]:
            """The layer's numbers for features as they are."""
            own = weight / std
            return own, bias - own @ mean

        def closure() -> Tensor:
            solver.zero_grad()
            value = loss.loss(self._logits(x, *plain()), targets, self.terms) + strength / 2 * weight.square().sum()
            value.backward()
            return value
        solver.step(closure)
        self.weight, self.bias = weight.detach(), bias.detach()
        self.n += 1
        with torch.no_grad():
            yield from self._judged(x, targets, plain())

    def _judged(self, x: Tensor, targets: Tensor, numbers: tuple[Tensor, Tensor]) -> Iterator[Event]:
        loss = LOSSES[self.run.data.objective]

        def judge(some: Tensor, truths: Tensor) -> tuple[float, float]:
            logits = self._logits(some, *numbers)
            return float(loss.loss(logits, truths, self.terms.plain())), loss.score(loss.counts(logits, truths))
        train, val = judge(x, targets), (None, None)
        if len(self.sides["val"]):
            val = judge(self._features("val"), self.sides["val"].targets)
        if not all(math.isfinite(value) for value in (train[0], val[0] or 0.0)):
            raise UserError("The loss is no longer a number.", "What the frozen part gives can't be fitted to.", "Choose another model, or the optimizer AdamW.")
        rank = objective(self.run.data.objective).rank(self.n, val[1], val[0])
        best = rank > self._rank
        end = EpochEnd(self.n, self.n, train[0], train[1], val[0], val[1], best, None)
        if best:
            self._rank, self.best, self._kept = rank, end, numbers
        yield Step(self.n, self.n, train[0], train[1], self.run.config.learning_rate)
        yield end

    def _logits(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        scale, shift = self._behind
        return F.linear(x, weight, bias) * scale + shift

    def _features(self, name: SplitName) -> Tensor:
        """What enters the layer, (n · views, D); the very tensors that are stored where that is all."""
        if name not in self._entering:
            side = self.sides[name]
            few, all_items = torch.arange(min(2, len(side))), torch.arange(len(side))
            same = side.starts is None and side.views[0].dtype == torch.float32 and torch.equal(side.views[0][few], self._collected(side, few))
            views = side.views if same else [self._collected(side, all_items, view) for view in range(len(side.views))]
            self._entering[name] = views[0] if len(views) == 1 else torch.cat(list(views))
        return self._entering[name]

    def _collected(self, side: Stored, idx: Tensor, view: int = 0) -> Tensor:
        """What enters the layer for some items, (n, D)."""
        entering = list[Tensor]()

        def catch(x: Tensor) -> Tensor:
            entering.append(x.float().cpu())
            return x.new_zeros(len(x), self.layer.out_features)
        for some in idx.split(AT_ONCE):
            self._head(side.augmented(some, view), catch)
        return torch.cat(entering)

    def _head(self, batch: State, forward: Callable[[Tensor], Tensor]) -> Tensor:
        """The last block on what is stored, with something else in the layer's place."""
        self.layer.forward = forward  # type: ignore[method-assign]
        try:
            with torch.no_grad():
                return self.network.run(batch, start=len(self.network.blocks) - 1).x.cpu()
        finally:
            del self.layer.forward

    def restore(self) -> None:
        """Put the best fit into the layer."""
        assert self._kept is not None
        with torch.no_grad():
            self.layer.weight.copy_(self._kept[0])
            self.layer.bias.copy_(self._kept[1])
