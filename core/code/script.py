"""A plan and its settings as a short script for PyTorch, which runs by itself. Torch-free, and quick enough for every run of a page.

What people named (labels, models, folders) gets into the script through `repr` alone: it stays text, whatever it holds.
"""
from __future__ import annotations

from importlib import import_module
from typing import Protocol

from core.code.asked import Asked, Part, assigned
from core.code.at_once import features, fits
from core.code.blocks import modules_of
from core.code.learning import how_fast, what_trains
from core.code.loop import judging, loop
from core.code.pairs import pairs
from core.data.versions import Version
from core.models.answers import answers_of
from core.models.rows import Adapter, ModelRow
from core.objectives import objective
from core.specs import FreezePlan, TrainConfig
from core.tasks.registry import TASKS
from core.workspace import Workspace

PARTS: dict[Adapter, str] = {"torchvision": "core.code.of_torchvision", "transformers": "core.code.of_transformers",
                             "words": "core.code.of_words", "vision": "core.code.of_vision"}
"""By adapter: a module that answers `Own`."""


class Own(Protocol):
    """What is told of networks of one kind, and of what they are shown."""

    def settings(self, asked: Asked) -> str:
        """Lines of constants."""

    def data(self, asked: Asked) -> Part:
        """Lines that read the items: `sides`, and of the training side `items` and `targets`; the function `batches(epoch)`, unless the head
        is fitted to all items at once."""

    def network(self, asked: Asked) -> Part:
        """Lines that make the `model`; the function `logits_of(items, some)`."""

    def last_layer(self, asked: Asked) -> str:
        """What these lines call the last layer of the head."""


IMPORTS: dict[str, tuple[str, str]] = {
    "copy": ("import copy", ""), "json": ("import json", ""), "math": ("import math", ""), "re": ("import re", ""),
    "unicodedata": ("import unicodedata", ""), "zlib": ("import zlib", ""), "": ("", ""),
    "np": ("import numpy as np", "numpy"), "pi_heif": ("import pi_heif", "pi-heif"), "timm": ("import timm", "timm"),
    "torch": ("import torch", "torch"),
    "F": ("import torch.nn.functional as F", "torch"), "Image": ("from PIL import Image, ImageOps", "pillow"),
    "load_file": ("from safetensors.torch import load_file", "safetensors"), "Tokenizer": ("from tokenizers import Tokenizer", "tokenizers"),
    "nn": ("from torch import nn", "torch"), "parametrize": ("from torch.nn.utils import parametrize", "torch"),
    "models": ("from torchvision import models", "torchvision"), "resnet": ("from torchvision.models import resnet", "torchvision"),
    "v2": ("from torchvision.transforms import v2", "torchvision"), "AutoConfig": ("from transformers import AutoConfig", "transformers"),
    "AutoModel": ("from transformers import AutoModel", "transformers"),
    "AutoModelForSequenceClassification": ("from transformers import AutoModelForSequenceClassification", "transformers"),
    "Conv1D": ("from transformers.pytorch_utils import Conv1D", "transformers"),
}
"""In the order in which they stand, with what pip installs for each; the empty one separates Python's own library."""
ABOUT = '''
"""Fine-tune a pretrained network: the plan and the settings of Graft, with PyTorch alone.

Unpack beside this file what Graft offers with it: your data and the files of the model. Then:

    pip install {installs}
    python {name}

{like_the_app}
"""
'''
STEP_BY_STEP = """It begins with the same loss as the app and shows the same items in the same order. The app is
quicker: it computes what is frozen once and keeps it, and may calculate in bfloat16."""
AT_ONCE = """It begins with the same loss as the app and fits the same layer to the same items. The app keeps
what the frozen part gives for later trainings, and may calculate in bfloat16."""
FILE = "train.py"
HEIC = (".heic", ".heif")


def asked_of(ws: Workspace, row: ModelRow, plan: FreezePlan, config: TrainConfig, version: Version, pretrained: bool = True) -> Asked:
    """What a script for the row and the data has to say. Raises `ModelError` where the model's files are needed for it and are not there."""
    answers = answers_of(version, plan.head, config.input_size)
    return Asked(row, plan, config, answers, version.labels, objective(version.objective), version.sizes(),
                 TASKS[row.task].facts().preprocess(ws, row, config), modules_of(row, answers), pretrained,
                 any(item.name.lower().endswith(HEIC) for item in version.items))


def script(asked: Asked) -> str:
    """The source text. It only depends on what is asked."""
    own: Own = import_module(PARTS[asked.row.adapter])  # type: ignore[assignment]
    parts = [Part(_settings(asked, own), frozenset({"torch"})), own.data(asked), own.network(asked), *_training(asked, own)]
    needed = frozenset().union(*(one.imports for one in parts)) | {""}
    imports = [row for key, row in IMPORTS.items() if key in needed]
    installs = dict.fromkeys((*(package for _, package in imports if package), *(package for one in parts for package in one.installs)))
    about = ABOUT.format(installs=" ".join(installs), name=FILE, like_the_app=AT_ONCE if asked.at_once else STEP_BY_STEP).strip()
    return "\n".join((about, *(line for line, _ in imports), "", "\n\n\n".join(one.text.strip("\n") for one in parts))) + "\n"


def _training(asked: Asked, own: Own) -> tuple[Part, ...]:
    if asked.at_once:
        last = own.last_layer(asked)
        return (_behind(features(asked, last), fits(asked, last)),)
    learns = what_trains(asked), how_fast(asked)
    return (*learns, judging(asked), pairs(asked), loop(asked)) if asked.in_pairs else (*learns, _behind(judging(asked), loop(asked)))


def _behind(first: Part, second: Part) -> Part:
    return Part(f"{first.text}\n{second.text}", first.imports | second.imports)


def _settings(asked: Asked, own: Own) -> str:
    config = asked.config
    labels = "" if asked.objective.numeric else assigned("LABELS", asked.labels) + "\n"
    steps = f"SEED = {config.seed}" if asked.at_once else (
        f"SEED, EPOCHS, BATCH = {config.seed}, {config.epochs}, {config.batch_size}\n"
        f"LEARNING_RATE, WEIGHT_DECAY = {config.learning_rate!r}, {config.weight_decay!r}")
    return f"{labels}{steps}\n{own.settings(asked)}"
