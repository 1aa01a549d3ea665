"""What training asks of one side of a dataset, whatever its items are. Torch-free: the tensors are named for readers only."""
from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from core.models.blocks import State


class Split(Protocol):
    """One side of a dataset, ready for a network. Indices are positions, 0 to len - 1."""

    targets: Tensor
    """What each item should be answered with, as its objective has it: label indices (n,) int64; 0 and 1 for each label, (n, n_labels)
    float32; numbers (n,) float32."""
    shas: tuple[str, ...]
    lengths: Tensor | None
    """Tokens of each item, (n,) int64; None where all items are of one shape."""
    content: str
    """A name for all that `inputs` can give: another one wherever an item, the order, or how items are read differs."""
    changes: str
    """A name for how `augmented` changes items, its seed included; empty where they are shown as they are."""

    def __len__(self) -> int: ...

    def inputs(self, idx: Tensor) -> State:
        """Items as evaluation and prediction see them: pictures (B, C, H, W) float32, or token ids (B, L) with their lengths."""

    def augmented(self, idx: Tensor, epoch: int) -> State:
        """Items as training sees them in this epoch: a pure function of (seed, epoch, index)."""
