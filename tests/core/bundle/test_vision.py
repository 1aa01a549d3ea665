"""A network of pictures from the hub, taken home: predict.py stands alone and answers as the app does."""
from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from core.bundle.kinds import KINDS
from core.bundle.load import load_bundle
from core.bundle.write import parity, write_bundle
from core.models.build import architecture, build
from core.models.rows import ModelRow
from core.models.vision.describe import describe
from core.preprocess import of_input
from core.specs import DataSpec, FreezePlan, ModelSpec, RunSpec, TrainConfig
from core.workspace import Workspace
from tests.core.models.tiny_vision import saved, shaken

LABELS = ("ant", "bee", "fly")


def bundle_of(tmp_path: Path, case: str) -> tuple[Path, ModelRow, object]:
    saved(tmp_path / "model", case)
    row = describe(str(tmp_path / "model"), Workspace.open(tmp_path / "ws"))
    network = build(row, len(LABELS), 0).eval()
    shaken(network.model)
    run = RunSpec("r1", "a run", "me", 0.0, DataSpec("d", "v"), ModelSpec(row.key), FreezePlan(()), TrainConfig())
    folder = write_bundle(tmp_path / "best", module=network.model, architecture=architecture(row, len(LABELS)), labels=LABELS,
                          preprocess=of_input(replace(row.input)), objective="single_label", run=run, scores={}, source=row)
    return folder, row, network


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    pixels = (torch.rand(40, 50, 3, generator=torch.Generator().manual_seed(3)) * 255).byte().numpy()
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


@pytest.mark.parametrize("case, libraries", [("dinov2", {"transformers"}), ("timm vit", {"transformers", "timm"})])
def test_the_bundle_answers_as_the_network_in_memory(case: str, libraries: set[str], tmp_path: Path, picture: Path) -> None:
    folder, _, network = bundle_of(tmp_path, case)
    assert parity(folder, network, [picture]) < 1e-5
    assert libraries <= set(json.loads((folder / "bundle.json").read_bytes())["made_with"])
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert " ".join(KINDS["image"].libraries) in readme and all(f" {name}" in readme for name in libraries)


def test_its_program_runs_by_itself(tmp_path: Path, picture: Path) -> None:
    """In another process, in which nothing of Graft can be found."""
    folder, _, _ = bundle_of(tmp_path, "timm efficientnet")
    said = subprocess.run([sys.executable, "predict.py", str(picture), "--json"], cwd=folder, capture_output=True, text=True, timeout=120)
    assert said.returncode == 0, said.stderr
    answer = json.loads(said.stdout)["predictions"][0]["probabilities"]
    assert torch.allclose(torch.tensor(answer), torch.tensor(load_bundle(folder).predict([picture])[0]), atol=1e-5)
