from __future__ import annotations

import json
import os
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from core.bundle import predict, write
from core.bundle.kinds import FILES
from core.bundle.write import parity, zip_bundle
from core.models.blocks import Block, Network
from core.models.pictures.architecture import rebuild
from tests.core.bundle.insects import ARCHITECTURE, LABELS, PREPROCESS, RUN, SCORES, encoded, photo, trained, write_to

PICTURES = [encoded(photo(1), "JPEG"), encoded(photo(2, (50, 70)), "PNG"), encoded(photo(3).convert("RGBA"), "WEBP")]


def whole(module: nn.Module) -> Network:
    """The network as one block."""
    return Network(module, [Block("all", "all", ("",), lambda state: state.then(module(state.x)))])


def test_a_bundle_holds_exactly_its_files(bundle: Path) -> None:
    assert sorted(path.name for path in bundle.iterdir()) == sorted(FILES)


def test_weights_are_float32_and_those_of_the_network(bundle: Path, module: nn.Module) -> None:
    saved, state = load_file(bundle / "model.safetensors"), module.state_dict()
    assert saved.keys() == state.keys()
    assert all(saved[name].equal(state[name]) for name in saved)
    assert {tensor.dtype for tensor in saved.values() if tensor.is_floating_point()} == {torch.float32}


def test_half_precision_and_other_layouts_are_saved_as_plain_float32(tmp_path: Path) -> None:
    network = trained().half().to(memory_format=torch.channels_last)
    saved = load_file(write_to(tmp_path / "best", network) / "model.safetensors")
    assert saved["features.0.0.weight"].dtype == torch.float32
    assert saved["features.0.0.weight"].equal(network.features[0][0].weight.float().contiguous())


def test_bundle_json_says_what_it_is_and_not_whose(bundle: Path) -> None:
    text = (bundle / "bundle.json").read_text(encoding="utf-8")
    about = json.loads(text)
    assert (tuple(about["labels"]), about["activation"], about["scores"]) == (LABELS, "softmax", SCORES)
    assert about["preprocess"]["input_size"] == PREPROCESS.input_size and about["data"]["version"] == "v1"
    assert [block["state"] for block in about["plan"]["blocks"]] == ["frozen", "trained"]
    assert RUN.owner not in text


def test_the_same_bundle_is_the_same_zip(bundle: Path, module: nn.Module, tmp_path: Path) -> None:
    again = write_to(tmp_path / "again", module)
    for name in FILES:
        os.utime(again / name, (1, 1))
    first, second = zip_bundle(bundle, tmp_path / "1.zip"), zip_bundle(again, tmp_path / "2.zip")
    assert first.read_bytes() == second.read_bytes()
    assert sorted(zipfile.ZipFile(first).namelist()) == sorted(FILES)


def test_writing_again_replaces_the_bundle(module: nn.Module, tmp_path: Path) -> None:
    write_to(tmp_path / "best", module)
    write_to(tmp_path / "best", module, scores={})
    assert json.loads((tmp_path / "best" / "bundle.json").read_text(encoding="utf-8"))["scores"] == {}
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def test_a_failed_write_leaves_the_old_bundle(module: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = {path.name: path.read_bytes() for path in write_to(tmp_path / "best", module).iterdir()}
    monkeypatch.setattr(write, "readme", lambda **_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_to(tmp_path / "best", module, scores={})
    assert {path.name: path.read_bytes() for path in (tmp_path / "best").iterdir()} == old
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def test_the_saved_network_answers_as_the_one_in_memory(bundle: Path, module: nn.Module) -> None:
    assert parity(bundle, whole(module), PICTURES) <= 1e-6


def test_another_pooling_and_a_hidden_layer_go_home_too(tmp_path: Path) -> None:
    head = [["Linear", 576, 6], ["ReLU"], ["Dropout", 0.5], ["Linear", 6, len(LABELS)]]
    architecture = {**ARCHITECTURE, "pool": {"path": "avgpool", "layers": [["AdaptiveMaxPool2d", 1]]}, "head": {"path": "classifier", "layers": head}}
    torch.manual_seed(2)
    module = rebuild(architecture).eval()
    assert parity(write_to(tmp_path / "best", module, architecture=architecture), whole(module), PICTURES) <= 1e-6


def test_parity_sees_a_network_that_changed_and_leaves_its_mode_alone(bundle: Path) -> None:
    network = trained().train()
    with torch.no_grad():
        network.classifier[3].bias[0] += 0.1
    assert parity(bundle, whole(network), PICTURES) > 1e-3
    assert all(part.training for part in network.modules())


def test_the_readme_gives_score_range_and_split(bundle: Path) -> None:
    text = (bundle / "README.md").read_text(encoding="utf-8")
    assert "**Accuracy 93 %** (86 to 97 %): 93 of 100 right." in text and "never saw while it was trained" in text
    assert "96 x 96" in text and "BSD-3-Clause" in text


def test_the_readme_admits_copies_that_were_let_stand(module: nn.Module, tmp_path: Path) -> None:
    admission = "Near-copies of 7 of the items stood on both sides of the split."
    assert admission in (write_to(tmp_path / "a", module, scores={**SCORES, "overruled": 7}) / "README.md").read_text(encoding="utf-8")
    assert "Near-copies" not in (write_to(tmp_path / "b", module, scores={**SCORES, "overruled": 0}) / "README.md").read_text(encoding="utf-8")


def test_the_readme_admits_a_score_that_was_used_for_choosing(module: nn.Module, tmp_path: Path) -> None:
    folder = write_to(tmp_path / "best", module, scores={**SCORES, "split": "val", "used_for_choosing": True})
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "also used for choosing" in text and "never saw" not in text


@pytest.mark.parametrize("objective, labels, scores, says", [
    ("binary", ("fine", "sp*m"), {"score": 0.9, "low": 0.8, "high": 0.95, "k": None},
     ["which of two labels it carries; what is looked for is “sp\\*m”", "**Balanced accuracy 90 %** (80 to 95 %): Of each of the two labels",
      "Measured on 100 items. The true value is likely 80 to 95 %"]),
    ("multi_label", LABELS, {"score": 0.5, "low": 0.4, "high": 0.6, "k": None}, ["several, one, or none", "judges each label by itself"]),
    ("regression", ("weight",), {"score": 3.2149, "low": None, "high": None, "k": None, "unit": "k_g"},
     ["says a number: weight", "**Mean error 3.21 k\\_g**", "Too few items to tell how sure that is.", "## Number\n\n1. weight (k\\_g)"]),
])
def test_the_readme_speaks_of_its_objective(module: nn.Module, tmp_path: Path, objective: str, labels: tuple[str, ...], scores: dict,
                                            says: list[str]) -> None:
    folder = write_to(tmp_path / "best", module, objective=objective, labels=labels, scores={**SCORES, **scores}, unit=scores.get("unit", ""))
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert [words for words in says if words not in text] == [] and "None" not in text


def test_names_in_the_readme_are_text_and_no_markup(bundle: Path) -> None:
    text = (bundle / "README.md").read_text(encoding="utf-8")
    assert "# Insects \\!\\[x\\]\\(http\\://example\\.org/x\\.png\\)\n" in text
    assert "3. b\\*e\\|e\n4. 猫\n" in text


def test_a_name_can_not_begin_another_line(module: nn.Module, tmp_path: Path) -> None:
    folder = write_to(tmp_path / "best", module, run=replace(RUN, name="a\n\n# b\u2028c"))
    assert (folder / "README.md").read_text(encoding="utf-8").startswith("# a \\# b c\n")


def test_a_folder_copied_elsewhere_still_loads(bundle: Path, tmp_path: Path) -> None:
    assert predict.load(shutil.copytree(bundle, tmp_path / "bücher 猫")).labels == LABELS
