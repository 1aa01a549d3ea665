"""What the readers of an import hand on: items with their places, what was left out, and what was measured on the way."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from core.data.facts import Facts
from core.data.intake.label_cells import Reading
from core.data.intake.layout import Place
from core.data.versions import Rejected, TableSource

Progress = Callable[[int, int], None]
"""Called with the items done and the items in all."""
Stage = Literal["reading", "comparing"]
"""What an import does: it reads items, then compares all of them to find near-copies, which has no count."""
OnStage = Callable[[Stage], None]


def silent(stage: Stage) -> None:
    """For who does not want to know the stages."""


@dataclass(frozen=True, slots=True)
class Found:
    """An item that can be used; the fields are those of `Item`. Its content waits in the staging folder."""
    place: Place
    sha: str
    width: int = 0
    height: int = 0
    length: int = 0


@dataclass(frozen=True, slots=True)
class Collected:
    task: str
    found: tuple[Found, ...]
    rejected: tuple[Rejected, ...]
    fixed_splits: bool
    facts: Facts
    table: TableSource | None = None
    reading: Reading = Reading()
    """How the labels were read: what they are taken for."""
