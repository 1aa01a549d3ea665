"""Which arithmetic is faster here: timed, since what a processor says of itself has been wrong by a factor of forty both ways."""
from __future__ import annotations

import time

import torch
from torch import nn

from core.data.split import Split
from core.models.blocks import Network
from core.models.shares import SHARE, outputs
from core.specs import Precision
from core.training.devices import wait_for

WORTH = 1.25
"""bfloat16 keeps 8 bits of a number's precision: it has to be clearly faster to be chosen."""
TRIES = 3


def faster_precision(device: torch.device = torch.device("cpu")) -> Precision:
    """The quicker one of the two at a few convolutions, best of three each, on one thread: about a fifth of a second."""
    layers = nn.Sequential(nn.Conv2d(3, 64, 7, 2), nn.ReLU(), nn.Conv2d(64, 128, 3, 2), nn.ReLU(), nn.Conv2d(128, 256, 3))
    layers = layers.to(device, memory_format=torch.channels_last)
    x = torch.rand(4, 3, 96, 96, device=device).contiguous(memory_format=torch.channels_last)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        times = {precision: _best(layers, x, precision) for precision in ("fp32", "bf16")}
    finally:
        torch.set_num_threads(threads)
    return "bf16" if times["fp32"] > WORTH * times["bf16"] else "fp32"


def forward_items_per_s(network: Network, items: Split, precision: Precision) -> float:
    """How many of the items a second the whole network computes, every core at work."""
    network.precision = precision
    network.freeze(())
    outputs(network, items.inputs(torch.arange(min(SHARE, len(items)))))
    batch = items.inputs(torch.arange(len(items)))
    began = time.perf_counter()
    outputs(network, batch)
    return len(batch) / (time.perf_counter() - began)


def _best(layers: nn.Module, x: torch.Tensor, precision: Precision) -> float:
    def once() -> float:
        began = time.perf_counter()
        with torch.inference_mode(), torch.autocast(x.device.type, torch.bfloat16, enabled=precision == "bf16"):
            layers(x)
        wait_for(x.device)
        return time.perf_counter() - began
    once()
    return min(once() for _ in range(TRIES))
