"""What is asked of a short look at the data, and what comes out of it. Torch-free: pages ask and read.

An advice is found by a module's `advise(ws, ask)`, a generator: it yields `Looking` while it works and its finding, first in part and at
last whole, whenever there is more to show. `core.jobs.advice` runs it in a process of its own.
"""
from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Literal

from core.errors import Fault, UserError, out_of_memory
from core.specs import DataSpec, FreezePlan, TrainConfig, to_json

AdviceKind = Literal["rank", "depth", "freeze", "rate"]
RATES = (1e-6, 10.0)
"""Lowest and highest learning rate that is tried."""
TOO_LARGE = Fault("Memory ran out.", "This machine has too little memory for this model.", "Choose a smaller model.")


@dataclass(frozen=True, slots=True)
class Ask:
    """`models`: keys of those that are looked at. `budget_s`: after so many seconds nothing new is begun; 0: no limit. `plan`: for what asks
    about one training."""
    data: DataSpec
    models: tuple[str, ...]
    config: TrainConfig
    plan: FreezePlan | None = None
    budget_s: float = 60.0
    pretrained: bool = True

    def key(self, kind: AdviceKind) -> str:
        """The same question has the same key; how much time it may take is no part of it."""
        return hashlib.sha256(kind.encode() + to_json(replace(self, budget_s=0.0))).hexdigest()[:20]


def taken(config: TrainConfig) -> TrainConfig:
    """Settings of which only those are kept that say how an item is brought to the network."""
    return TrainConfig(input_size=config.input_size, max_tokens=config.max_tokens, long_texts=config.long_texts)


def explained(error: Exception) -> Fault:
    """What a user can be told of it, so that the look goes on without what failed. Raises the error itself where that is nothing."""
    if isinstance(error, UserError):
        return Fault.of(error)
    if out_of_memory(error):
        return TOO_LARGE
    raise error


@dataclass(frozen=True, slots=True)
class Looking:
    """How far it is: `done` of `total` steps; `about` is the model, plan or block that is looked at now, as its key."""
    done: int
    total: int
    about: str = ""


@dataclass(frozen=True, slots=True)
class Score:
    """By the objective's metric, with its 95 % range; None where it can't be told."""
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a model's features fit the data as they are. `logme`: the mean log evidence of a linear model on them, an item.
    `item_s`: seconds an item to compute them."""
    model: str
    score: Score
    logme: float
    item_s: float
    parameters: int


@dataclass(frozen=True, slots=True)
class Ranking:
    """Best first. `n`: items that were looked at. `untried`: what there was no time for (None), or why it failed."""
    fits: tuple[Fit, ...]
    n: int
    untried: tuple[tuple[str, Fault | None], ...] = ()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Depths:
    """The score of a linear model on what each block gives: by the block's name, input first."""
    model: str
    scores: tuple[tuple[str, Score], ...]
    n: int
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """A short training. `points`: (seconds from its start, score on the items held back) at the end of each epoch. `score`: in the end; None
    while it trains. `cut`: the time was up before its last epoch."""
    kind: str
    plan: FreezePlan
    learning_rate: float
    points: tuple[tuple[float, float], ...]
    score: Score | None
    cut: bool = False


@dataclass(frozen=True, slots=True)
class FreezeAdvice:
    """The cheapest first. `n_train`, `n_held`: items that were learned from and scored on. `best`: the kind that is recommended; empty while
    unknown. `late`: kinds for which there was no time, with the seconds that each would have taken; `failed`: kinds that could not be tried."""
    trials: tuple[Trial, ...]
    n_train: int
    n_held: int
    best: str = ""
    late: tuple[tuple[str, float], ...] = ()
    failed: tuple[tuple[str, Fault], ...] = ()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class RateCurve:
    """Smoothed losses at rising learning rates, (rate, loss). `suggested`: None where the curve has no clear descent. `cut`: the time was up
    before the training broke."""
    points: tuple[tuple[float, float], ...]
    suggested: float | None = None
    cut: bool = False
    whole: bool = False


Finding = Ranking | Depths | FreezeAdvice | RateCurve
