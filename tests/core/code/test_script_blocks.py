"""The paths that a script names are the blocks that the app trains."""
from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from core.code import blocks
from core.models.answers import Answers
from core.models.blocks import Network
from core.models.catalog import find
from core.models.heads import is_plain, poolings, replaced
from core.models.pictures.architecture import rebuild
from core.models.pictures.describe import architecture
from core.models.pictures.family import blocks_of
from core.models.rows import ROWS, ModelRow, TextInput
from core.models.texts.architecture import rebuild as rebuild_text
from core.models.texts.build import described
from core.models.texts.family import blocks_of as text_blocks_of
from core.specs import HeadPlan
from tests.core.models.tiny_texts import CONFIGS

HEADS = (HeadPlan(), HeadPlan("mlp", "max"))


def compared(network: Network, named: dict[str, tuple[str, ...]]) -> None:
    """Each block has the parameters that stand below its paths, and no other."""
    names = [name for name, _ in network.model.named_parameters()]
    assert list(named) == [block.name for block in network.blocks]
    for block in network.blocks:
        below = {name for name in names if any(f"{name}.".startswith(f"{path}.") for path in named[block.name])}
        owned = {id(p) for p in network.parameters_of(block).values()}
        assert {id(network.model.get_parameter(name)) for name in below} == owned, block.name


@pytest.mark.parametrize("row", [find(row.key) for row in ROWS], ids=lambda row: row.key)
def test_of_pictures(row: ModelRow) -> None:
    for head in (head for head in HEADS if head.pooling in poolings(row)):
        answers = Answers(3, head=head)
        with torch.device("meta"):
            model = rebuild(architecture(row, answers))
        compared(Network(model, blocks_of(row, model, head)), blocks.modules_of(row, answers))


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize("head", [HeadPlan(), HeadPlan("mlp", "mean")], ids=["plain", "mlp"])
def test_of_texts(kind: str, head: HeadPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    reads, answers = TextInput(pipeline=True), Answers(3, head=head)
    with torch.device("meta"):
        model = rebuild_text(described(CONFIGS[kind], answers, reads, kind))
        native = rebuild_text(described(CONFIGS[kind], Answers(3), reads, kind))
    facts = tuple(replace(find("minilm").blocks[0], name=block.name) for block in text_blocks_of(native))
    row = replace(find("minilm"), input=reads, blocks=facts)
    monkeypatch.setattr(blocks, "config_of", lambda row: CONFIGS[kind])
    gone = tuple(block.name for block in facts if block.name in replaced(row, head))
    assert is_plain(head) or not gone or gone == ("pooler",)
    compared(Network(model, text_blocks_of(model, gone)), blocks.modules_of(row, answers))
