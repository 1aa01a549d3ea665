"""Checkpoint files of the networks whose tensors transformers calls otherwise since its version 5: files of before, and of today."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from core.errors import ModelError
from core.models.build import build
from core.models.checkpoint_files import convert
from core.models.rows import ModelRow
from core.models.vision.describe import describe
from core.workspace import Workspace
from tests.core.models.tiny_vision import SIDE, saved

State = dict[str, Tensor]
OLD = {"vit": "vit.encoder.layer.0.attention.attention.query.weight", "deit": "deit.encoder.layer.0.attention.attention.query.weight",
       "dinov2": "dinov2.encoder.layer.0.attention.attention.query.weight",
       "dinov2_with_registers": "dinov2_with_registers.encoder.layer.0.attention.attention.query.weight",
       "swin": "swin.encoder.layers.0.blocks.0.attention.self.query.weight"}
"""Of each kind, how transformers 4 calls a tensor in its class for labels."""


@dataclass(frozen=True, slots=True)
class Published:
    """A model as it lies on the hub: its row, transformers' own network, and the tensors of its file."""
    row: ModelRow
    network: nn.Module
    file: State


@pytest.fixture(scope="module", params=list(OLD))
def published(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Published:
    folder = tmp_path_factory.mktemp(request.param) / "published"
    network = saved(folder, request.param)
    file = load_file(folder / "model.safetensors")
    assert OLD[request.param] in file and OLD[request.param] not in network.state_dict(), "the file's names are the old ones"
    return Published(describe(str(folder), Workspace.open(folder.parent / "ws")), network, file)


def without_class(state: State) -> State:
    """As the trunk alone is saved."""
    return {name.partition(".")[2]: tensor for name, tensor in state.items() if name.startswith(tuple(f"{kind}." for kind in OLD))}


SAVED: list[tuple[str, Callable[[Published], object]]] = [
    ("old", lambda p: p.file),
    ("old, the trunk alone", lambda p: without_class(p.file)),
    ("old, by Lightning", lambda p: {"epoch": 1, "state_dict": {f"model.{name}": tensor for name, tensor in p.file.items()}}),
    ("old, parallel, another head", lambda p: {"model_state_dict": {
        "module.fc.weight": torch.zeros(2, 16), **{f"module.backbone.{name}": tensor for name, tensor in without_class(p.file).items()}}}),
    ("today's", lambda p: p.network.state_dict()),
    ("today's, the trunk alone", lambda p: p.network.base_model.state_dict()),
]


@pytest.mark.parametrize("content", [content for _name, content in SAVED], ids=[name for name, _content in SAVED])
def test_the_trunk_is_found_by_names_of_then_and_now(published: Published, content: Callable[[Published], object], ws: Workspace,
                                                     tmp_path: Path) -> None:
    """What it decides with transformers' own head is what transformers' own class decides."""
    torch.save(content(published), tmp_path / "mine.pth")
    row = convert(ws, tmp_path / "mine.pth", "mine.pth", published.row, "file:mine", "Mine")
    network = build(row, 3, 0).eval()
    network.model.head = [part for part in published.network.modules() if isinstance(part, nn.Linear)][-1]
    pixels = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        assert torch.allclose(network(pixels), published.network(pixels).logits, atol=1e-6)


def test_a_tensor_that_does_not_fit_is_called_as_in_the_file(published: Published, ws: Workspace, tmp_path: Path) -> None:
    name = OLD[published.network.config.model_type]
    torch.save(published.file | {name: torch.zeros(5, 5)}, tmp_path / "mine.pth")
    with pytest.raises(ModelError, match=f"Its tensor {name} has the shape 5 × 5"):
        convert(ws, tmp_path / "mine.pth", "mine.pth", published.row, "file:mine", "Mine")
