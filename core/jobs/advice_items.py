"""Where an advice's network and items meet. The child process alone calls this."""
from __future__ import annotations

from core.data.split import Split
from core.data.versions import Version
from core.models.answers import answers_of
from core.models.build import build
from core.models.rows import ModelRow
from core.specs import DataSpec, SplitName, TrainConfig
from core.tasks.registry import TASKS
from core.training.advice.features import SEED, Sample, sample_of
from core.training.machine import load_machine
from core.workspace import Workspace


def prepare(ws: Workspace, row: ModelRow, data: DataSpec, version: Version, config: TrainConfig, pretrained: bool) -> Sample:
    """The network with a new head and the items of `version` as it takes them. Raises `UserError` when either is not to be had."""
    network = build(row, answers_of(version), SEED, pretrained=pretrained, store=ws.models)
    return sample_of(network, sides(ws, row, data, version, config)["train"], load_machine(ws).precision or "fp32")


def sides(ws: Workspace, row: ModelRow, data: DataSpec, version: Version, config: TrainConfig) -> dict[SplitName, Split]:
    """The items of `version` as the network takes them. Raises `UserError` when they are not to be had."""
    info = TASKS[data.task]
    preprocess = info.facts().preprocess(ws, row, config)
    return info.load().splits(ws, data, version, preprocess, config, lambda done, total: None)
