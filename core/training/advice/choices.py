"""Ways to train a model that are worth comparing, each with the settings that suit it. Torch-free: pages read it too."""
from __future__ import annotations

from dataclasses import dataclass, replace

from core.errors import ModelError
from core.models.rows import ModelRow
from core.specs import Augmentation, FreezePlan, HeadPlan, PresetKey, TrainConfig
from core.training.advice.findings import taken
from core.training.presets import PlanKind, gentle, plan_for, preset_config, preset_plan

LIKE: dict[PlanKind, PresetKey] = {"head": "instant", "last-stage": "balanced", "lora": "balanced", "all": "thorough"}
"""The preset whose rates a choice takes, the cheapest choice first."""
EPOCHS: dict[PlanKind, int] = {"head": 20, "last-stage": 5, "lora": 5, "all": 5}
"""Of a short training: a head behind stored features costs next to nothing."""
BATCH_SIZE = 16
"""Small, so that few items still make enough steps."""


@dataclass(frozen=True, slots=True)
class Choice:
    """`config`: the settings of a whole training of this kind."""
    kind: PlanKind
    plan: FreezePlan
    config: TrainConfig

    def short(self) -> TrainConfig:
        """Those of a short training on a sample. Several fits at once would choose among themselves by the very items that judge them."""
        return replace(self.config, epochs=EPOCHS[self.kind], batch_size=BATCH_SIZE, patience=0, label_smoothing=0.0, augmentation=Augmentation(),
                       schedule="cosine", store_activations=True, method="plain", first_model=False,
                       optimizer="adamw" if self.config.optimizer == "lbfgs" else self.config.optimizer)


def choices(row: ModelRow, config: TrainConfig, head: HeadPlan) -> tuple[Choice, ...]:
    """Those that the model offers, the cheapest first. Items are brought to the network as `config` says."""
    found: dict[tuple[str, ...], Choice] = {}
    for kind in LIKE:
        try:
            plan = plan_for(row, kind, lr_scale=_share(row, kind))
        except ModelError:  # it has nothing beside which an adapter could stand
            continue
        found[tuple(block.state for block in plan.blocks)] = Choice(kind, replace(plan, head=head), settings(row, kind, config))
    return tuple(found.values())


def settings(row: ModelRow, kind: PlanKind, config: TrainConfig) -> TrainConfig:
    """The preset's settings for a plan of this kind; how items are brought to the network, the adapters' width and the seed stay as in `config`."""
    items = taken(config)
    return replace(preset_config(row, LIKE[kind]), preset="custom", input_size=items.input_size, max_tokens=items.max_tokens,
                   long_texts=items.long_texts, lora_rank=config.lora_rank, lora_alpha=config.lora_alpha, seed=config.seed)


def _share(row: ModelRow, kind: PlanKind) -> float:
    """At which share of the rate what is pretrained learns; adapters begin at nothing and need no such care."""
    if kind == "lora":
        return gentle(row, "lora")
    return min((block.lr_scale for block in preset_plan(row, LIKE[kind]).blocks if block.state == "trained"), default=gentle(row, "trained"))
