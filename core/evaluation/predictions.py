"""What a network says about one side of a dataset."""
from __future__ import annotations

import torch

from core.bundle.answers import ACTIVATIONS
from core.data.split import Split
from core.models.blocks import Network
from core.models.shares import outputs
from core.objectives import objective
from core.training.order import batches_by_length

BATCH = 32


def probabilities(network: Network, side: Split, objective_key: str, start: int = 0) -> list[list[float]]:
    """One list of probabilities an item, computed in float32 exactly as the bundle does; from block `start` on, where the side is what the
    blocks before it give."""
    activation = ACTIVATIONS[objective(objective_key).activation]
    rows: list[list[float]] = [[]] * len(side)
    network.eval()
    with torch.inference_mode():
        for idx in batches_by_length(side, BATCH):
            for i, row in zip(idx.tolist(), activation(outputs(network, side.inputs(idx), start=start).x).tolist()):
                rows[i] = row
    return rows
