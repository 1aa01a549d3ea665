"""What a network's head answers: so many logits, and for numbers the scale that they are given in. Torch-free."""
from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean, pstdev
from typing import Any

from core.data.versions import Version
from core.objectives import objective
from core.specs import HeadPlan


@dataclass(frozen=True, slots=True)
class Answers:
    """`n_outputs` logits an item. With `std`, what the head gives is multiplied by it and `mean` is added, so that the logits are numbers in
    the labels' own unit while the head works with numbers around zero. `side`: of the pictures that are seen, in pixels; None: the
    model's own (a head on flattened features depends on it)."""
    n_outputs: int
    mean: float = 0.0
    std: float | None = None
    head: HeadPlan = field(default_factory=HeadPlan)
    side: int | None = None

    def __post_init__(self) -> None:
        if self.n_outputs < 1:
            raise ValueError(f"n_outputs must be at least 1, got {self.n_outputs}")

    def tail(self) -> list[list[Any]]:
        """The fixed layers behind the head, as `core.models.pictures.architecture` describes layers."""
        return [] if self.std is None else [["Rescale", self.mean, self.std]]


def answers_of(version: Version, head: HeadPlan | None = None, side: int | None = None) -> Answers:
    """What the objective of some data asks for, by that head; the scale is that of the training items."""
    n_outputs = objective(version.objective).outputs(len(version.labels))
    values = [item.value for item in version.split("train") if item.value is not None]
    head = head or HeadPlan()
    return Answers(n_outputs, fmean(values), pstdev(values) or 1.0, head, side) if values else Answers(n_outputs, head=head, side=side)


def as_answers(answers: Answers | int) -> Answers:
    """An int means so many logits and nothing else."""
    return Answers(answers) if isinstance(answers, int) else answers
