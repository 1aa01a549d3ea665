"""What to change for a rerun: the run's own plan or settings with one thing made otherwise. Torch-free: pages offer it."""
from __future__ import annotations

from dataclasses import dataclass, field, replace

from core.models.rows import ModelRow
from core.specs import Augmentation, BlockPlan, BlockState, FreezePlan, PresetKey, RunSpec, TrainConfig
from core.training.advice.choices import settings
from core.training.presets import PRESETS, fitted_at_once, gentle, groups, is_new, planned, preset_config

MORE_DECAY, MOST_DECAY = 10, 0.1
MOST_EPOCHS = 1000
RATES = (1e-8, 10.0)
CHANGES = Augmentation(flip=True, rotation_deg=10, shift=0.08, zoom=0.15, colour=0.3)


@dataclass(frozen=True, slots=True)
class Advice:
    """What a button offers. `label` is a template of the translation catalogue, filled by `params`; `plan` and `config` are whole new ones
    of a rerun, None where the run's own stays. `goes_on`: nothing but more epochs, so that a run can go on where this one ended."""
    label: str
    plan: FreezePlan | None = None
    config: TrainConfig | None = None
    params: dict[str, str | int | float] = field(default_factory=dict)
    goes_on: bool = False


def head_alone(row: ModelRow, run: RunSpec) -> bool:
    """Whether labels teach nothing that is pretrained: the head learns alone, at once or after the pairs."""
    return run.config.method == "contrastive" or not _learning(row, run.plan)


def at_rate(run: RunSpec, rate: float) -> Advice | None:
    """Another learning rate, in two digits; None where it is the run's own."""
    rate = min(max(float(f"{rate:.2g}"), RATES[0]), RATES[1])
    if rate == run.config.learning_rate:
        return None
    return Advice("Rerun with learning rate {rate}", config=_own(run, learning_rate=rate), params={"rate": f"{rate:g}"})


def longer(run: RunSpec) -> Advice | None:
    epochs = min(2 * run.config.epochs, MOST_EPOCHS)
    if epochs == run.config.epochs:
        return None
    return Advice("Train longer: {n} epochs", config=_own(run, epochs=epochs), params={"n": epochs}, goes_on=True)


def shorter(run: RunSpec, epochs: int) -> Advice | None:
    return Advice("Try: {n} epochs", config=_own(run, epochs=epochs), params={"n": epochs}) if epochs < run.config.epochs else None


def more_patience(run: RunSpec) -> Advice | None:
    n = min(2 * run.config.patience, MOST_EPOCHS)
    if n <= run.config.patience:
        return None
    return Advice("Try: wait {n} epochs for a gain", config=_own(run, patience=n), params={"n": n})


def in_steps(run: RunSpec) -> Advice:
    """What can't be fitted at once may be learned step by step."""
    return Advice("Try: learn in steps, with AdamW", config=_own(run, optimizer="adamw"))


def frozen_more(row: ModelRow, run: RunSpec) -> Advice | None:
    """The first of the pretrained parts that learn rests."""
    part = next(iter(_learning(row, run.plan)), None)
    if part is None or run.config.method == "contrastive":
        return None
    plan = _resting(run.plan, {facts.name for facts in row.blocks if facts.group == part and not is_new(row, facts)})
    return Advice("Try: freeze one more part", plan) if plan else None


def without_late(run: RunSpec, from_epoch: int) -> Advice | None:
    """The blocks that joined then rest."""
    plan = _resting(run.plan, {block.name for block in run.plan.blocks if block.from_epoch == from_epoch})
    return Advice("Try: leave these parts frozen", plan) if plan else None


def thawed_more(row: ModelRow, run: RunSpec) -> Advice | None:
    """The last of the pretrained parts that rest learns, as those do that learn already; None where all do, or none can."""
    resting = [name for name in _pretrained(row) if name not in _learning(row, run.plan)]
    if not resting or run.config.method == "contrastive":
        return None
    state: BlockState = "lora" if run.plan.adapted() else "trained"
    share = min((block.lr_scale for block, facts in zip(run.plan.blocks, row.blocks) if block.state == state and not is_new(row, facts)),
                default=gentle(row, state))
    blocks = tuple(planned(facts, state, share, 0) if facts.group == resting[-1] and not is_new(row, facts) else block
                   for block, facts in zip(run.plan.blocks, row.blocks))
    if blocks == run.plan.blocks:
        return None
    at_once = fitted_at_once(row, run.plan, run.config)  # what suits fits does not suit steps
    return Advice("Try: let one more part learn", replace(run.plan, blocks=blocks), settings(row, "last-stage", run.config) if at_once else None)


def changed_pictures(row: ModelRow, run: RunSpec) -> Advice | None:
    if row.task != "image" or run.config.augmentation.active:
        return None
    return Advice("Try: change the pictures a little each time", config=_own(run, augmentation=CHANGES))


def more_decay(run: RunSpec) -> Advice | None:
    decay = min(max(run.config.weight_decay, 1e-3) * MORE_DECAY, MOST_DECAY)
    if decay <= run.config.weight_decay:
        return None
    return Advice("Try: weight decay {decay}", config=_own(run, weight_decay=decay), params={"decay": f"{decay:g}"})


def usual_rate(row: ModelRow, run: RunSpec) -> float:
    """That of the preset which is most like the run."""
    like: PresetKey = run.config.preset if run.config.preset in PRESETS else "instant" if head_alone(row, run) else "balanced"
    return preset_config(row, like).learning_rate


def _own(run: RunSpec, **changes: object) -> TrainConfig:
    return replace(run.config, preset="custom", **changes)  # type: ignore[arg-type]


def _pretrained(row: ModelRow) -> list[str]:
    """Groups that can learn and have learned something, input first."""
    able = {facts.group for facts in row.blocks if facts.parameters and not is_new(row, facts)}
    return [name for name in groups(row) if name in able]


def _learning(row: ModelRow, plan: FreezePlan) -> list[str]:
    """Those of them that learn, in part at least."""
    some = {facts.group for block, facts in zip(plan.blocks, row.blocks) if block.state != "frozen" and not is_new(row, facts)}
    return [name for name in _pretrained(row) if name in some]


def _resting(plan: FreezePlan, names: set[str]) -> FreezePlan | None:
    """The plan with these blocks at rest; None where nothing would learn in the first epoch."""
    quieter = replace(plan, blocks=tuple(BlockPlan(block.name, "frozen") if block.name in names else block for block in plan.blocks))
    return quieter if quieter.trained_at(0) else None
