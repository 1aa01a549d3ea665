"""Published weights of networks of pictures in networks that are ready to be fine-tuned, and rows for models that the catalog does not have."""
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.errors import ModelError
from core.models import build as building
from core.models.answers import Answers
from core.models.build import build
from core.models.catalog import CATALOG, find, on_this_machine
from core.models.heads import features, poolings
from core.models.own import save_row
from core.models.rows import PictureInput
from core.models.texts.describe import check_kind as check_texts
from core.models.vision import prepared
from core.models.vision.configs import known_configs
from core.models.vision.describe import describe
from core.models.vision.facts import facts_of
from core.models.vision.rows import VISION_ROWS
from core.specs import HeadPlan
from core.workspace import Workspace
from tests.core.models.tiny_vision import CONFIGS, SIDE, saved

PIXELS = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "ws")


@pytest.mark.parametrize("case", ["vit", "deit", "dinov2", "convnext", "swin", "resnet", "timm efficientnet", "timm vit"])
def test_a_folder_is_described_and_its_published_trunk_is_there(case: str, tmp_path: Path, ws: Workspace) -> None:
    """And its features are those that its library's own class decides on."""
    published = saved(tmp_path / "my model", case)
    row = describe(str(tmp_path / "my model"), ws)
    assert (row.key, row.title, row.adapter, row.task, row.input.input_size) == ("folder:my model", "my model", "vision", "image", SIDE)
    network = build(row, 2, 0).eval()
    assert row.parameters == sum(p.numel() for p in network.parameters())
    assert [(b.name, b.group) for b in row.blocks] == [(b.name, b.group) for b in network.blocks]
    with torch.no_grad():
        last = published.get_classifier() if case.startswith("timm") else [m for m in published.modules() if isinstance(m, torch.nn.Linear)][-1]
        network.model.head = last
        expected = published(PIXELS)
        assert torch.allclose(network(PIXELS), getattr(expected, "logits", expected), atol=1e-6)
    save_row(ws, row)
    assert find(row.key, ws) == row and on_this_machine(row)


@pytest.mark.parametrize("case", ["dinov2", "convnext", "timm efficientnet", "timm vit"])
def test_every_head_that_is_offered_can_be_made(case: str, tmp_path: Path, ws: Workspace) -> None:
    saved(tmp_path / "mine", case)
    row = describe(str(tmp_path / "mine"), ws)
    for pooling in poolings(row):
        head = HeadPlan("mlp", pooling, width=8)
        network = build(row, Answers(3, 20.0, 4.0, head, SIDE), 0).eval()
        assert network(PIXELS).shape == (2, 3)
        first = next(m for m in network.model.head.modules() if isinstance(m, torch.nn.Linear))
        assert first.in_features == features(row, head, SIDE)


def test_how_pictures_are_prepared_is_read_from_the_files() -> None:
    size = {"size": 256, "crop_size": 224, "do_center_crop": True, "resample": 3, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
    assert prepared.of_files({}, size) == PictureInput(256, 224, 32, False, "bicubic", (0.5,) * 3, (0.5,) * 3)
    assert prepared.of_files({}, {"size": {"shortest_edge": 224}, "crop_pct": 0.875, "resample": 2}) == PictureInput()
    assert prepared.of_files({"image_size": 384}, {"do_normalize": False}).std == (1.0, 1.0, 1.0)
    assert prepared.of_files({"image_size": 384}, {"size": "?", "image_mean": [1]}).input_size == 384
    timm = {"input_size": [3, 224, 224], "crop_pct": 0.9, "interpolation": "bicubic", "fixed_input_size": True}
    assert prepared.of_timm(timm) == PictureInput(248, 224, 32, True, "bicubic")


def test_what_is_known_of_the_catalog_needs_no_files() -> None:
    assert list(known_configs()) == [row.key for row in VISION_ROWS]
    for row in VISION_ROWS:
        assert building.architecture(row, 4)["head"] == [["Linear", row.feature_width, 4]]
        assert row.parameters == sum(block.parameters for block in CATALOG[row.key].blocks)


@pytest.mark.parametrize("key", ["hf-convnextv2-atto", "timm-mobilenetv4-small"])
def test_the_facts_are_those_of_the_network(key: str) -> None:
    assert list(CATALOG[key].blocks) == facts_of(find(key)), "run tools/make_block_facts.py"


@pytest.mark.parametrize("values, said", [
    ({"model_type": "bert", "vocab_size": 10}, "made for texts"), ({"model_type": "sam", "image_size": 224}, "which Graft does not know"),
    ({**CONFIGS["vit"], "num_channels": 4}, "4 channels"), ({**CONFIGS["vit"], "hidden_size": "wide"}, "can't be used"),
    ({"architecture": "resnet8000", "pretrained_cfg": {}}, "knows no network")])
def test_what_can_not_be_fine_tuned_says_why(values, said: str, tmp_path: Path, ws: Workspace) -> None:
    saved(tmp_path / "mine")
    (tmp_path / "mine" / "config.json").write_text(json.dumps(values), encoding="utf-8")
    (tmp_path / "mine" / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ModelError, match=said):
        describe(str(tmp_path / "mine"), ws)


def test_a_network_of_pictures_is_no_model_of_texts() -> None:
    for case in ("vit", "resnet", "timm vit"):
        with pytest.raises(ModelError, match="made for pictures"):
            check_texts(CONFIGS[case] | ({"num_channels": 3} if case == "resnet" else {}), case)


def test_without_a_word_on_preparation_the_card_says_so(tmp_path: Path, ws: Workspace) -> None:
    saved(tmp_path / "mine")
    (tmp_path / "mine" / "preprocessor_config.json").unlink()
    assert "don't say how pictures" in describe(str(tmp_path / "mine"), ws).limits


def test_a_model_that_is_not_here_says_so(ws: Workspace) -> None:
    with pytest.raises(ModelError, match="not on this machine"):
        describe("somebody/something", ws)
    with pytest.raises(ModelError, match="not on this machine"):
        building.architecture(replace(find("hf-vit-base"), key="hf:somebody/something", repo="somebody/something"), 2)
