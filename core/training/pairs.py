"""How much is compared in pairs when labels are few, and what then trains. Torch-free: estimates count it too."""
from __future__ import annotations

from dataclasses import replace

from core.specs import FreezePlan

MOST_PER_LABEL = 64
"""With more training items of a label than these, comparing them in pairs teaches little that the labels don't."""
ROUNDS = 20
"""Pairs of one label, and as many of two, that each item begins."""
PAIRS_A_STEP = 16
MOST_PAIRS = 6400


def n_pairs(n_items: int) -> int:
    """Pairs that so many items are compared in."""
    return min(MOST_PAIRS, 2 * ROUNDS * n_items)


def head_alone(plan: FreezePlan) -> FreezePlan:
    """The plan of what follows the pairs: the head trains from its first epoch, all else rests."""
    *trunk, head = plan.blocks
    resting = (replace(block, state="frozen", lr_scale=1.0, from_epoch=0, anchor=0.0) for block in trunk)
    return replace(plan, blocks=(*resting, replace(head, from_epoch=0)))
