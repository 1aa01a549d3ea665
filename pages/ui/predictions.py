"""What a run would take on this machine, for pages: from measurements of the model, or a guess until there are any."""
from __future__ import annotations

from core.data.versions import Version
from core.models.catalog import ModelRow
from core.objectives import objective
from core.specs import DataSpec, FreezePlan, TrainConfig
from core.training.costs import Costs
from core.training.estimate import Estimate, estimate
from core.training.measured import costs_for
from pages.ui import state


def costs(row: ModelRow, plan: FreezePlan, config: TrainConfig, data: DataSpec | None = None) -> Costs:
    """Of the model's blocks with these settings, for the items of the data (else of the draft's)."""
    data = data or state.draft().data
    version = state.read_version(data) if data and data.task == row.task else None
    n_outputs = objective(version.objective).outputs(len(version.labels)) if version else 0
    return costs_for(state.workspace(), row, plan, config, state.item_cost(row, config, data), n_outputs)


def expected(row: ModelRow, plan: FreezePlan, config: TrainConfig, version: Version) -> Estimate:
    """Of a run on the draft's data."""
    n_train, n_val = len(version.split("train")), len(version.split("val"))
    return estimate(costs(row, plan, config), plan, config, n_train, n_val, state.item_cost(row, config))
