"""Between the freeze map's rows (groups) and the plan's blocks."""
from __future__ import annotations

from collections.abc import Sequence

from core.models.catalog import BlockFacts, ModelRow, phrase
from core.objectives import objective
from core.specs import BlockState, FreezePlan
from core.training.presets import gentle, groups, planned
from pages.ui.components.freeze_map import Row
from pages.ui.i18n import _


def group_name(name: str) -> str:
    """A block or group as the reader's language has it: “stage 3”, “第 3 段”."""
    template, values = phrase(name)
    return _(template, **values)


def map_rows(row: ModelRow, plan: FreezePlan, n_labels: int, asked: str = "single_label") -> list[Row]:
    """The model's groups as bricks; the new head is as large as the labels, and what is asked about them, make it."""
    rows, n_outputs = [], objective(asked).outputs(n_labels)
    answers = _("your number") if objective(asked).numeric else _("your {n} labels", n=n_labels)
    for name in groups(row):
        blocks = [block for block in row.blocks if block.group == name]
        head = name == groups(row)[-1]
        new = all(block.new for block in blocks)
        changed = (n_outputs - row.source_classes) * (row.feature_width + 1) if head else 0  # its last layer has a place for each label
        parameters = sum(block.parameters for block in blocks) + changed
        mine = [b for b in plan.blocks if b.name in {block.name for block in blocks}]
        from_epoch = 0 if head else min((b.from_epoch for b in mine if b.state != "frozen"), default=joins_at(plan))
        rows.append(Row(name, group_name(name), answers if head else _(blocks[0].note) if blocks[0].note else "",
                        parameters, sum(block.macs for block in blocks), sum(block.parameters > 0 for block in blocks), locked=head or new,
                        from_epoch=from_epoch, lora_unit=0 if head or new else sum(block.lora_unit for block in blocks)))
    return rows


def joins_at(plan: FreezePlan) -> int:
    """The epoch in which a block that is unfrozen now would begin: with the last of those that the plan already trains."""
    return max((block.from_epoch for block in plan.blocks if block.state != "frozen"), default=0)


def states(row: ModelRow, plan: FreezePlan) -> list[BlockState]:
    """What a group's blocks do at most: train in full, by adapters, or not at all."""
    of_block = {block.name: block.state for block in plan.blocks}
    now = [{of_block.get(block.name) for block in row.blocks if block.group == name} for name in groups(row)]
    return ["trained" if "trained" in found else "lora" if "lora" in found else "frozen" for found in now]


def _fresh(row: ModelRow, block: BlockFacts) -> bool:
    """Whether a block knows nothing yet: it learns at the whole rate."""
    return block.new or block.group == groups(row)[-1]


def with_states(row: ModelRow, plan: FreezePlan, chosen: Sequence[BlockState]) -> FreezePlan:
    """The plan with the groups' states; a block that begins to train takes the learning-rate share of the pretrained blocks that do, or
    else a gentle one."""
    wanted = dict(zip(groups(row), chosen))
    blocks = []
    for block, facts in zip(plan.blocks, row.blocks):
        state = wanted[facts.group]
        shares = [b.lr_scale for b, known in zip(plan.blocks, row.blocks) if b.state != "frozen" and not _fresh(row, known)]
        new = planned(facts, state, 1.0 if _fresh(row, facts) else min(shares, default=gentle(row, state)), joins_at(plan))
        blocks.append(block if new.state == block.state else new)
    return FreezePlan(tuple(blocks))
