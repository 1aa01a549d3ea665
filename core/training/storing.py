"""What the frozen part of a run gives, stored for every epoch that needs it."""
from __future__ import annotations

from collections.abc import Callable, Generator
from itertools import groupby

from core.data.split import Split
from core.events import Event, Notice
from core.models.blocks import Network
from core.shelf import Shelf
from core.specs import FreezePlan, SplitName, TrainConfig
from core.training.activations import SIDES, Layout, Stored, has_room, layout, storing, views_for


def layouts(network: Network, splits: dict[SplitName, Split], plan: FreezePlan, config: TrainConfig, shelf: Shelf,
            first: int = 0, only: tuple[int, ...] | None = None) -> Generator[Event, None, list[Layout]]:
    """How to store it, for every frozen part that the run will have from epoch index `first` on and that there is room for. `only`: behind these
    boundaries, where it was decided before."""
    found = list[Layout]()
    for prefix, epochs in _prefixes(network, plan, config.epochs) if config.store_activations else ():
        if epochs[-1] < first or only is not None and prefix not in only:
            continue
        if one := layout(network, splits["train"], prefix, views_for(splits["train"], len(epochs))):
            if not has_room([*found, one], {name: splits[name] for name in SIDES}, shelf):
                yield Notice("There is no room to store what the frozen part computes, so it is computed again in every epoch.")
                break
            found.append(one)
    return found


def store(network: Network, splits: dict[SplitName, Split], some: list[Layout], shelf: Shelf,
          unwanted: Callable[[], bool]) -> Generator[Event, None, dict[int, dict[SplitName, Stored]] | None]:
    """By boundary, the sides as the frozen part gives them, all computed in one pass; None when they were unwanted before that was done."""
    if not some:
        return {}
    filling = storing(network, splits, some, shelf)
    for event in filling.run(network):
        yield event
        if unwanted():
            return None
    return filling.sides


def _prefixes(network: Network, plan: FreezePlan, epochs: int) -> list[tuple[int, list[int]]]:
    """How many leading blocks rest, and in which epochs. Leaves all of them at rest."""
    found = list[int]()
    for epoch in range(epochs):
        if plan.trained_at(epoch) != plan.trained_at(epoch - 1):
            network.freeze(plan.trained_at(epoch))
        found.append(network.frozen_prefix())
    network.freeze(())
    return [(prefix, [epoch for epoch, _ in some]) for prefix, some in groupby(enumerate(found), lambda pair: pair[1])]
