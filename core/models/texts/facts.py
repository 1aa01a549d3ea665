"""The blocks of a transformer, measured without its weights: on torch's meta device, which knows shapes but holds no numbers."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from core.models.adaptable import unit
from core.models.blocks import Network
from core.models.rows import BlockFacts, ModelRow
from core.models.texts.architecture import rebuild
from core.models.texts.build import architecture
from core.models.texts.family import blocks_of
from core.models.texts.rows import NOTES_BY_DEPTH, NOTES_BY_GROUP, SHARED_NOTE


def facts_of(row: ModelRow) -> list[BlockFacts]:
    """The row's blocks in order, with a head for `source_classes` labels; multiplications for one text of `counted_tokens`."""
    return measured(architecture(row, row.source_classes), row.input.counted_tokens)


def measured(plan: dict[str, Any], n_tokens: int) -> list[BlockFacts]:
    """The blocks of the network that `plan` describes. Multiplications are those that one text more in a batch costs: what is done once a
    batch (DeBERTa's distances) is left out."""
    with torch.device("meta"):
        model = rebuild(plan)
        one, two = (torch.zeros(n, n_tokens, dtype=torch.long) for n in (1, 2))
    network = Network(model, blocks_of(model)).eval()
    facts = []
    for i, block in enumerate(network.blocks):
        one, first = _run(network, i, one)
        two, both = _run(network, i, two)
        parameters = sum(p.numel() for p in network.parameters_of(block).values())
        facts.append(BlockFacts(block.name, block.group, parameters, both - first, "", lora_unit=unit(network, block)))
    groups = list(dict.fromkeys(block.group for block in network.blocks))
    return [replace(fact, note=note(fact.group, groups)) for fact in facts]


def _run(network: Network, i: int, x: Tensor) -> tuple[Tensor, int]:
    """What block i gives for x, and with how many multiplications."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        return network(x, i, i + 1), counter.get_total_flops() // 2


def note(group: str, groups: Sequence[str]) -> str:
    """What a group knows, in plain words: by its name, else by how deep it lies among the layers."""
    layers = [name for name in groups if name not in NOTES_BY_GROUP]
    if group in NOTES_BY_GROUP:
        return NOTES_BY_GROUP[group]
    if len(layers) == 1:
        return SHARED_NOTE
    return NOTES_BY_DEPTH[round(layers.index(group) * (len(NOTES_BY_DEPTH) - 1) / (len(layers) - 1))]
