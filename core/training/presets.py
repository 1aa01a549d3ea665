"""Ready settings. Torch-free: pages and the command line read them."""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from core.errors import ModelError
from core.models.catalog import ModelRow
from core.models.heads import replaced
from core.models.rows import BlockFacts
from core.specs import Augmentation, BlockPlan, BlockState, FreezePlan, PresetKey, TrainConfig
from core.training.costs import views_of
from core.training.pairs import MOST_PER_LABEL

PlanKind = Literal["head", "last-stage", "all", "lora"]
PRESETS: tuple[PresetKey, ...] = ("instant", "balanced", "thorough")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A preset for one kind of network: what trains, when what is pretrained joins and at which share of the rate, and all settings."""
    kind: PlanKind
    config: TrainConfig
    head_first_epochs: int = 0
    lr_scale: float = 1.0


PICTURES: dict[PresetKey, Recipe] = {
    "instant": Recipe("head", TrainConfig("instant", epochs=40, optimizer="lbfgs")),
    "balanced": Recipe("last-stage", TrainConfig("balanced", epochs=12, first_model=True, learning_rate=3e-3, patience=5), head_first_epochs=4, lr_scale=0.1),
    "thorough": Recipe("all", TrainConfig("thorough", epochs=20, learning_rate=2e-3, first_model=True, patience=6, label_smoothing=0.05, augmentation=Augmentation(
        flip=True, rotation_deg=10, shift=0.08, zoom=0.15, colour=0.3)), lr_scale=0.1),
}
TRANSFORMERS: dict[PresetKey, Recipe] = {
    "instant": Recipe("head", TrainConfig("instant", epochs=40, optimizer="lbfgs")),
    "balanced": Recipe("last-stage", TrainConfig("balanced", epochs=8, first_model=True, learning_rate=1e-3, patience=3), head_first_epochs=2, lr_scale=0.1),
    "thorough": Recipe("all", TrainConfig("thorough", epochs=5, first_model=True, learning_rate=5e-4, patience=2), lr_scale=0.1),
}
"""Few epochs with small steps, as published for such networks (Devlin et al. 2019, arXiv:1810.04805)."""
VISION: dict[PresetKey, Recipe] = {
    "instant": Recipe("head", TrainConfig("instant", epochs=40, optimizer="lbfgs")),
    "balanced": Recipe("last-stage", TrainConfig("balanced", epochs=10, first_model=True, learning_rate=1e-3, patience=4), head_first_epochs=3, lr_scale=0.1),
    "thorough": Recipe("all", TrainConfig("thorough", epochs=12, first_model=True, learning_rate=1e-3, patience=4, label_smoothing=0.05, augmentation=Augmentation(
        flip=True, rotation_deg=10, shift=0.08, zoom=0.15, colour=0.3)), lr_scale=0.03),
}
"""Networks of pictures without BatchNorm are moved as gently as those of texts (Steiner et al. 2021, arXiv:2106.10270)."""
WORDS: dict[PresetKey, Recipe] = {
    "instant": Recipe("head", TrainConfig("instant", epochs=15, learning_rate=1e-2, batch_size=64, patience=4)),
    "balanced": Recipe("all", TrainConfig("balanced", epochs=15, learning_rate=1e-2, batch_size=64, patience=4), head_first_epochs=2, lr_scale=0.1),
    "thorough": Recipe("all", TrainConfig("thorough", epochs=25, learning_rate=5e-3, batch_size=32, patience=6), lr_scale=0.3),
}
"""With some hundred texts the vectors are better left as they are; with thousands it pays to let them learn (the card says how much)."""
LSTM: dict[PresetKey, Recipe] = {
    "instant": Recipe("head", TrainConfig("instant", epochs=12, learning_rate=3e-3, batch_size=64, patience=4)),
    "balanced": Recipe("all", TrainConfig("balanced", epochs=15, learning_rate=3e-3, batch_size=64, patience=4), head_first_epochs=2, lr_scale=0.3),
    "thorough": Recipe("all", TrainConfig("thorough", epochs=20, learning_rate=3e-3, batch_size=32, patience=6, label_smoothing=0.05), lr_scale=1.0),
}
FEW = Recipe("all", TrainConfig("few", epochs=30, learning_rate=2e-3, method="contrastive"), lr_scale=0.02)
"""First pairs, with the small steps that SetFit takes, then the head."""
RECIPES: dict[str, dict[PresetKey, Recipe]] = {
    "torchvision": PICTURES | {"few": FEW}, "transformers": TRANSFORMERS | {"few": FEW}, "words": WORDS, "words, lstm": LSTM,
    "vision": VISION | {"few": FEW}, "vision, resnet": PICTURES | {"few": FEW}, "vision, timm-cnn": PICTURES | {"few": FEW}}
"""By adapter, or by adapter and builder where networks of one adapter differ."""


def _recipes(row: ModelRow) -> dict[PresetKey, Recipe]:
    return RECIPES.get(f"{row.adapter}, {row.builder}") or RECIPES[row.adapter]


def presets_for(row: ModelRow, most_per_label: int) -> tuple[PresetKey, ...]:
    """The presets that suit a model and data whose commonest label has so many training items: pairs are for a few."""
    few: tuple[PresetKey, ...] = ("few",) if "few" in _recipes(row) and 0 < most_per_label <= MOST_PER_LABEL else ()
    return (*PRESETS, *few)


def groups(row: ModelRow) -> tuple[str, ...]:
    """The row's groups of blocks, input first."""
    return tuple(dict.fromkeys(block.group for block in row.blocks))


def is_new(row: ModelRow, block: BlockFacts) -> bool:
    """Whether a block knows nothing yet: it always trains, at the whole rate."""
    return block.new or block.group == groups(row)[-1]


def fitted_at_once(row: ModelRow, plan: FreezePlan, config: TrainConfig) -> bool:
    """Whether a linear head learns alone and is fitted to all items at once (`core.training.full_batch`)."""
    (*trunk, head), gone = row.blocks, replaced(row, plan.head)
    alone = all(block.state == "frozen" or block.name in gone or not facts.parameters for block, facts in zip(plan.blocks, trunk))
    linear = plan.head.kind == "linear" and (plan.head.pooling != "own" or head.parameters == row.source_classes * (row.feature_width + 1))
    saves = views_of(config.epochs, row.task == "image" and config.augmentation.active) > 0
    return alone and linear and saves and config.optimizer == "lbfgs" and config.store_activations and config.method == "plain"


def pulled(row: ModelRow, plan: FreezePlan) -> frozenset[str]:
    """Names of the blocks that can be pulled back to the source: pretrained ones that train in full."""
    return frozenset(block.name for block, facts in zip(plan.blocks, row.blocks) if block.state == "trained" and not is_new(row, facts))


def anchored(row: ModelRow, plan: FreezePlan, strength: float) -> FreezePlan:
    """The plan with one strength of L2-SP for all of these."""
    some = pulled(row, plan)
    return replace(plan, blocks=tuple(replace(block, anchor=strength) if block.name in some else block for block in plan.blocks))


def plan_for(row: ModelRow, kind: PlanKind, *, head_first_epochs: int = 0, lr_scale: float = 1.0) -> FreezePlan:
    """Train the head, the head and the last stage, everything, or the head and thin adapters beside all that is pretrained; what is new
    and knows nothing yet always trains. The pretrained blocks may join after `head_first_epochs` and learn at `lr_scale` of the rate:
    the new head's first large gradients then don't reach them (Howard and Ruder 2018, arXiv:1801.06146). Raises `ModelError` where
    there is nothing to adapt."""
    names = groups(row)
    new = {block.group for block in row.blocks if block.new} | {names[-1]}
    pretrained = [name for name in names if name not in new]
    if kind == "lora" and not any(block.lora_unit for block in row.blocks if block.group in pretrained):
        raise ModelError("“{model}” can't be adapted.", "It has no layer beside which a thin adapter could stand.",
                         "Choose another plan, or another model.", model=row.title)
    learning = {"head": [], "last-stage": pretrained[-1:], "all": pretrained, "lora": pretrained}[kind]
    return FreezePlan(tuple(
        BlockPlan(block.name, "trained") if block.group in new
        else planned(block, "lora" if kind == "lora" else "trained", lr_scale, head_first_epochs) if block.group in learning
        else BlockPlan(block.name, "frozen") for block in row.blocks))


GENTLE: dict[str, dict[BlockState, float]] = {
    "torchvision": {"trained": 0.3}, "words": {"trained": 0.1}, "transformers": {"trained": 0.03}, "vision": {"trained": 0.03},
    "vision, resnet": {"trained": 0.3}, "vision, timm-cnn": {"trained": 0.3}}
"""The share of the head's rate at which pretrained blocks of each kind of network learn when nothing else is said: at the whole of it they
would forget what they know, transformers within a few steps (Mosbach et al. 2021, arXiv:2006.04884). Adapters begin at nothing and learn
at the whole rate."""


def gentle(row: ModelRow, state: BlockState) -> float:
    """The share of the learning rate for a pretrained block that is to train, or to have a thin adapter."""
    return (GENTLE.get(f"{row.adapter}, {row.builder}") or GENTLE[row.adapter]).get(state, 1.0)


def planned(block: BlockFacts, state: BlockState, lr_scale: float, from_epoch: int) -> BlockPlan:
    """The plan of a block whose group is to have that state. One without a layer that can be adapted stays frozen among adapted ones."""
    if state == "frozen" or (state == "lora" and not block.lora_unit):
        return BlockPlan(block.name, "frozen")
    return BlockPlan(block.name, state, lr_scale, from_epoch)


def preset_config(row: ModelRow, key: PresetKey) -> TrainConfig:
    """The settings of a preset for this model, its freezing apart."""
    recipe = _recipes(row).get(key)
    return recipe.config if recipe else TrainConfig(key)


def preset_plan(row: ModelRow, key: PresetKey) -> FreezePlan:
    recipe = _recipes(row).get(key)
    if recipe is None:
        return plan_for(row, "head")
    return plan_for(row, recipe.kind, head_first_epochs=recipe.head_first_epochs, lr_scale=recipe.lr_scale)
