"""What a script is asked to show, and how values become source text. Torch-free."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from core.models.answers import Answers
from core.models.rows import ModelRow
from core.objectives import Objective
from core.specs import FreezePlan, TrainConfig

WIDTH = 99
ITEMS, WEIGHTS, TOKENIZER, PICTURES = "items.csv", "weights.safetensors", "tokenizer.json", "pictures"
"""What lies beside a script (`core.code.kit`)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """`modules`: by block, the paths of its modules. `sides`: which sides of the split hold items."""
    row: ModelRow
    plan: FreezePlan
    config: TrainConfig
    answers: Answers
    labels: tuple[str, ...]
    objective: Objective
    sides: frozenset[str]
    preprocess: Any
    modules: dict[str, tuple[str, ...]]
    pretrained: bool = True

    @property
    def keeps_weights(self) -> bool:
        """Whether its weights are a file beside the script, and not somewhere to fetch."""
        return self.pretrained and bool(self.row.own_file or self.row.built_in)


@dataclass(frozen=True, slots=True)
class Part:
    """Lines of a script and the imports that they need, which are keys of `core.code.script.IMPORTS`."""
    text: str
    imports: frozenset[str] = frozenset()


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


def listed(paths: Sequence[str], indent: str) -> str:
    """A list of paths, over several lines where it is long."""
    line = repr(list(paths))
    return line if len(indent) + len(line) <= 70 else f"[\n{packed(map(repr, paths), indent + '    ')}\n{indent}]"
