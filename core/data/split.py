"""What training asks of one side of a dataset, whatever its items are. Torch-free: the tensors are named for readers only."""
from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Split(Protocol):
    """One side of a dataset, ready for a network. Indices are positions, 0 to len - 1."""

    labels: Tensor
    """Label indices (n,), int64."""
    shas: tuple[str, ...]

    def __len__(self) -> int: ...

    def inputs(self, idx: Tensor) -> Tensor:
        """Items as evaluation and prediction see them, (B, C, H, W) float32."""

    def augmented(self, idx: Tensor, epoch: int) -> Tensor:
        """Items as training sees them in this epoch: a pure function of (seed, epoch, index)."""
