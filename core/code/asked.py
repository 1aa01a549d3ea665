"""What a script is asked to show, and how values become source text. Torch-free."""
from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.models.answers import Answers
from core.models.rows import ModelRow
from core.objectives import Objective
from core.specs import FreezePlan, SplitName, TrainConfig
from core.training.costs import views_of
from core.training.presets import fitted_at_once

WIDTH = 99
ITEMS, WEIGHTS, TOKENIZER, PICTURES, MODEL = "items.jsonl", "weights.safetensors", "tokenizer.json", "pictures", "model"
"""What lies beside a script (`core.code.kit`)."""


def files_beside(row: ModelRow) -> bool:
    """Whether its weights are a file of this machine alone, and nothing that a library could fetch."""
    return bool(row.own_file) or row.built_in or row.adapter == "words"


def lies_in_folder(row: ModelRow) -> bool:
    """Whether it is a model of the hub's kind in a folder of this machine."""
    return row.adapter != "words" and os.path.isabs(row.repo)


@dataclass(frozen=True, slots=True)
class Asked:
    """`modules`: by block, the paths of its modules. `sizes`: items on each side of the split that has some."""
    row: ModelRow
    plan: FreezePlan
    config: TrainConfig
    answers: Answers
    labels: tuple[str, ...]
    objective: Objective
    sizes: Mapping[SplitName, int]
    preprocess: Any
    modules: Mapping[str, tuple[str, ...]]
    pretrained: bool = True
    heic: bool = False
    """Whether there are pictures that Pillow can't open by itself."""

    @property
    def loads_file(self) -> bool:
        """Whether its weights are read from the file beside the script."""
        return self.pretrained and files_beside(self.row)

    @property
    def source(self) -> str:
        """Where the network's config and weights are: an id of the hub, or the folder beside the script."""
        return MODEL if lies_in_folder(self.row) else self.row.repo

    @property
    def in_pairs(self) -> bool:
        """Whether items are compared in pairs first."""
        return self.config.method == "contrastive"

    @property
    def views(self) -> int:
        """In how many variants each training item is looked at, where that is done once and for all; 0: it is looked at in every epoch."""
        return views_of(self.config.epochs, self.augments)

    @property
    def at_once(self) -> bool:
        """Whether a linear head learns alone and is fitted to all items at once."""
        return fitted_at_once(self.row, self.plan, self.config)

    @property
    def smoothing(self) -> float:
        return self.config.label_smoothing if self.objective.smoothing else 0.0

    @property
    def weighs(self) -> bool:
        """Whether rare labels count more."""
        return self.objective.weights and self.config.class_weights

    @property
    def augments(self) -> bool:
        return self.row.task == "image" and self.config.augmentation.active

    @property
    def pulls(self) -> bool:
        """Whether weights are pulled to their source (`core.training.anchor`). In the first half of SetFit none are."""
        return not self.in_pairs and any(block.anchor and block.state == "trained" for block in self.plan.blocks)

    @property
    def learning(self) -> tuple[str, ...]:
        """Paths of all modules that learn at any time."""
        return tuple(path for name in self.plan.trained() for path in self.modules[name])

    @property
    def adapted(self) -> tuple[str, ...]:
        """Paths of the modules beside whose layers thin adapters learn."""
        return tuple(path for name in self.plan.adapted() for path in self.modules[name])

    @property
    def adds_to_batches(self) -> bool:
        """Whether the last batch would hold a single item, and joins the one before it."""
        n, size = self.sizes["train"], self.config.batch_size
        return n > size and (n % size or size) == 1


@dataclass(frozen=True, slots=True)
class Part:
    """Lines of a script and the imports that they need, which are keys of `core.code.script.IMPORTS`. `installs`: what pip installs besides."""
    text: str
    imports: frozenset[str] = frozenset()
    installs: frozenset[str] = frozenset()


def part(text: str, *imports: str) -> Part:
    return Part(text.strip("\n"), frozenset(imports))


def assigned(name: str, value: Any) -> str:
    """`name = value`, a tuple or list that is too long for a line over several. Only what `repr` writes of a value can get in."""
    line = f"{name} = {value!r}"
    return line if len(line) <= WIDTH or not isinstance(value, (tuple, list)) else f"{name} = (\n{packed(map(repr, value))}\n)"


def packed(words: Iterable[str], indent: str = "    ") -> str:
    """The words, each with a comma, on lines that are as full as can be."""
    lines = [indent]
    for word in words:
        if len(lines[-1]) + len(word) + 2 > WIDTH and lines[-1].strip():
            lines.append(indent)
        lines[-1] += f"{word}, "
    return "\n".join(line.rstrip() for line in lines)


def prefixes(paths: Sequence[str]) -> tuple[str, ...]:
    """What the names in these modules begin with."""
    return tuple(f"{path}." for path in paths)


def named_prefixes(name: str, paths: Sequence[str], comment: str) -> str:
    """The same with a name, and a comment on its first line."""
    line = f"{name} = {prefixes(paths)!r}  # {comment}"
    return line if len(line) <= WIDTH else f"{name} = (  # {comment}\n{packed(map(repr, prefixes(paths)))}\n)"


def scaled(asked: Asked, said: str) -> str:
    """What the network says, numbers in the unit of the labels."""
    return said if asked.answers.std is None else f"{said} * SCALE + SHIFT"


def scale(asked: Asked) -> str:
    """The line of settings that this needs."""
    return "" if asked.answers.std is None else f"SHIFT, SCALE = {asked.answers.mean!r}, {asked.answers.std!r}  # of the numbers to be learned\n"
