"""Optimizers and learning-rate schedules."""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from core.models.blocks import Network
from core.specs import FreezePlan, ScheduleKey, TrainConfig

WARMUP = 0.05
"""Share of the run in which the learning rate rises from zero (Goyal et al. 2017, arXiv:1706.02677)."""


@dataclass(frozen=True, slots=True)
class Optimizer:
    """One rule for what every batch changes, and one for tables of vectors, of which a batch touches a few rows."""
    parts: tuple[torch.optim.Optimizer, ...]

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return [group for part in self.parts for group in part.param_groups]

    def zero_grad(self) -> None:
        for part in self.parts:
            part.zero_grad(set_to_none=True)

    def step(self) -> None:
        for part in self.parts:
            part.step()


def build_optimizer(network: Network, plan: FreezePlan, config: TrainConfig) -> Optimizer:
    """Two groups a trained block, each with the block's share of the learning rate (discriminative fine-tuning, Howard and Ruder 2018,
    arXiv:1801.06146). Biases and normalisation weights are not decayed, nor blocks that
    are anchored (`core.training.anchor`). Blocks that join later are there from the start:
    a parameter without gradient is left alone. Tables of vectors (embeddings with `sparse`) are changed by lazy Adam whatever rule is
    chosen, only in the rows that a batch touches and without decay: their cost then does not grow with the table."""
    groups, tables = list[dict[str, Any]](), list[dict[str, Any]]()
    of_tables = {id(module.weight) for module in network.modules() if getattr(module, "sparse", False)}
    plans = {block.name: block for block in plan.blocks}
    for block in network.blocks:
        if plans[block.name].state == "frozen":
            continue
        learning, scale = network.learning(block).values(), plans[block.name].lr_scale
        weight_decay = 0.0 if plans[block.name].anchor else config.weight_decay
        parameters = [p for p in learning if id(p) not in of_tables]
        if rows := [p for p in learning if id(p) in of_tables]:
            tables.append({"params": rows, "lr": config.learning_rate * scale, "lr_scale": scale})
        for decay, members in ((weight_decay, [p for p in parameters if p.ndim > 1]), (0.0, [p for p in parameters if p.ndim <= 1])):
            if members:
                groups.append({"params": members, "lr": config.learning_rate * scale, "lr_scale": scale, "weight_decay": decay})
    return Optimizer((*([_build(groups, config)] if groups else []), *([torch.optim.SparseAdam(tables)] if tables else [])))


def _build(groups: list[dict[str, Any]], config: TrainConfig) -> torch.optim.Optimizer:
    match config.optimizer:
        case "sgd":
            return torch.optim.SGD(groups, lr=config.learning_rate, momentum=config.momentum, nesterov=config.momentum > 0, fused=True)
        case "adam":
            return torch.optim.Adam(groups, lr=config.learning_rate, fused=True)
        case "adamw" | "lbfgs":
            return torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)
        case "rmsprop":
            return torch.optim.RMSprop(groups, lr=config.learning_rate, momentum=config.momentum)


def set_rate(optimizer: Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate * group["lr_scale"]


def rate_at(schedule: ScheduleKey, base: float, step: int, total_steps: int) -> float:
    """Learning rate of step 0 … total_steps - 1. Cosine: to zero (Loshchilov and Hutter 2017, arXiv:1608.03983); step: a tenth after
    60 % and again after 85 % of the run. Both warm up; constant does not."""
    if schedule == "constant":
        return base
    done = step / max(1, total_steps)
    warm = min(1.0, (step + 1) / max(1.0, WARMUP * total_steps))
    if schedule == "cosine":
        return base * warm * 0.5 * (1 + math.cos(math.pi * done))
    return base * warm * (1.0 if done < 0.6 else 0.1 if done < 0.85 else 0.01)


def trained_parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
