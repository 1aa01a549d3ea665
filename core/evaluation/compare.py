"""Runs beside one another: in which settings they differ, and whether their scores differ by more than luck. Torch-free."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from core.data.versions import load_version
from core.evaluation.report import Judged, Report
from core.models.from_runs import is_run, run_id_of
from core.objectives import objective
from core.specs import Augmentation, HeadPlan, RunSpec, TrainConfig, from_json
from core.training.advice.alike import LEVEL, Floats, figures, gain, gain_range, holm, p_value
from core.workspace import Workspace

LEAST = 10
"""Items that both must have answered: fewer tell nothing."""
UNUSED: Final = "unused"
"""Stands in the place of a setting's value in a run that makes no use of it."""
Refusal = Literal["objective", "labels", "sides", "unknown", "few"]
"""Why two scores can't be compared: other questions; other labels or units; one on test items and one on those that chose its epoch; nobody
knows any more what one has learned from; too few items that both answered."""
OF_TASK: dict[str, frozenset[str]] = {
    "image": frozenset({"input_size", *(f"augmentation.{field.name}" for field in fields(Augmentation))}),
    "text": frozenset({"max_tokens", "long_texts"})}
"""Settings that only runs of one task have."""
NOT_AT_ONCE = frozenset({"epochs", "learning_rate", "momentum", "schedule", "weight_decay", "batch_size", "patience", "first_model"})
"""Settings that count once more learns than a head that is fitted to all items at once."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting in which runs differ. `key`: "data", "objective", "model", "trains", "from_epoch", "lr_scale", "anchor", "batch_norm", "head."
    and a field of `HeadPlan`, "augmentation." and one of `Augmentation`, or one of `TrainConfig`. `values`: of each run, in their order, as the
    specs have them, or `UNUSED`; of the blocks that learn, pairs of name and value, where it is not the usual one."""
    key: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Contender:
    """A run's report, and the items that it has learned from, by their SHA-256; None where nobody knows them any more."""
    report: Report
    learned: frozenset[str] | None = frozenset()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Two runs by their answers to the same items. `better`, `other`: their places. `n`: items that both answered and neither has learned
    from, one that stands there twice counted once; `learned`: those that one has learned from, so that asking for them would be unfair.
    `gain`: by how much one is better, in the metric's own unit, between `low` and `high` with 95 % confidence, or more where there are
    several verdicts. `p`: how often luck makes such a difference, all verdicts taken together (Holm). With a `refusal` nothing is known of
    these."""
    better: int
    other: int
    n: int
    learned: int
    refusal: Refusal | None = None
    gain: float = 0.0
    low: float = 0.0
    high: float = 0.0
    p: float = 1.0

    @property
    def surely(self) -> bool:
        """Whether luck does not explain the difference."""
        return self.refusal is None and self.p < LEVEL


def differences(runs: Sequence[RunSpec], at_once: Sequence[bool] = ()) -> list[Difference]:
    """The settings that differ between runs which both make use of them. `at_once`: of each run whether its head is fitted to all items at
    once (`core.training.presets.fitted_at_once`)."""
    tables = [_settings(run) for run in runs]
    for table, run, fitted in zip(tables, runs, at_once or [False] * len(runs)):
        table.update(dict.fromkeys(_unused(run, fitted), UNUSED))
    rows = [Difference(key, tuple(table[key] for table in tables)) for key in tables[0]]
    return [row for row in rows if len(set(row.values) - {UNUSED}) > 1]


def _settings(run: RunSpec) -> dict[str, Any]:
    """Every setting of a run, the broadest first."""
    plan, config = run.plan, run.config
    learning = [block for block in plan.blocks if block.state != "frozen"]
    config_keys = [field.name for field in fields(TrainConfig) if field.name not in ("preset", "augmentation")]
    return {
        "data": run.data, "objective": run.data.objective, "model": run.model, "preset": config.preset,
        "trains": tuple((block.name, block.state) for block in learning),
        "from_epoch": tuple((block.name, block.from_epoch) for block in learning if block.from_epoch),
        "lr_scale": tuple((block.name, block.lr_scale) for block in learning if block.lr_scale != 1),
        "anchor": tuple((block.name, block.anchor) for block in learning if block.anchor and block.state == "trained"),
        "batch_norm": plan.batch_norm,
        **{f"head.{field.name}": getattr(plan.head, field.name) for field in fields(HeadPlan)},
        **{key: getattr(config, key) for key in config_keys},
        **{f"augmentation.{field.name}": getattr(config.augmentation, field.name) for field in fields(Augmentation)}}


def _unused(run: RunSpec, at_once: bool) -> frozenset[str]:
    config, asked = run.config, objective(run.data.objective)
    idle: Mapping[str, bool] = {
        "momentum": config.optimizer not in ("sgd", "rmsprop"), "lora_rank": not run.plan.adapted(), "lora_alpha": not run.plan.adapted(),
        "head.width": run.plan.head.kind == "linear", "head.dropout": run.plan.head.kind == "linear",
        "label_smoothing": not asked.smoothing, "class_weights": not asked.weights, "augmentation.fill": not config.augmentation.active}
    of_others = (keys for task, keys in OF_TASK.items() if task != run.data.task)
    return frozenset(key for key, rests in idle.items() if rests).union(*of_others, NOT_AT_ONCE if at_once else ())


def learned_from(ws: Workspace, run: RunSpec) -> frozenset[str]:
    """The items that a run has learned from, by their SHA-256, and those that the runs had from which it went on. Of a run that is gone
    nobody knows them. Raises `NotFound` when the data is gone."""
    learned = frozenset(item.sha for item in load_version(ws, run.data).split("train"))
    if not (is_run(run.model.key) and run.model.pretrained):
        return learned
    path = ws.run(run_id_of(run.model.key)) / "run.json"
    return learned | learned_from(ws, from_json(RunSpec, path.read_bytes())) if path.is_file() else learned


def luck(contenders: Sequence[Contender]) -> list[Verdict]:
    """Every two of the runs by their answers to the same items: which is better, by how much, and whether luck explains that. The more of
    them there are, the clearer a difference has to be."""
    pairs = [_pair(one, other, contenders) for one, other in combinations(range(len(contenders)), 2)]
    raised = iter(holm([pair.p for pair in pairs if isinstance(pair, _Pair)]))
    return [_verdict(pair, next(raised)) if isinstance(pair, _Pair) else pair for pair in pairs]


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two runs by themselves, the better one first: the figures of their answers, and how often luck alone makes the difference."""
    places: tuple[int, int]
    figures: tuple[Floats, Floats]
    asked: str
    learned: int
    p: float


def _pair(one: int, other: int, contenders: Sequence[Contender]) -> _Pair | Verdict:
    a, b = contenders[one], contenders[other]
    asked, known = a.report.objective, (a.learned or frozenset()) | (b.learned or frozenset())
    ours, theirs = _answers(a.report), _answers(b.report)
    both = [key for key in ours if key in theirs and key[0] not in known]
    learned = len({sha for sha, _truth in (*ours, *theirs)} & known)
    refusal = _refusal(a, b, len(both))
    if refusal:
        return Verdict(one, other, len(both), learned, refusal)
    truths = _truths([ours[key] for key in both], len(a.report.labels))
    first, second = (figures(np.array([side[key].probabilities for key in both]), truths, asked) for side in (ours, theirs))
    p = p_value(first, second, asked)
    worse = gain(first, second, asked) < 0
    return _Pair((other, one), (second, first), asked, learned, p) if worse else _Pair((one, other), (first, second), asked, learned, p)


def _verdict(pair: _Pair, p: float) -> Verdict:
    """With the p-value that counts among all, and a range that is as sure as this asks for. It holds 0 where luck is not ruled out: where
    few answers differ, drawing items again takes too much for certain."""
    low, high = gain_range(*pair.figures, pair.asked, 1 - LEVEL * pair.p / p)
    low = low if p < LEVEL else min(low, 0.0)
    return Verdict(*pair.places, len(pair.figures[0]), pair.learned, None, gain(*pair.figures, pair.asked), low, high, p)


def _refusal(one: Contender, other: Contender, n: int) -> Refusal | None:
    a, b = one.report, other.report
    reasons: tuple[tuple[Refusal, bool], ...] = (
        ("objective", a.objective != b.objective), ("labels", (a.labels, a.unit) != (b.labels, b.unit)), ("sides", a.split != b.split),
        ("unknown", one.learned is None or other.learned is None), ("few", n < LEAST))
    return next((reason for reason, holds in reasons if holds), None)


def _answers(report: Report) -> dict[tuple[str, int | tuple[int, ...] | float], Judged]:
    """The answers by item and by what was true of it then. Items without a SHA-256 can't be found again."""
    return {(item.sha, item.truth): item for item in report.predictions if item.sha}


def _truths(items: Sequence[Judged], n_labels: int) -> NDArray:
    """As `core.evaluation.judge` takes them."""
    return np.array([[label in item.truth for label in range(n_labels)] if isinstance(item.truth, tuple) else item.truth for item in items])
