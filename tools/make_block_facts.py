"""Measure the blocks of every model of the catalog and write core/models/block_facts.json.

    python tools/make_block_facts.py

Needs no weights and no network: the networks are laid out on torch's meta device, which knows shapes but holds no numbers.
"""
from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from torch.utils.flop_counter import FlopCounterMode

from core.models.adaptable import unit
from core.models.blocks import Block, Network
from core.models.build import architecture
from core.models.catalog import FACTS
from core.models.pictures.architecture import rebuild
from core.models.pictures.describe import HEAD_PATH
from core.models.pictures.family import blocks_of
from core.models.rows import ROWS, BlockFacts, ModelRow
from core.models.texts.facts import facts_of as text_facts_of
from core.models.texts.rows import TEXT_ROWS
from core.models.vision.facts import facts_of as vision_facts_of
from core.models.vision.facts import note
from core.models.vision.rows import VISION_ROWS


def facts_of(row: ModelRow) -> list[BlockFacts]:
    """The blocks of the row's network with as many outputs as its source had, in order."""
    with torch.device("meta"):
        model = rebuild(architecture(row, row.source_classes))
        x = torch.zeros(1, 3, row.input.input_size, row.input.input_size)
    network = Network(model, blocks_of(row, model)).eval()
    groups = list(dict.fromkeys(block.group for block in network.blocks))
    facts = []
    for i, block in enumerate(network.blocks):
        with FlopCounterMode(display=False) as counter:
            x = network(x, i, i + 1)
        parameters = sum(p.numel() for p in network.parameters_of(block).values())
        facts.append(BlockFacts(block.name, block.group, parameters, counter.get_total_flops() // 2, note(block.group, groups),
                                lora_unit=unit(network, block), modules=_modules(row, block)))
    return facts


def _modules(row: ModelRow, block: Block) -> tuple[str, ...]:
    """How many layers a head has depends on what is chosen: it is one module."""
    path = HEAD_PATH[row.family]
    return (path,) if all(inner.startswith(f"{path}.") for inner in block.modules) and block.name == "head" else (*block.modules, *block.tensors)


def main() -> None:
    measured = {**{row.key: facts_of(row) for row in ROWS}, **{row.key: vision_facts_of(row) for row in VISION_ROWS},
                **{row.key: text_facts_of(row) for row in TEXT_ROWS}}
    table = {key: [asdict(block) for block in blocks] for key, blocks in measured.items()}
    lines = [f'  "{key}": [\n' + ",\n".join("    " + json.dumps(block, ensure_ascii=False) for block in blocks) + "\n  ]"
             for key, blocks in table.items()]
    FACTS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
