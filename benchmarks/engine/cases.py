"""What is measured: networks, what of them learns, and who trains them."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from core.specs import DataSpec
from core.training.presets import PlanKind

What = Literal["pictures", "texts"]
BATCH_SIZE = 32
PLANS: dict[PlanKind, dict[What, str]] = {
    "head": {"pictures": "frozen backbone", "texts": "frozen backbone"},
    "last-stage": {"pictures": "last stage", "texts": "last 2 encoder layers"},
    "all": {"pictures": "everything", "texts": "everything"}}


@dataclass(frozen=True, slots=True)
class Case:
    """`pretrained`: else its weights are random, and only its speed counts. What is pretrained learns at `LR_SCALE` of the rate."""
    what: What
    model: str
    plan: PlanKind
    learning_rate: float
    pretrained: bool = True

    @property
    def name(self) -> str:
        return f"{self.what}, {PLANS[self.plan][self.what]}, {self.model}"


LR_SCALE = 0.1
RATES: dict[What, dict[PlanKind, float]] = {
    "pictures": {"head": 3e-3, "last-stage": 3e-3, "all": 2e-3}, "texts": {"head": 3e-3, "last-stage": 1e-3, "all": 5e-4}}
"""Those of the presets."""
MODELS: tuple[tuple[What, str, bool], ...] = (
    ("pictures", "graft-resnet10", True), ("pictures", "mobilenet_v2", True), ("texts", "minilm", True), ("pictures", "resnet18", False))
CASES = tuple(Case(what, model, plan, RATES[what][plan], pretrained) for what, model, pretrained in MODELS for plan in PLANS)


@dataclass(frozen=True, slots=True)
class Contender:
    """`module` of this package answers `prepare(job)`: it loads all that is loaded before the clock starts, and gives back what is timed.
    `peer`: it runs in the peers' environment."""
    title: str
    module: str
    bf16: bool = False
    peer: bool = True
    what: tuple[What, ...] = ("pictures", "texts")
    plans: tuple[PlanKind, ...] = ("head", "last-stage", "all")


CONTENDERS = {
    "ours": Contender("Graft", "ours", peer=False),
    "instant": Contender("Graft, head fitted at once", "ours", peer=False, plans=("head",)),
    "floor": Contender("floor", "floor", peer=False, plans=("head",)),
    "queue": Contender("Graft, runs through the queue", "queue", peer=False, plans=()),
    "plain-fp32": Contender("PyTorch loop, fp32", "plain"),
    "plain-bf16": Contender("PyTorch loop, bf16", "plain", bf16=True),
    "trainer-fp32": Contender("Trainer, fp32", "trainer"),
    "trainer-bf16": Contender("Trainer, bf16", "trainer", bf16=True),
    "fastai-fp32": Contender("fastai, fp32", "fastai", what=("pictures",)),
    "features": Contender("features + LogisticRegression", "features", plans=("head",)),
}


def contenders_of(case: Case) -> tuple[str, ...]:
    return tuple(key for key, one in CONTENDERS.items() if case.what in one.what and case.plan in one.plans)


@dataclass(frozen=True, slots=True)
class Data:
    """`workspace`: where the items were imported, as `spec`. `files`: the same items, on the same sides, as peers read them: pictures as
    side/label/number, texts as side.jsonl."""
    workspace: str
    spec: DataSpec
    files: str
    n_labels: int
    n_train: int
    n_val: int


@dataclass(frozen=True, slots=True)
class Job:
    """One measurement. `workers`: of data loaders. `budget_s`: a peer that has used it up stops after that epoch, the second at the
    earliest (0: never). `n_items`: of each side, at most (0: all). Of the engine, `stores` and `own_precision` can be switched off, and
    `decoded_once`: pictures are then decoded whenever they are asked for. `profiled`: `Measured.stages` are operations."""
    case: Case
    contender: str
    data: Data
    epochs: int
    seed: int = 0
    workers: int = 0
    budget_s: float = 0.0
    n_items: int = 0
    stores: bool = True
    own_precision: bool = True
    decoded_once: bool = True
    profiled: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    """`seconds`: from the clock's start to the last validation score; scaled to the job's epochs where no more than `epochs` fell into its
    budget. `stages`: seconds by name. `load`: of the machine, when it ended."""
    seconds: float
    epochs: int
    score: float | None
    start_up_s: float
    last_epoch_s: float
    precision: str
    stages: dict[str, float] = field(default_factory=dict)
    load: float = 0.0
