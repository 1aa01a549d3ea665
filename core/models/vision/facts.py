"""The blocks of a network of pictures, measured without its weights: on torch's meta device, which knows shapes but holds no numbers."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from core.models.adaptable import unit
from core.models.blocks import Network
from core.models.rows import NOTES_BY_DEPTH, NOTES_BY_GROUP, BlockFacts, ModelRow
from core.models.vision.architecture import rebuild_seeing
from core.models.vision.build import architecture
from core.models.vision.family import blocks_of


def facts_of(row: ModelRow) -> list[BlockFacts]:
    """The row's blocks in order, with a head for `source_classes` labels; multiplications for one picture of its own size."""
    return measured(architecture(row, row.source_classes), row.input.input_size)


def outline(plan: dict[str, Any]) -> Network:
    """The network that `plan` describes, on the meta device."""
    with torch.device("meta"):
        model = rebuild_seeing(plan)
    return Network(model, blocks_of(model)).eval()


def measured(plan: dict[str, Any], side: int) -> list[BlockFacts]:
    """The blocks of the network that `plan` describes, for pictures of `side` pixels."""
    network = outline(plan)
    groups = list(dict.fromkeys(block.group for block in network.blocks))
    x, facts = torch.zeros(1, 3, side, side, device="meta"), []
    for i, block in enumerate(network.blocks):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            x = network(x, i, i + 1)
        parameters = sum(p.numel() for p in network.parameters_of(block).values())
        facts.append(BlockFacts(block.name, block.group, parameters, counter.get_total_flops() // 2, note(block.group, groups),
                                lora_unit=unit(network, block), modules=(*block.modules, *block.tensors)))
    return facts


def note(group: str, groups: Sequence[str]) -> str:
    """What a group sees, in plain words: by its name, else by how deep it lies in the trunk."""
    if group in NOTES_BY_GROUP:
        return NOTES_BY_GROUP[group]
    trunk = [name for name in groups if name not in NOTES_BY_GROUP]
    return NOTES_BY_DEPTH[round(trunk.index(group) * (len(NOTES_BY_DEPTH) - 1) / max(len(trunk) - 1, 1))]
