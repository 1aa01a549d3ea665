"""Weights from a file of one's own, an earlier run's or a checkpoint, for the trunk of any network. The head stays new.

A tensor's name in the file may stand behind another prefix than in the network: that of a wrapper (`module.`), or of the class that a
transformer was trained in. Which one is found by vote: the prefix under which most of the network's names are in the file.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from core.errors import ModelError
from core.models.blocks import Block, Network
from core.models.own_files import Shapes, damaged, names, shapes_in
from core.models.rows import ModelRow


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file does not fit. `name`: the first tensor in question, as the file calls it, or where it has none as the network does. "other": not one
    of the names is there; "missing"; "shape": `found` in the file, `wanted` by the network; "more": the file goes on where the network ends."""
    kind: Literal["other", "missing", "shape", "more"]
    name: str
    found: tuple[int, ...] = ()
    wanted: tuple[int, ...] = ()

    def __str__(self) -> str:
        return {"other": f"it has no {self.name}", "missing": f"it has no {self.name}", "more": f"it also has {self.name}",
                "shape": f"{self.name} {shape(self.found)} ≠ {shape(self.wanted)}"}[self.kind]


@dataclass(frozen=True, slots=True)
class Match:
    """How a file fits a network. `names`: of the trunk's tensors, with theirs in the file. `lacking`: blocks that could be new and that the
    file does not have."""
    names: dict[str, str]
    lacking: frozenset[str]
    problem: Problem | None


def load_trunk(network: Network, row: ModelRow) -> None:
    """Put the row's own weights into a network that was built for it; the head, and blocks that the row calls new, stay as they are.

    Names and shapes are compared before anything is read. Raises `ModelError` when the file is gone, damaged or another network's.
    """
    found = matched(shapes_in(row), network, new={block.name for block in row.blocks if block.new})
    if found.problem:
        raise ModelError("The weights of {model} don't fit it.", "{file} holds another network: {problem}", "Choose another model.",
                         problem=str(found.problem), **names(row))
    state = network.model.state_dict()
    try:
        with safe_open(row.own_file, framework="pt") as file, torch.no_grad():
            for name, theirs in found.names.items():
                state[name].copy_(file.get_tensor(theirs))
    except (SafetensorError, OSError) as error:
        raise damaged(row, error) from error


def matched(shapes: Shapes, network: Network, new: Collection[str] = (), optional: Collection[str] = ()) -> Match:
    """Compare a file's tensors with those of the network's trunk. `new`: blocks that need not be there; `optional`: blocks that are taken
    where they are whole, and are new otherwise."""
    state, head = network.model.state_dict(), network.blocks[-1]
    wanted = {block.name: _owned(block, state) for block in network.blocks if block is not head and block.name not in new}
    needed = [name for block, found in wanted.items() if block not in optional for name in found]
    ours, theirs = _prefixes(shapes, needed or [name for found in wanted.values() for name in found])

    def in_file(name: str) -> str:
        return theirs + name.removeprefix(ours)

    def fits(name: str) -> bool:
        return shapes.get(in_file(name)) == tuple(state[name].shape) or in_file(name) not in shapes and not state[name].is_floating_point()
    lacking = frozenset(block for block, found in wanted.items() if block in optional and not all(map(fits, found)))
    taken = [name for block, found in wanted.items() if block not in lacking for name in found]
    problem = next((_unfit(name, in_file(name), shapes, state[name]) for name in taken if not fits(name)), None)
    if problem and not any(in_file(name) in shapes for name in needed):
        problem = Problem("other", problem.name)
    places = _Places(state, head, ours)
    more = next((name for name in shapes if name.startswith(theirs) and places.beyond(ours + name.removeprefix(theirs))), None)
    if problem is None and more:
        problem = Problem("more", more)
    return Match({name: in_file(name) for name in taken if in_file(name) in shapes}, lacking, problem)


def shape(size: tuple[int, ...]) -> str:
    return " × ".join(map(str, size)) or "1"


def _unfit(name: str, theirs: str, shapes: Shapes, tensor: Tensor) -> Problem:
    return Problem("shape", theirs, shapes[theirs], tuple(tensor.shape)) if theirs in shapes else Problem("missing", name)


def _owned(block: Block, state: dict[str, Tensor]) -> list[str]:
    return [name for name in state if any(name == path or name.startswith(f"{path}.") for path in (*block.modules, *block.tensors))]


def _prefixes(shapes: Shapes, needed: list[str]) -> tuple[str, str]:
    """(prefix of the network's names, what stands in the file in its place)."""
    suffixes: dict[str, list[str]] = {}
    for name in shapes:
        for prefix in _prefixes_of(name):
            suffixes.setdefault(name[len(prefix):], []).append(prefix)
    shared = [prefix for prefix in _prefixes_of(needed[0] if needed else "") if all(name.startswith(prefix) for name in needed)]
    votes = Counter({(ours, ""): 0 for ours in shared})
    for ours in shared:
        for name in needed:
            votes.update((ours, theirs) for theirs in suffixes.get(name.removeprefix(ours), ()))
    return votes.most_common(1)[0][0]  # of equal ones the first: as few changes as possible


def _prefixes_of(name: str) -> Iterator[str]:
    yield ""
    yield from (name[:i + 1] for i, letter in enumerate(name) if letter == ".")


class _Places:
    """Where in a network a name of a file would stand."""

    def __init__(self, state: dict[str, Tensor], head: Block, trunk: str) -> None:
        self._modules = {prefix for name in state for prefix in _prefixes_of(name) if prefix}
        self._names = state
        free = {f"{path}." for path in head.modules}
        self._free = {"", trunk} | free | {prefix for path in free for prefix in _prefixes_of(path[:-1]) if prefix}

    def beyond(self, name: str) -> bool:
        """Whether it belongs to a module that the network lacks, inside one that it has: as the third block of a stage that has two."""
        if name in self._names:
            return False
        *outer, parent = _prefixes_of(name)
        if not parent or parent in self._modules:  # at the top, or a left-over of a module that is there
            return False
        deepest = next((prefix for prefix in reversed(outer) if prefix in self._modules), "")
        return deepest not in self._free
