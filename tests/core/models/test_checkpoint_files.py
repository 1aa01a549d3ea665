"""Checkpoint files as they come: wrapped, prefixed, of another network, damaged, or with code in them."""
from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torchvision import models as published

from core.errors import ModelError
from core.models.blocks import Block, Network
from core.models.build import build
from core.models.catalog import CATALOG, find, models, on_this_machine
from core.models.checkpoint_files import _match, architectures, convert, fitted, state_of
from core.models.from_file import matched
from core.models.own import added_rows, delete_file, file_key, file_rows
from core.models.rows import ModelRow
from core.workspace import Workspace
from tests.core.models.tiny_texts import network_of

BASE = CATALOG["squeezenet1_0"]
KEY = "file:mine"
State = dict[str, Tensor]


@pytest.fixture(scope="module")
def squeezed() -> State:
    torch.manual_seed(3)
    return published.squeezenet1_0(num_classes=4).state_dict()


def put(folder: Path, content: object) -> Path:
    path = folder / "weights.pth"
    torch.save(content, path)
    return path


def brought(ws: Workspace, folder: Path, content: object, base: ModelRow = BASE) -> ModelRow:
    return convert(ws, put(folder, content), "weights.pth", base, KEY, "Mine")


WRAPPED: list[tuple[str, Callable[[State], Any]]] = [
    ("bare", lambda s: s),
    ("lightning", lambda s: {"epoch": 3, "state_dict": {f"model.{k}": v for k, v in s.items()}, "optimizer_states": [{}]}),
    ("compiled and parallel", lambda s: {"model_state_dict": {f"module._orig_mod.{k}": v for k, v in s.items()}}),
    ("backbone", lambda s: {"model": {f"backbone.{k}": v for k, v in s.items()}, "args": {"lr": 0.1}}),
    ("in halves", lambda s: {"net": {k: v.half() for k, v in s.items()}}),
    ("another head", lambda s: {k: v for k, v in s.items() if not k.startswith("classifier")} | {"classifier.1.0.weight": torch.zeros(3, 512)}),
]


@pytest.mark.parametrize("wrap", [wrap for _name, wrap in WRAPPED], ids=[name for name, _wrap in WRAPPED])
def test_the_trunk_is_found_however_it_is_wrapped(ws: Workspace, tmp_path: Path, squeezed: State, wrap: Callable[[State], Any]) -> None:
    row = brought(ws, tmp_path, wrap(squeezed))
    network = build(find(KEY, ws), 7, 0)
    state = network.model.state_dict()
    trunk = [name for name in squeezed if name.startswith("features")]
    assert trunk and all(torch.allclose(state[name], squeezed[name], atol=1e-3) for name in trunk)
    assert network(torch.zeros(1, 3, 64, 64)).shape == (1, 7)
    assert (row.base, row.score, row.blocks, row.input) == (BASE.key, None, BASE.blocks, BASE.input) and on_this_machine(row)


def test_safetensors_are_read_whatever_they_are_called(ws: Workspace, tmp_path: Path, squeezed: State) -> None:
    save_file(squeezed, tmp_path / "x.bin")
    assert state_of(tmp_path / "x.bin", "x.bin").keys() == squeezed.keys()


def test_such_a_model_is_among_the_models_until_it_is_deleted(ws: Workspace, tmp_path: Path, squeezed: State) -> None:
    row = brought(ws, tmp_path, squeezed)
    assert models(ws)[KEY] == row and list(file_rows(ws)) == [KEY] and added_rows(ws) == {}
    assert (file_key(ws, "Mine"), file_key(ws, "猫")) == ("file:mine-2", "file:checkpoint")
    delete_file(ws, KEY)
    assert KEY not in models(ws) and not Path(row.own_file).parent.exists()
    with pytest.raises(ModelError, match="are gone"):
        build(row, 3, 0)


def test_a_classifier_that_is_not_the_sources_is_new(ws: Workspace, tmp_path: Path) -> None:
    own = published.mobilenet_v3_small()
    own.classifier = torch.nn.Linear(576, 3)
    row = brought(ws, tmp_path, own.state_dict(), CATALOG["mobilenet_v3_small"])
    assert [block.name for block in row.blocks if block.new] == ["classifier, layer 1"]
    built = build(row, 2, 0).model
    assert torch.equal(built.features[3].block[0][0].weight, own.features[3].block[0][0].weight)


@pytest.mark.parametrize("base, other, says", [
    ("resnet18", "resnet34", r"also holds layer1\.2\.conv1\.weight, for which ResNet-18 has no place\. This looks like ResNet-34"),
    ("resnet34", "resnet18", r"no tensor layer1\.2\.conv1\.weight, which ResNet-34 has\. This looks like ResNet-18"),
    ("resnet18", "resnet50", r"tensor layer1\.0\.conv1\.weight has the shape 64 × 64 × 1 × 1; in ResNet-18 it has 64 × 64 × 3 × 3\. "
     r"This looks like ResNet-50"),
])
def test_another_network_is_named_with_the_first_tensor_that_differs(base: str, other: str, says: str) -> None:
    with torch.device("meta"):
        state = published.get_model(other).state_dict()
    with pytest.raises(ModelError, match=says):
        fitted(state, CATALOG[base], "weights.pth")


def test_what_fits_nothing_gets_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"Its first is called a\.weight, that network's features.*can be added by its id or its folder"):
        fitted({"a.weight": torch.zeros(2), "b": torch.zeros(3)}, BASE, "weights.pth")


@pytest.mark.parametrize("content, says", [
    (torch.nn.Linear(2, 2), r"holds code \(torch\.nn\.modules\.linear\.Linear\)"),
    ({"state_dict": {"a": torch.zeros(1)}, "args": argparse.Namespace(lr=1)}, r"holds code \(argparse\.Namespace\)"),
    ([1, 2], "something else than tensors by name"),
    ({"epoch": 3}, "something else than tensors by name"),
])
def test_code_and_other_things_are_refused_with_a_way_out(tmp_path: Path, content: object, says: str) -> None:
    with pytest.raises(ModelError, match=f"{says}.*torch.save.model.state_dict"):
        state_of(put(tmp_path, content), "weights.pth")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"\x10\0\0\0\0\0\0\0{not json}......", b"just a text"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ModelError, match="weights.pth can't be used. It is damaged or incomplete"):
        state_of(tmp_path / "x", "weights.pth")


def test_numbers_that_are_not_finite_are_refused_and_leave_nothing(ws: Workspace, tmp_path: Path, squeezed: State) -> None:
    broken = squeezed | {"features.0.bias": squeezed["features.0.bias"] * float("nan")}
    with pytest.raises(ModelError, match="features.0.bias holds numbers that are not finite"):
        brought(ws, tmp_path, broken)
    assert file_rows(ws) == {} and [path for path in ws.models.iterdir() if path.is_dir()] == []


@pytest.mark.parametrize("case", ["bert", "roberta", "deberta-v2", "gpt2", "distilbert", "albert", "bert, mean"])
def test_transformers_of_every_kind_fit_themselves_bare_and_wrapped(case: str) -> None:
    network = network_of(case)
    state = {name: tuple(tensor.shape) for name, tensor in network.model.state_dict().items()}
    for wrapped in (state, {f"module.{name}": shape for name, shape in state.items()},
                    {name.partition(".")[2] or name: shape for name, shape in state.items()}):
        found = matched(wrapped, network)
        assert found.problem is None and found.names, (case, found.problem)


def test_what_a_network_wraps_twice_is_found_bare() -> None:
    trunk = torch.nn.Module()
    trunk.add_module("inner", torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)))
    model = torch.nn.ModuleDict({"trunk": trunk, "head": torch.nn.Linear(4, 2)})
    network = Network(model, (Block("stem", "stem", ("trunk.inner",), lambda state: state), Block("head", "head", ("head",), lambda state: state)))
    found = matched({name: tuple(tensor.shape) for name, tensor in trunk.inner.state_dict().items()}, network)
    assert found.problem is None and found.names["trunk.inner.0.weight"] == "0.weight" and len(found.names) == 7
    found = matched({"0.weight": (4, 3, 5, 5), "0.bias": (4,)}, network)
    assert str(found.problem) == "0.weight 4 × 3 × 5 × 5 ≠ 4 × 3 × 3 × 3"


def test_every_picture_network_of_the_catalog_fits_its_own_state(ws: Workspace) -> None:
    for row in architectures().values():
        if row.builder and row.adapter == "torchvision":
            with torch.device("meta"):
                state = published.get_model(row.builder).state_dict()
            found = _match({name: tuple(tensor.shape) for name, tensor in state.items()}, row)
            assert found.problem is None and not found.lacking, (row.key, found.problem)
