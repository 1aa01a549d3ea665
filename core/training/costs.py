"""What each block of a network was measured to cost on this machine, and what a plan then costs. Torch-free."""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BlockCost:
    """One block, for one item in a batch of the run's size, at the run's input size and precision."""
    forward_s: float
    """A forward pass without gradients, every core with a share of the items."""
    learn_s: float
    """A forward pass in a training step, which remembers what its gradients need."""
    inputs_s: float
    """The gradient to its input."""
    weights_s: float
    """The gradient to its weights."""
    held_bytes: float
    """What is remembered of that forward pass until its gradients are there."""


@dataclass(frozen=True, slots=True)
class Costs:
    """All blocks of a network, input first. `step_s`: what a training step costs besides, whatever trains; `base_bytes`: memory of the
    process with the network before it learns. `measured`: by a probe of this very model on this machine, not guessed."""
    blocks: tuple[BlockCost, ...]
    step_s: float
    base_bytes: float
    measured: bool
