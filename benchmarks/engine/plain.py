"""The loop of the tutorials, in plain PyTorch: data loaders, gradients for what learns alone, frozen parts in eval, AdamW."""
from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import CrossEntropyLoss

from benchmarks.engine.cases import CONTENDERS, Job
from benchmarks.engine.clock import Clock
from benchmarks.engine.source import Items, logits_of, module_of


def prepare(job: Job) -> Callable[[Clock], None]:
    torch.manual_seed(job.seed)
    module, frozen, groups = module_of(job)
    items, loss, bf16 = Items(job), CrossEntropyLoss(), CONTENDERS[job.contender].bf16

    def run(clock: Clock) -> None:
        optimizer = torch.optim.AdamW(groups)
        train, val = items.loader("train"), items.loader("val")
        for _ in range(job.epochs):
            module.train()
            for part in frozen:
                part.eval()
            for inputs, labels in train:
                with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                    value = loss(logits_of(module, inputs), labels)
                optimizer.zero_grad()
                value.backward()
                optimizer.step()
            module.eval()
            right = 0
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                for inputs, labels in val:
                    right += int((logits_of(module, inputs).argmax(1) == labels).sum())
            if clock.epoch(right / len(val.dataset)):
                break
    return run
