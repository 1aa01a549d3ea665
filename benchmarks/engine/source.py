"""What all peers begin with: the weights that Graft begins with, as a plain module, and the items as PyTorch's own tools read them."""
from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset
from torchvision.datasets import ImageFolder
from torchvision.transforms import CenterCrop, Compose, Normalize, Resize, ToTensor
from transformers import AutoTokenizer

from benchmarks.engine.cases import BATCH_SIZE, LR_SCALE, Job
from core.models.build import build
from core.models.catalog import find
from core.training.presets import plan_for


def module_of(job: Job) -> tuple[nn.Module, list[nn.Module], list[dict[str, Any]]]:
    """The module, its frozen parts (without gradients), and what learns, with its rate."""
    row = find(job.case.model)
    network, plan = build(row, job.data.n_labels, job.seed, pretrained=job.case.pretrained), plan_for(row, job.case.plan, lr_scale=LR_SCALE)
    network.freeze(plan.trained())
    frozen, groups = list[nn.Module](), list[dict[str, Any]]()
    for block, planned in zip(network.blocks, plan.blocks):
        if planned.state == "frozen":
            frozen += [network.model.get_submodule(path) for path in block.modules]
        elif learning := list(network.learning(block).values()):
            groups.append({"params": learning, "lr": job.case.learning_rate * planned.lr_scale})
    return network.model, frozen, groups


def logits_of(module: nn.Module, inputs: Any) -> Tensor:
    return module(**inputs) if isinstance(inputs, dict) else module(inputs)


class Items:
    """Opened before the clock starts; nothing is read before `side`."""

    def __init__(self, job: Job) -> None:
        self._job, self._files, self._reads = job, Path(job.data.files), find(job.case.model).input
        self._tokenizer = AutoTokenizer.from_pretrained(find(job.case.model).repo) if job.case.what == "texts" else None

    def side(self, name: str) -> Dataset:
        """Items as (inputs, label)."""
        items = self._texts(name) if self._tokenizer else self._pictures(name)
        return Subset(items, range(0, len(items), -(-len(items) // self._job.n_items))) if self._job.n_items else items

    def collated(self, items: Sequence[tuple[Any, int]]) -> tuple[Any, Tensor]:
        """Texts are padded to the longest of the batch."""
        inputs, labels = zip(*items)
        padded = dict(self._tokenizer.pad({"input_ids": inputs}, return_tensors="pt")) if self._tokenizer else torch.stack(inputs)
        return padded, torch.tensor(labels)

    def loader(self, name: str) -> DataLoader:
        n = self._job.workers
        return DataLoader(self.side(name), BATCH_SIZE, shuffle=name == "train", num_workers=n, persistent_workers=n > 0,
                          collate_fn=self.collated)

    def _pictures(self, name: str) -> ImageFolder:
        reads = self._reads
        steps = [Resize(reads.resize_size), CenterCrop(reads.input_size), ToTensor(), Normalize(reads.mean, reads.std)]
        return ImageFolder(str(self._files / name), Compose(steps))

    def _texts(self, name: str) -> list[tuple[list[int], int]]:
        rows = [json.loads(line) for line in (self._files / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
        ids = self._tokenizer([row["text"] for row in rows], truncation=True, max_length=self._reads.tokens)["input_ids"]
        return [(some, row["label"]) for some, row in zip(ids, rows)]
