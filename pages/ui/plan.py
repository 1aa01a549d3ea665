"""Between a model's blocks and the freeze map's rows."""
from __future__ import annotations

from dataclasses import replace

from core.data.versions import Version
from core.models import heads
from core.models.catalog import ModelRow, phrase
from core.models.rows import BlockFacts
from core.objectives import objective
from core.specs import BlockState, FreezePlan, TrainConfig
from core.training.costs import Costs
from core.training.pairs import PAIRS_A_STEP, n_pairs
from core.training.presets import fitted_at_once, gentle, groups, is_new, plan_for
from pages.ui.components.freeze_map import Conditions, Part, Row
from pages.ui.i18n import _


def group_name(name: str) -> str:
    """A block or group as the reader's language has it: “stage 3”, “第 3 段”."""
    template, values = phrase(name)
    return _(template, **values)


def map_rows(row: ModelRow, plan: FreezePlan, n_labels: int, asked: str = "single_label", side: int | None = None) -> list[Row]:
    """The model's groups as bricks, with their blocks. The new head is as large as the labels, what is asked about them, and the plan's
    head make it; `side` is that of the pictures in pixels (None: the model's own)."""
    sizes = dict(zip((block.name for block in row.blocks), heads.sizes(row, plan.head, objective(asked).outputs(n_labels), side)))
    answers = _("your number") if objective(asked).numeric else _("your {n} labels", n=n_labels)
    names, rows = groups(row), []
    for name in names:
        head, blocks = name == names[-1], [block for block in row.blocks if block.group == name]
        note = answers if head else _(blocks[0].note) if blocks[0].note else ""
        rows.append(Row(name, group_name(name), note, tuple(_part(row, block, sizes[block.name]) for block in blocks)))
    return rows


def _part(row: ModelRow, block: BlockFacts, parameters: int) -> Part:
    fresh = is_new(row, block)
    return Part(block.name, group_name(block.name), parameters, block.macs, locked=fresh, lora_unit=0 if fresh else block.lora_unit)


def shares(row: ModelRow) -> dict[BlockState, float]:
    """The share of the learning rate for a pretrained block that is the first to learn, by how it learns."""
    return {state: gentle(row, state) for state in ("trained", "lora")}


def states(row: ModelRow, plan: FreezePlan) -> list[BlockState]:
    """What each group's blocks do at most: train in full, by adapters, or not at all."""
    of_block = {block.name: block.state for block in plan.blocks}
    now = [{of_block.get(block.name) for block in row.blocks if block.group == name} for name in groups(row)]
    return ["trained" if "trained" in found else "lora" if "lora" in found else "frozen" for found in now]


def conditions(row: ModelRow, plan: FreezePlan, costs: Costs, config: TrainConfig, version: Version) -> Conditions:
    """What the map's figures are computed from, for a run with these settings on this data; of the plan its head counts alone."""
    n_train, n_val = len(version.split("train")), len(version.split("val"))
    pairs = n_pairs(n_train) if config.method == "contrastive" else 0
    at_once = fitted_at_once(row, replace(plan_for(row, "head"), head=plan.head), config)
    return Conditions(costs, n_train, n_val, config.batch_size, pairs, 2 * PAIRS_A_STEP, config.augmentation.active, at_once, config.first_model)


def partly(row: ModelRow, plan: FreezePlan) -> frozenset[str]:
    """Names of the groups of which some blocks learn while others rest that could do the same."""
    found = set()
    for name in groups(row):
        inside = [(block, facts) for block, facts in zip(plan.blocks, row.blocks) if facts.group == name and facts.parameters]
        learning = {block.state for block, _ in inside} - {"frozen"}
        rests = any(block.state == "frozen" and (facts.lora_unit or learning != {"lora"}) for block, facts in inside)
        if learning and rests:
            found.add(name)
    return frozenset(found)
