"""Gradients of a batch, computed a few items at a time where memory is too small for all of them at once.

The gradients are those of the whole batch, but for BatchNorm that trains: its statistics are those of the few.
"""
from __future__ import annotations

import torch
from torch import Tensor, nn

from core.models.blocks import Network, State
from core.training.losses import Loss, Terms


def gradients(network: Network, batch: State, targets: Tensor, start: int, most: int, loss: Loss, terms: Terms) -> tuple[Tensor, Tensor]:
    """Add the gradients of the mean loss of a batch, which stands before block `start`; returns that loss and the logits, without gradients."""
    if len(batch) <= most:
        logits = network.run(batch, start).x
        value = loss.loss(logits, targets, terms)
        value.backward()
        return value.detach(), logits.detach()
    whole, total, said = loss.share(targets, terms), torch.zeros((), device=targets.device), list[Tensor]()
    sizes = _sizes(len(batch), most)
    for x, its, lengths in zip(batch.x.split(sizes), targets.split(sizes), [None] * len(sizes) if batch.lengths is None else batch.lengths.split(sizes)):
        logits = network.run(_cut(x, lengths, batch.window), start).x
        value = loss.loss(logits, its, terms) * (loss.share(its, terms) / whole)
        value.backward()
        total, said = total + value.detach(), [*said, logits.detach()]
    return total, torch.cat(said)


def _sizes(n: int, most: int) -> list[int]:
    """Parts of `most` items; one left over joins the part before it, since BatchNorm can't learn from one item alone."""
    sizes = [most] * (n // most) + [n % most] * (n % most > 0)
    return [*sizes[:-2], most + 1] if sizes[-1] == 1 and most > 1 else sizes


def _cut(x: Tensor, lengths: Tensor | None, window: int) -> State:
    """Without padding that none of the items needs."""
    return State(x) if lengths is None else State(x[:, :int(lengths.max())], lengths, window)


def least(network: Network) -> int:
    """So few items may be computed at once: BatchNorm that trains can't learn from one alone."""
    return 2 if statistics_train(network) else 1


def statistics_train(network: Network) -> bool:
    """Whether there is normalisation that learns from each batch."""
    return any(module.training for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm))
