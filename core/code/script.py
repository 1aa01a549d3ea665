"""A plan and its settings as a short script for PyTorch, which runs by itself. Torch-free, and quick enough for every run of a page.

What people named (labels, models, folders) gets into the script through `repr` alone: it stays text, whatever it holds.
"""
from __future__ import annotations

from importlib import import_module
from types import ModuleType

from core.code import learning
from core.code.asked import WEIGHTS, Asked, Part, assigned
from core.code.blocks import modules_of
from core.code.objectives import learned_by
from core.data.versions import Version
from core.errors import ModelError
from core.models.answers import answers_of
from core.models.rows import Adapter, ModelRow
from core.objectives import objective
from core.specs import FreezePlan, TrainConfig
from core.tasks.registry import TASKS
from core.workspace import Workspace

PARTS: dict[Adapter, str] = {"torchvision": "core.code.pictures", "transformers": "core.code.texts"}
"""By adapter: a module with `INSTALLS`, `about_data`, `settings`, `data` and `network`."""
IMPORTS: dict[str, str] = {
    "copy": "import copy", "csv": "import csv", "math": "import math", "re": "import re", "Path": "from pathlib import Path", "": "",
    "np": "import numpy as np", "torch": "import torch", "F": "import torch.nn.functional as F",
    "Image": "from PIL import Image, ImageOps", "load_file": "from safetensors.torch import load_file",
    "Tokenizer": "from tokenizers import Tokenizer",
    "nn": "from torch import nn", "parametrize": "from torch.nn.utils import parametrize", "models": "from torchvision import models",
    "resnet": "from torchvision.models import resnet", "v2": "from torchvision.transforms import v2",
    "AutoConfig": "from transformers import AutoConfig", "AutoModel": "from transformers import AutoModel",
    "AutoModelForSequenceClassification": "from transformers import AutoModelForSequenceClassification",
    "Conv1D": "from transformers.pytorch_utils import Conv1D",
}
"""In the order in which they stand; the empty one separates Python's own library."""
ABOUT = '''
"""Fine-tune a pretrained network: the plan and the settings of Graft, with PyTorch alone.

Unpack beside this file what Graft offers with it (items.csv and what belongs to it). Then:

    pip install {installs}
    python {name}

It begins with the same numbers as the app and shows the same items in the same order. The app is
quicker: it computes what is frozen once and keeps it, and may calculate in bfloat16.
"""
'''
FILE = "train.py"
ROWS = '''
# Where a cell begins like a formula, an apostrophe keeps spreadsheets from running it.
guard = re.compile(r"^'(?=\\s*[=+@＝＋－＠-]|[\\t\\r\\n])")
csv.field_size_limit(2**31 - 1)
with open(DATA, encoding="utf-8-sig", newline="") as file:
    rows = [{key: guard.sub("", cell) for key, cell in row.items()} for row in csv.DictReader(file)]
'''


def can_show(row: ModelRow) -> bool:
    """Whether there is a script for networks of this kind."""
    return row.adapter in PARTS


def asked_of(ws: Workspace, row: ModelRow, plan: FreezePlan, config: TrainConfig, version: Version, pretrained: bool = True) -> Asked:
    """What a script for the row and the data has to say. Raises `ModelError` where the model's files are needed for it and are not there."""
    if not can_show(row):
        raise ModelError("There is no script for {model}.", "Graft knows how to write one for torchvision's networks of pictures and for transformers that read texts.",
                         "Train it here and take it home: what you get works without Graft, and its code is readable.", model=row.title)
    answers = answers_of(version, plan.head, config.input_size)
    return Asked(row, plan, config, answers, version.labels, objective(version.objective), frozenset(version.sizes()),
                 TASKS[row.task].facts().preprocess(ws, row, config), modules_of(row, answers), pretrained)


def script(asked: Asked) -> str:
    """The source text. It only depends on what is asked."""
    own: ModuleType = import_module(PARTS[asked.row.adapter])
    parts = [
        Part(f"{_settings(asked, own)}\n\n{ROWS.strip()}", frozenset({"torch", "csv", "re"})),
        own.data(asked),
        learned_by(asked),
        own.network(asked),
        learning.what_trains(asked),
        learning.optimizer(asked),
        *((learning.pairs(asked),) if asked.config.method == "contrastive" else ()),
        learning.loop(asked),
    ]
    needed = frozenset().union(*(one.imports for one in parts)) | {""}
    imports = "\n".join(line for key, line in IMPORTS.items() if key in needed)
    about = ABOUT.format(installs=own.INSTALLS, name=FILE).strip()
    return "\n".join((about, imports, "", _joined([one.text for one in parts]))) + "\n"


def _settings(asked: Asked, own: ModuleType) -> str:
    config = asked.config
    weights = f'WEIGHTS = "{WEIGHTS}"  # what the network knows already\n' if asked.keeps_weights else ""
    decay = f", WEIGHT_DECAY = {config.learning_rate!r}, {config.weight_decay!r}"
    labels = "" if asked.objective.numeric else assigned("LABELS", asked.labels) + "\n"
    return (f"{own.about_data(asked)}\n{weights}{labels}SEED, EPOCHS, BATCH = {config.seed}, {config.epochs}, {config.batch_size}\n"
            f"LEARNING_RATE{decay}\n{own.settings(asked)}")


def _joined(texts: list[str]) -> str:
    """Two empty lines before a section that begins with a function, and after one; one elsewhere."""
    return "\n\n\n".join(text.strip("\n") for text in texts)
