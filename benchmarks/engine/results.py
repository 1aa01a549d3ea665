"""What was measured, beside the targets, and as the tables of RESULTS.md. Pure: nothing is measured or written here."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import Literal

from benchmarks.engine.cases import CONTENDERS, Case, Job, Measured

Column = Literal["fast bf16", "no fast bf16"]
"""Of the targets: which one a machine belongs to is timed."""
Runs = Sequence[tuple[Job, Measured]]
"""Of one contender in one case, a seed each."""
FP32 = {"head": {"pictures": 25, "texts": 20}, "last-stage": {"pictures": 5, "texts": 5}, "all": {"pictures": 2.5, "texts": 2}}
"""So many times as fast as the best peer in fp32, where bf16 is fast; …"""
ANY: dict[Column, dict[str, float]] = {
    "fast bf16": {"head": 8, "last-stage": 2, "all": 1}, "no fast bf16": {"head": 8, "last-stage": 1.8, "all": 1}}
"""… as the best one of any kind; …"""
FEATURES: dict[Column, float] = {"fast bf16": 2, "no fast bf16": 1}
"""… as features and LogisticRegression."""
FLOOR = 1.25
FIRST_POINT_S: dict[Column, float] = {"fast bf16": 2, "no fast bf16": 3}
SECOND_RUN_S = 2.0
SHOWN = 8
"""Operations of a profile."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of results.json. `ratio`: peer / ours; against the floor ours / floor. `target`: of the ratio, or seconds where there is
    nobody to compare with; None: there is none."""
    case: str
    peer: str
    ours_s: float
    peer_s: float | None
    ratio: float | None
    target: float | None
    met: bool | None
    ours_score: float | None
    peer_score: float | None


def scaled(job: Job, one: Measured) -> bool:
    return bool(job.budget_s) and one.epochs < job.epochs


def seconds_of(runs: Runs) -> float:
    return median(one.seconds for _, one in runs)


def score_of(runs: Runs) -> float | None:
    """The mean over seeds; None for random weights, and for runs that were not carried to their end."""
    scores = [one.score for job, one in runs if one.score is not None and job.case.pretrained and not scaled(job, one)]
    return mean(scores) if scores else None


def compared(case: Case, found: Mapping[str, Runs], column: Column) -> list[Row]:
    """Every peer beside ours; then the best ones, and what else has a target."""
    ours, peers = found["ours"], {key: runs for key, runs in found.items() if CONTENDERS[key].peer and key != "features"}
    rows = [_row(case, CONTENDERS[key].title, ours, runs) for key, runs in peers.items()]
    fp32 = {key: runs for key, runs in peers.items() if not CONTENDERS[key].bf16 and column == "fast bf16"}
    for kind, some, target in (("in fp32", fp32, FP32[case.plan][case.what]), ("of any kind", peers, ANY[column][case.plan])):
        if some:
            best = min(some, key=lambda key: seconds_of(some[key]))
            rows.append(_row(case, f"best {kind}: {CONTENDERS[best].title}", ours, some[best], target))
    if "features" in found:
        rows.append(_row(case, CONTENDERS["features"].title, found["instant"], found["features"], FEATURES[column]))
    if "floor" in found:
        least = seconds_of(found["floor"])
        ratio = seconds_of(ours) / least
        rows.append(Row(case.name, "floor", seconds_of(ours), least, ratio, FLOOR, ratio <= FLOOR, score_of(ours), None))
    return rows


def _row(case: Case, peer: str, ours: Runs, theirs: Runs, target: float | None = None) -> Row:
    ratio = seconds_of(theirs) / seconds_of(ours)
    met = None if target is None else ratio >= target
    return Row(case.name, peer, seconds_of(ours), seconds_of(theirs), ratio, target, met, score_of(ours), score_of(theirs))


def of_queue(stages: Mapping[str, float], column: Column) -> list[Row]:
    wanted = (("click to the first point, built-in model", "first run: first point", FIRST_POINT_S[column]),
              ("second run, same boundary, new head, in all", "second run: ended", SECOND_RUN_S))
    return [Row(name, "", stages[stage], None, None, target, stages[stage] <= target, None, None) for name, stage, target in wanted]


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in (heads, ["---"] * len(heads), *rows))


def targets_table(rows: Sequence[Row]) -> str:
    """`at the floor`: the ratio that a run of nothing but the floor would have."""
    lines, floors = [], {row.case: row.peer_s for row in rows if row.peer == "floor"}
    for row in rows:
        at_most, unit, floor = row.peer in ("floor", ""), "s" if row.ratio is None else "×", floors.get(row.case)
        if row.target is not None:
            lines.append((row.case, row.peer, _s(row.ours_s), _s(row.peer_s), "" if row.ratio is None else f"{row.ratio:.2f}×",
                          f"{'≤' if at_most else '≥'} {row.target:g} {unit}", "met" if row.met else "**missed**",
                          f"{row.peer_s / floor:.2f}×" if floor and row.peer_s and not at_most else ""))
    return table(("case", "against", "Graft", "the other", "ratio", "target", "", "at the floor"), lines)


def case_table(found: Mapping[str, Runs]) -> str:
    lines = []
    for key, runs in found.items():
        (job, one), score = runs[0], score_of(runs)
        notes = [f"{job.workers} loader workers"] * bool(job.workers)
        notes += [f"{one.epochs} of {job.epochs} epochs measured, and scaled"] * scaled(job, one)
        lines.append((CONTENDERS[key].title, one.precision, _s(seconds_of(runs)), f"{seconds_of(runs) / seconds_of(found['ours']):.2f}×",
                      "" if score is None else f"{score:.3f} ({len(runs)})", _s(one.start_up_s), "; ".join(notes)))
    return table(("who", "arithmetic", "seconds", "to Graft's", "validation score (seeds)", "start-up", ""), lines)


def seconds_table(found: Mapping[str, Mapping[str, float]]) -> str:
    """A line a case, a column for each name that has seconds."""
    names = list(dict.fromkeys(name for some in found.values() for name in some))
    return table(("case", *names), [(case, *(_s(some.get(name)) for name in names)) for case, some in found.items()])


def profile_table(operations: Mapping[str, float]) -> str:
    """The most expensive ones, with their shares of all processor time."""
    most = sorted(operations, key=lambda name: -operations[name])[:SHOWN]
    return table(("operation", "share"), [(f"`{name}`", f"{operations[name] / sum(operations.values()):.0%}") for name in most])


def _s(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"
