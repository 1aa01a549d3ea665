"""Hugging Face's Trainer around the same module."""
from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Trainer, TrainerCallback, TrainingArguments

from benchmarks.engine.cases import BATCH_SIZE, CONTENDERS, Job
from benchmarks.engine.clock import Clock
from benchmarks.engine.source import Items, logits_of, module_of


class Labelled(nn.Module):
    """As the Trainer wants it: logits with their loss. Frozen parts stay in eval."""

    def __init__(self, module: nn.Module, frozen: list[nn.Module]) -> None:
        super().__init__()
        self.module, self._frozen = module, tuple(frozen)

    def forward(self, inputs: Any, labels: Tensor) -> dict[str, Tensor]:
        logits = logits_of(self.module, inputs)
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}

    def train(self, mode: bool = True) -> Labelled:
        super().train(mode)
        for part in self._frozen:
            part.eval()
        return self


class Watch(TrainerCallback):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float], **rest: Any) -> None:
        control.should_training_stop |= self._clock.epoch(metrics["eval_accuracy"])


def prepare(job: Job) -> Callable[[Clock], None]:
    module, frozen, groups = module_of(job)
    items = Items(job)

    def collated(some: Any) -> dict[str, Any]:
        inputs, labels = items.collated(some)
        return {"inputs": inputs, "labels": labels}

    def run(clock: Clock) -> None:
        with tempfile.TemporaryDirectory() as folder:
            settings = TrainingArguments(
                folder, num_train_epochs=job.epochs, per_device_train_batch_size=BATCH_SIZE, per_device_eval_batch_size=BATCH_SIZE,
                lr_scheduler_type="constant", eval_strategy="epoch", save_strategy="no", logging_strategy="no", report_to="none",
                seed=job.seed, bf16=CONTENDERS[job.contender].bf16, use_cpu=True, disable_tqdm=True, remove_unused_columns=False,
                dataloader_pin_memory=False, dataloader_num_workers=job.workers, dataloader_persistent_workers=job.workers > 0)
            Trainer(Labelled(module, frozen), settings, collated, items.side("train"), items.side("val"), callbacks=[Watch(clock)],
                    compute_metrics=lambda found: {"accuracy": float((found.predictions.argmax(1) == found.label_ids).mean())},
                    optimizers=(torch.optim.AdamW(groups), None)).train()
    return run
