"""Write down which modules of each network of pictures are a block: core/code/modules.json, which pages read without torch.

    python tools/make_block_modules.py

Needs no weights and no network, as `tools/make_block_facts.py`.
"""
from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from core.code.blocks import TABLE
from core.models.pictures.architecture import rebuild
from core.models.pictures.describe import HEAD_PATH, architecture
from core.models.pictures.family import blocks_of
from core.models.rows import ROWS, ModelRow


def modules_of(row: ModelRow) -> dict[str, list[str]]:
    """By block: the paths of its modules, and of parameters that hang on none."""
    with torch.device("meta"):
        model = rebuild(architecture(row, 2))
    blocks = {block.name: [*block.modules, *block.tensors] for block in blocks_of(row, model)}
    path = HEAD_PATH[row.family]
    if all(inner.startswith(f"{path}.") for inner in blocks["head"]):  # how many layers there are depends on the head that is chosen
        blocks["head"] = [path]
    return blocks


def main() -> None:
    lines = [f"  {json.dumps(row.key)}: {json.dumps(modules_of(row))}" for row in ROWS]
    TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
