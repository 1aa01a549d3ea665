"""The script is the app's training: it begins with the same loss and ends within the range of the app's score."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core.data.versions import Item, Version
from core.models.catalog import find
from core.models.own import save_row
from core.models.rows import ModelRow
from core.models.texts.describe import describe
from core.models.vision.describe import describe as describe_vision
from core.models.words.vector_files import convert
from core.models.words.vector_sets import VectorSet, stem_of
from core.models.words.vector_sets import describe as list_set
from core.specs import Augmentation, DataSpec, HeadPlan, RunSpec
from core.training.presets import plan_for
from core.workspace import Workspace
from tests.core.code.conftest import Derived
from tests.core.code.scripted import run_of, trains_alike
from tests.core.jobs.texts import FILLING, KINDS
from tests.core.models import tiny_vision
from tests.core.models.tiny_checkpoints import saved
from tests.core.models.vector_made import glove, some

ROW = find("graft-resnet10")
CHANGED = Augmentation(flip=True, rotation_deg=10, shift=0.1, shear_deg=5, zoom=0.2, colour=0.3)


def numbers(version: Version) -> Version:
    items = tuple(replace(item, label=0, value=-3.5 + 10.0 * item.label + i % 3) for i, item in enumerate(version.items))
    return replace(version, labels=("weight",), items=items, objective="regression")


def two_labels(version: Version) -> Version:
    return replace(version, labels=("=no", "yes\n'\"\"\""), items=tuple(replace(item, label=min(item.label, 1)) for item in version.items),
                   objective="binary")


def several(version: Version) -> Version:
    def one(item: Item) -> Item:
        return replace(item, labels=((), (0,), (0, 1))[item.label])
    return replace(version, labels=("a; b", "c"), items=tuple(map(one, version.items)), objective="multi_label")


def pulled_back(data: DataSpec) -> RunSpec:
    """The last stage joins later and stays near its source; statistics stay what they were."""
    plan = plan_for(ROW, "last-stage", head_first_epochs=1, lr_scale=0.3)
    blocks = tuple(replace(block, anchor=100.0) if block.name.startswith("stage 4") else block for block in plan.blocks)
    return run_of(data, ROW, replace(plan, batch_norm="keep", blocks=blocks), label_smoothing=0.1, patience=3, learning_rate=0.05, schedule="step",
                  optimizer="sgd", epochs=3, input_size=32)


PICTURES: dict[str, tuple[Callable[[DataSpec, Derived], RunSpec], float]] = {
    "last stage, joining later, pulled back, smoothed": (lambda data, derived: pulled_back(data), 2e-4),
    "MLP head on a flattened map, numbers": (lambda data, derived: run_of(
        derived("numbers", numbers), ROW, "head", head=HeadPlan("mlp", "flatten", 16, 0.2), learning_rate=1e-3, input_size=32), 2e-4),
    "all of it, yes or no": (lambda data, derived: run_of(derived("twolabels", two_labels), ROW, "all", learning_rate=1e-3, input_size=32), 2e-3),
    "several labels, random weights": (lambda data, derived: run_of(derived("several", several), ROW, "head", False, label_smoothing=0.1, input_size=32),
                                       2e-4),
    "a head alone, fitted at once": (lambda data, derived: run_of(data, ROW, "head", optimizer="lbfgs", label_smoothing=0.1, input_size=32), 1e-3),
    "the same for numbers, flattened": (lambda data, derived: run_of(
        derived("numbers", numbers), ROW, "head", head=HeadPlan("linear", "flatten"), optimizer="lbfgs", input_size=32), 1e-3),
    "changed pictures": (lambda data, derived: run_of(data, ROW, "head", augmentation=CHANGED, input_size=32), 10.0),
    "changed pictures, fitted at once": (lambda data, derived: run_of(
        data, ROW, "head", augmentation=replace(CHANGED, fill="white"), optimizer="lbfgs", epochs=8, input_size=32), 10.0),
    "thin adapters": (lambda data, derived: run_of(data, ROW, "lora", lora_rank=2, input_size=32), 10.0),
}
"""With how far the losses of epochs may be apart: a network that learns as a whole enlarges the last bits; where pictures are changed, and for
adapters, other random numbers are drawn than in the app, so that only the start and the end are compared."""


@pytest.mark.parametrize("case", PICTURES)
def test_torchvision_networks_train_as_in_the_app(shop: Workspace, pictures: DataSpec, derived: Derived, case: str) -> None:
    made, loss = PICTURES[case]
    trains_alike(shop, made(pictures, derived), loss)


VISION: dict[str, tuple[str, str, dict[str, object]]] = {
    "ViT's last layers": ("vit", "last-stage", {}),
    "DINOv2, class token beside patches": ("dinov2_with_registers", "head", {}),
    "ConvNeXt, flattened": ("convnext", "head", {"head": HeadPlan("linear", "flatten")}),
    "Swin, in pairs": ("swin", "last-stage", {"method": "contrastive", "epochs": 1}),
    "ResNet, fitted at once": ("resnet", "head", {"optimizer": "lbfgs"}),
    "ResNet, random weights": ("resnet", "all", {"pretrained": False, "learning_rate": 1e-3}),
    "timm's EfficientNet": ("timm efficientnet", "last-stage", {"learning_rate": 1e-3}),
    "timm's ViT, mean of patches, MLP": ("timm vit", "head", {"head": HeadPlan("mlp", "mean", 8, 0.2)}),
}


@pytest.mark.parametrize("case", VISION)
def test_networks_of_the_hub_see_as_in_the_app(shop: Workspace, pictures: DataSpec, tmp_path: Path, case: str) -> None:
    kind, plan, settings = VISION[case]
    tiny_vision.saved(tmp_path / kind, kind)
    row = describe_vision(str(tmp_path / kind), shop)
    save_row(shop, row)
    trains_alike(shop, run_of(pictures, row, plan, **settings), 2e-3 if plan == "all" else 2e-4)


TEXTS: dict[str, tuple[str, str, dict[str, object]]] = {
    "bert, all of it": ("bert", "all", {}),
    "gpt2 decides on the last token": ("gpt2", "head", {}),
    "roberta, the mean of windows, MLP": ("roberta", "last-stage", {"long_texts": "windows", "max_tokens": 4, "head": HeadPlan("mlp", "mean", 8, 0.0)}),
    "bert, the largest numbers, fitted at once": ("bert", "head", {"head": HeadPlan("linear", "max"), "optimizer": "lbfgs"}),
    "bert by windows": ("bert", "head", {"long_texts": "windows", "max_tokens": 5}),
    "distilbert at both ends, compared in pairs": ("distilbert", "last-stage", {"long_texts": "ends", "max_tokens": 6, "method": "contrastive",
                                                                                  "epochs": 1}),
}


@pytest.mark.parametrize("case", TEXTS)
def test_transformers_read_as_in_the_app(shop: Workspace, texts: DataSpec, tmp_path: Path, case: str) -> None:
    kind, plan, settings = TEXTS[case]
    saved(tmp_path / kind, kind, n_tokens=36)
    row = describe(str(tmp_path / kind), shop)
    save_row(shop, row)
    trains_alike(shop, run_of(texts, row, plan_for(row, plan, lr_scale=0.1), **settings))


@pytest.fixture(scope="session")
def vectors(shop: Workspace, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The key of a set of word vectors that was brought: some words of the texts have one."""
    file = tmp_path_factory.mktemp("vectors") / "glove.txt"
    words = (*FILLING, *(word for words in KINDS.values() for word in words[:4]))
    file.write_bytes(glove(some(words)))
    facts = convert(file, stem_of(shop, "mine"))
    list_set(shop, VectorSet("mine", "mine", facts.kept + 2, facts.dims, file.name, (), 0.0))
    return "words:mine"


WORDS: dict[str, tuple[Callable[[ModelRow], str], str, dict[str, object]]] = {
    "averaged": ("graft-words", "head", {}),
    "averaged, vectors learn, MLP": ("", "all", {"head": HeadPlan("mlp", "own", 8, 0.2), "learning_rate": 1e-3}),
    "in order": (":lstm", "all", {"long_texts": "ends", "max_tokens": 5, "learning_rate": 1e-3}),
    "in order, random vectors, windows": (":lstm", "head", {"pretrained": False, "long_texts": "windows", "max_tokens": 4, "learning_rate": 1e-3}),
}


@pytest.mark.parametrize("case", WORDS)
def test_word_vectors_are_read_as_in_the_app(shop: Workspace, texts: DataSpec, vectors: str, case: str) -> None:
    key, plan, settings = WORDS[case]
    row = find(key if key.startswith("graft") else f"{vectors}{key}", shop)
    trains_alike(shop, run_of(texts, row, plan_for(row, plan, head_first_epochs=int(plan == "all"), lr_scale=0.5), **settings))
