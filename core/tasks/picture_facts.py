"""What is known about a training on pictures before it begins. Torch-free."""
from __future__ import annotations

from core.data.versions import Version
from core.errors import SettingsError
from core.models.rows import ModelRow, PictureInput
from core.preprocess import Preprocess, of_input
from core.specs import DataSpec, TrainConfig
from core.training.estimate import ItemCost
from core.workspace import Workspace

DECODE_S = 0.006
"""One picture read, decoded and resized."""
CHANGE_S = 2e-7
"""One pixel turned, shifted and recoloured."""


def input_of(row: ModelRow) -> PictureInput:
    """Raises `TypeError` for a model that takes no pictures: a mistake of ours."""
    if not isinstance(row.input, PictureInput):
        raise TypeError(f"{row.key} takes no pictures")
    return row.input


def preprocess(ws: Workspace, row: ModelRow, config: TrainConfig) -> Preprocess:
    return of_input(input_of(row), config.input_size)


def check(row: ModelRow, config: TrainConfig) -> None:
    side, own = config.input_size, input_of(row)
    if side is None or side == own.input_size:
        return
    if own.fixed_size:
        raise SettingsError("{model} takes pictures of {size} px only.", "", "Set the input size to {size}.", model=row.title,
                            size=own.input_size)
    if side < own.min_size:
        raise SettingsError("{model} needs pictures of {size} px or more.", "", "Set the input size to {size} or more.", model=row.title,
                            size=own.min_size)


def cost(ws: Workspace, row: ModelRow, config: TrainConfig, data: DataSpec, version: Version) -> ItemCost:
    """All pictures are brought to one size."""
    how = preprocess(ws, row, config)
    return ItemCost(relative(row, how), DECODE_S, CHANGE_S * how.input_size ** 2)


def relative(row: ModelRow, preprocess: Preprocess) -> float:
    """Work grows with the number of pixels."""
    return (preprocess.input_size / input_of(row).input_size) ** 2
