"""A small real network for four kinds of insects, and pictures to show it."""
from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import nn

from core.bundle.predict import normalise, prepare
from core.bundle.write import write_bundle
from core.models.catalog import find
from core.models.pictures.architecture import rebuild
from core.preprocess import of_input
from core.specs import BlockPlan, DataSpec, FreezePlan, ModelSpec, RunSpec, TrainConfig

LABELS = ("ant", "hover fly", "b*e|e", "猫")
ARCHITECTURE: dict[str, Any] = {"builder": "mobilenet_v3_small", "kwargs": {},
                                "head": {"path": "classifier.3", "layers": [["Linear", 1024, len(LABELS)]]}}
SOURCE = find("mobilenet_v3_small")
PREPROCESS = of_input(SOURCE.input, 96)
RUN = RunSpec("run1", "Insects ![x](http://example.org/x.png)", "owner-secret", 1.7e9, DataSpec("insects", "v1"), ModelSpec(SOURCE.key),
              FreezePlan((BlockPlan("stem", "frozen"), BlockPlan("head", "trained"))), TrainConfig())
SCORES = {"metric": "accuracy", "score": 0.93, "low": 0.8625, "high": 0.9657, "n": 100, "k": 93, "split": "test",
          "used_for_choosing": False}


def photo(seed: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """A smooth colourful picture, different for every seed."""
    colours = random.Random(seed)
    small = Image.new("RGB", (6, 5))
    small.putdata([tuple(colours.randrange(256) for _ in range(3)) for _ in range(30)])
    return small.resize(size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str, **how: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def trained() -> nn.Module:
    """In eval mode. Its BatchNorm statistics come from pictures, so that different pictures get clearly different answers."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(5)
        made = rebuild(ARCHITECTURE)
        for part in made.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.momentum = None  # the plain average of what it sees
        made.train()
        with torch.no_grad():
            made.classifier[3].weight.normal_(0, 0.5)
            made(normalise(torch.stack([prepare(photo(seed), PREPROCESS) for seed in range(100, 116)]), PREPROCESS))
    return made.eval()


def write_to(folder: Path, module: nn.Module, **changes: Any) -> Path:
    return write_bundle(folder, **{"module": module, "architecture": ARCHITECTURE, "labels": LABELS, "preprocess": PREPROCESS,
                                   "objective": "single_label", "run": RUN, "scores": SCORES, "source": SOURCE, **changes})
