"""The rows tell the truth: about torchvision, about this machine, and in both languages."""
from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch.hub
from torchvision.models import get_model_weights

from core.errors import ModelError, SettingsError
from core.models import catalog
from core.models.catalog import CATALOG, DEFAULT, NAMES, ModelRow, find, on_this_machine, phrase, ready, weights_path
from core.specs import TrainConfig
from core.tasks.picture_facts import check

PUBLISHED = [row for row in CATALOG.values() if row.adapter == "torchvision" and not row.built_in]
AUXILIARY = {"inception_v3": 3_326_696}
"""Parameters of heads that fine-tuning leaves out."""


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: row.key)
def test_facts_are_those_torchvision_publishes(row: ModelRow) -> None:
    weights = get_model_weights(row.builder)[row.weights]
    transforms = weights.transforms()
    assert weights.url.endswith(f"/{row.weights_file}")
    assert row.size_bytes == pytest.approx(weights.meta["_file_size"] * 2**20, abs=600)
    assert row.parameters == weights.meta["num_params"] - AUXILIARY.get(row.key, 0)
    assert row.score == weights.meta["_metrics"]["ImageNet-1K"]["acc@1"]
    assert row.source_classes == len(weights.meta["categories"])
    assert ([row.input.resize_size], [row.input.input_size]) == (transforms.resize_size, transforms.crop_size)
    assert (row.input.interpolation, list(row.input.mean), list(row.input.std)) == (transforms.interpolation.value, transforms.mean, transforms.std)
    if row.key != "squeezenet1_0":  # its head is ours and does less
        assert sum(block.macs for block in row.blocks) / 1e9 == pytest.approx(weights.meta["_ops"], abs=6e-4)


def test_the_built_in_file_is_what_its_row_says() -> None:
    row = CATALOG[DEFAULT]
    assert row.built_in and on_this_machine(row)
    assert weights_path(row).stat().st_size == row.size_bytes
    assert weights_path(row).with_suffix(".md").is_file(), "its card"


@pytest.mark.parametrize("environment", [{"TORCH_HOME": "/somewhere/torch"}, {"XDG_CACHE_HOME": "/elsewhere"}, {"TORCH_HOME": "~/mine"}, {}])
def test_the_cache_is_where_torch_looks(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name in ("TORCH_HOME", "XDG_CACHE_HOME", "TORCH_HUB"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert weights_path(CATALOG["resnet18"]) == Path(torch.hub.get_dir()) / "checkpoints" / "resnet18-f37072fd.pth"


def test_a_model_is_on_this_machine_once_its_file_is_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert [row.key for row in ready("image")] == [DEFAULT]
    path = weights_path(CATALOG["vgg16"])
    path.parent.mkdir(parents=True)
    path.touch()
    assert [row.key for row in ready("image")] == [DEFAULT, "vgg16"]


def test_two_models_may_not_share_a_key() -> None:
    with pytest.raises(ValueError, match="resnet18"):
        catalog.registry([CATALOG["resnet18"], CATALOG["resnet18"]])


@pytest.mark.parametrize("typed, meant", [("resnet81", "resnet18"), ("MobileNetV2", "mobilenet_v2"), ("vgg19", "vgg16"), ("zzzz", DEFAULT)])
def test_a_wrong_key_is_answered_with_near_ones(typed: str, meant: str) -> None:
    with pytest.raises(ModelError) as error:
        find(typed)
    assert meant in str(error.value.params["near"])


def test_sizes_a_model_cannot_take_are_refused() -> None:
    with pytest.raises(SettingsError, match="224"):
        check(CATALOG["vit_b_16"], TrainConfig(input_size=128))
    with pytest.raises(SettingsError, match="75"):
        check(CATALOG["inception_v3"], TrainConfig(input_size=64))
    for row, side in ((CATALOG["vit_b_16"], 224), (CATALOG["vit_b_16"], None), (CATALOG["inception_v3"], 75), (CATALOG["resnet18"], 64)):
        check(row, TrainConfig(input_size=side))


def test_names_of_blocks_and_groups_have_a_template() -> None:
    assert phrase("stage 3, block 12") == ("stage {a}, block {b}", {"a": 3, "b": 12})
    for row in CATALOG.values():
        for block in row.blocks:
            for name in (block.name, block.group):
                template, values = phrase(name)
                assert template in NAMES and template.format(**values) == name


def test_all_that_cards_and_map_say_is_translated(root: Path) -> None:
    said = {text for row in CATALOG.values() for text in (row.limits, row.licence, row.learnt_from, row.score_source)}
    said |= {text for row in CATALOG.values() for block in row.blocks for text in (phrase(block.group)[0], block.note)} | set(NAMES)
    said |= {row.input.languages for row in CATALOG.values() if row.task == "text"}
    known = {key for path in (root / "assets" / "translations" / "zh-CN").glob("*.json") for key in json.loads(path.read_text(encoding="utf-8"))}
    assert said - known - {""} == set()
