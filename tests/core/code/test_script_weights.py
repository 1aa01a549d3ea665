"""What a script must not leave out: weights for rare labels, and weights of one's own to begin with."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from core.data.versions import Item, Version
from core.models.build import build
from core.models.catalog import find
from core.models.own import save_row
from core.models.rows import ModelRow
from core.models.texts.describe import describe
from core.models.vision.describe import describe as describe_vision
from core.specs import DataSpec
from core.workspace import Workspace
from tests.core.code.conftest import Derived
from tests.core.code.scripted import by_script, in_app, run_of, trains_alike
from tests.core.models import tiny_vision
from tests.core.models.tiny_checkpoints import saved

ROW = find("graft-resnet10")


def rare(version: Version, objective: str) -> Version:
    """Of one label there are few."""
    def one(item: Item, i: int) -> Item:
        is_rare = item.label == 2 and i % 2 == 0
        return replace(item, label=int(is_rare), labels=((0, 1) if is_rare else (0,)) if objective == "multi_label" else None)
    items = tuple(one(item, i) for i, item in enumerate(version.items))
    return replace(version, labels=("often", "rarely"), items=items, objective=objective)


@pytest.mark.parametrize("objective, term", [("single_label", ", weight=CLASS_WEIGHTS"), ("multi_label", ", pos_weight=CLASS_WEIGHTS"),
                                             ("binary", ", CLASS_WEIGHTS[y]")])
def test_rare_labels_count_more_and_it_would_show_if_they_did_not(shop: Workspace, derived: Derived, objective: str, term: str) -> None:
    data = derived(f"rare{objective.replace('_', '')}", lambda version: rare(version, objective))
    run = run_of(data, ROW, "head", class_weights=True, label_smoothing=0.1, input_size=32)
    trains_alike(shop, run)
    without = by_script(shop, replace(run, id=f"{run.id}without"), lambda text: text.replace(term, ""))
    assert without.epochs != pytest.approx(by_script(shop, run).epochs, rel=0.02)


def own(ws: Workspace, row: ModelRow, folder: Path, before: str) -> ModelRow:
    """A checkpoint file for the row's network: other numbers than the published ones, a head for four labels, names behind a prefix."""
    network = build(row, 4, 5, pretrained=False)
    torch.manual_seed(9)
    trunk = {"trunk.timm_model.": "", "trunk.": ""}
    state = {f"{before}{next((name.removeprefix(start) for start in trunk if name.startswith(start)), name)}":
             tensor + 0.05 * torch.randn_like(tensor) if tensor.is_floating_point() else tensor for name, tensor in network.model.state_dict().items()}
    folder.mkdir()
    save_file(state, folder / "model.safetensors")
    made = replace(row, key=f"file:{folder.name}", base=row.network, own_file=str(folder / "model.safetensors"))
    save_row(ws, made)
    return made


def as_published(ws: Workspace, folder: Path, kind: str) -> ModelRow:
    if kind == "bert":
        saved(folder, kind, n_tokens=36)
        return describe(str(folder), ws)
    tiny_vision.saved(folder, kind)
    return describe_vision(str(folder), ws)


@pytest.mark.parametrize("kind, before", [("vit", "vit."), ("timm resnet", ""), ("bert", "")])
def test_own_weights_of_the_hubs_networks_are_where_it_begins(shop: Workspace, pictures: DataSpec, texts: DataSpec, tmp_path: Path, kind: str,
                                                              before: str) -> None:
    published = as_published(shop, tmp_path / f"published-{kind.replace(' ', '-')}", kind)
    save_row(shop, published)
    row = own(shop, published, tmp_path / f"own-{kind.replace(' ', '-')}", before)
    trains_alike(shop, run_of(texts if kind == "bert" else pictures, row, "last-stage", learning_rate=1e-3))


@pytest.mark.parametrize("key, before", [("graft-resnet10", "module."), ("graft-words", "")])
def test_own_weights_of_other_networks_are_too(shop: Workspace, pictures: DataSpec, texts: DataSpec, tmp_path: Path, key: str, before: str) -> None:
    row = own(shop, find(key), tmp_path / f"own-{key}", before)
    data = pictures if row.task == "image" else texts
    run = run_of(data, row, "head", input_size=32 if row.task == "image" else None)
    trains_alike(shop, run)
    published, _ = in_app(shop, replace(run, id=f"{run.id}published", model=replace(run.model, key=key)))
    assert by_script(shop, run).epochs != pytest.approx(published.epochs, rel=1e-3), "it would show if the published ones were taken"
