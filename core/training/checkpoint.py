"""What has been learned so far, and tensors on disk that are whole or not there.

    last.safetensors      the newest, proved readable before the one before it gives way
    previous.safetensors  the one before it
"""
from __future__ import annotations

import json
import logging
import os
import zlib
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from core.models.blocks import Network
from core.specs import FreezePlan
from core.workspace import to_disk

LAST, PREVIOUS = "last.safetensors", "previous.safetensors"
log = logging.getLogger(__name__)


def copy_trained(network: Network, plan: FreezePlan) -> dict[str, Tensor]:
    """Copies of all parameters and buffers of the blocks that the plan ever trains, by their names in the network as it trains; of a
    block with adapters these alone, since the rest of it never changes."""
    trained = set(plan.trained())
    tensors: dict[str, Tensor] = {}
    for block in network.blocks:
        if block.name in trained:
            tensors |= {name: p.detach().clone() for name, p in network.learning(block).items()}
            for path in () if block.name in network.adapters else block.modules:
                tensors |= {f"{path}.{name}": b.detach().clone() for name, b in network.model.get_submodule(path).named_buffers()}
    return tensors


def restore_trained(network: Network, tensors: dict[str, Tensor]) -> None:
    """Put tensors made by `copy_trained` back. Raises `KeyError` for a name that the network does not have (adapters must be there)."""
    here = dict(network.model.named_parameters()) | dict(network.model.named_buffers())
    with torch.no_grad():
        for name, tensor in tensors.items():
            here[name].copy_(tensor)


def keep(folder: Path, tensors: dict[str, Tensor], facts: bytes) -> None:
    """Write tensors and what is to be known of them. What was kept before is given up only when this has been read back.

    Raises `OSError`, or `SafetensorError` where the disk is full; nothing has changed then."""
    new = folder / f"{LAST}.part"
    try:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, new, {"facts": facts.decode(), "sum": str(_sum(tensors, facts))})
        to_disk(new)
        if _read(new) is None:
            raise OSError("what was written can't be read back")
        if (folder / LAST).exists():
            os.replace(folder / LAST, folder / PREVIOUS)
        os.replace(new, folder / LAST)
    finally:
        new.unlink(missing_ok=True)
    to_disk(folder)


def kept(folder: Path) -> tuple[dict[str, Tensor], bytes] | None:
    """The newest that is whole, with what is to be known of it; None where nothing was kept."""
    return next((found for name in (LAST, PREVIOUS) if (found := _read(folder / name))), None)


def forget(folder: Path) -> None:
    for name in (LAST, PREVIOUS, f"{LAST}.part"):
        (folder / name).unlink(missing_ok=True)


def _read(path: Path) -> tuple[dict[str, Tensor], bytes] | None:
    """None where there is no such file, or one that was cut short or changed."""
    try:
        with safe_open(path, "pt") as file:
            tensors, about = {name: file.get_tensor(name).clone() for name in file.keys()}, file.metadata()
    except FileNotFoundError:
        return None
    except (SafetensorError, OSError) as error:
        log.warning("%s is left aside: %s", path, error)
        return None
    facts = (about or {}).get("facts", "").encode()
    if not about or about.get("sum") != str(_sum(tensors, facts)):
        log.warning("%s is left aside: its contents have changed", path)
        return None
    return tensors, facts


def _sum(tensors: dict[str, Tensor], facts: bytes) -> int:
    """Of all names, shapes and bits, and of what is to be known of them."""
    found = zlib.crc32(facts + json.dumps({name: [str(tensors[name].dtype), *tensors[name].shape] for name in sorted(tensors)}).encode())
    for name in sorted(tensors):
        flat = tensors[name].detach().cpu().contiguous().view(-1)
        found = zlib.crc32(flat.view(torch.uint8).numpy().data if flat.numel() else b"", found)
    return found
