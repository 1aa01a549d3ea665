"""Where a training computes: on the first GPU there is, else on the processor."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def best_device() -> torch.device:
    """CUDA, Apple's MPS and others as accelerate finds them; ACCELERATE_USE_CPU=1 keeps to the processor. MPS has never been tried."""
    from accelerate import PartialState  # here: only a worker needs it

    return PartialState().device


@contextmanager
def quick_products() -> Iterator[None]:
    """Inside, GPUs that can multiply with ten bits of precision (TF32; sums stay float32). What is judged and predicted is outside."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def seed_all(device: torch.device, seed: int) -> None:
    """For what is drawn next, dropout above all. The processor's generator alone is quicker by far, and in every step."""
    if device.type == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)


def wait_for(device: torch.device) -> None:
    """Until what was begun on a GPU is done: before a clock is read."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def free_memory(device: torch.device) -> None:
    """Give back what a GPU holds in reserve."""
    if device.type != "cpu":
        torch.accelerator.empty_cache()
