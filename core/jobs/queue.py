"""Which waiting run is next, and when it may begin. Torch-free; the supervisor decides by it and pages show it.

Fair between people: whoever has fewer runs at work goes first, then whoever has used the machine less lately; of one person the runs
stand in their order, which they may change.
"""
from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from core.errors import SettingsError, UserError
from core.jobs.about import about, say
from core.jobs.life import LIVING, IllegalChange, state_of, worker_of
from core.jobs.options import options
from core.jobs.usage import Predicted
from core.specs import RunSpec, from_json, to_json
from core.workspace import Workspace, write_atomic

HALF_LIFE_S = 600.0
"""Use of the machine counts half after so long."""
UNKNOWN_S = 60.0
"""What a run is taken to need of which nothing was predicted."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run in the queue. `place`: those with lower ones are earlier; `seconds`: what it is expected to take."""
    folder: Path
    owner: str
    place: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Use:
    """How long each person's runs were at work lately, seconds; `t`: when that was true, Unix time."""
    t: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)

    def at(self, t: float) -> Use:
        faded = 0.5 ** (max(0.0, t - self.t) / HALF_LIFE_S)
        return Use(t, {owner: used * faded for owner, used in self.seconds.items() if used * faded > 0.1})

    def plus(self, owner: str, seconds: float) -> Use:
        return replace(self, seconds=self.seconds | {owner: self.seconds.get(owner, 0.0) + seconds})


@dataclass(frozen=True, slots=True)
class Turn:
    """`ahead`: so many others begin before it; `wait_s`: until it begins, as is expected."""
    ahead: int
    wait_s: float


def slots(ws: Workspace) -> int:
    """How many runs learn at once: as many as there are GPUs, else one; or what the settings say."""
    return options(ws).slots or len(gpus()) or 1


def gpus() -> list[str]:
    """The numbers of the NVIDIA cards of this machine."""
    found = Path("/proc/driver/nvidia/gpus")
    return [str(i) for i in range(len(list(found.iterdir())))] if found.is_dir() else []


def in_order(waiting: Sequence[Waiting], at_work: Mapping[str, int], use: Use) -> list[Waiting]:
    """As they will begin. `at_work`: how many runs of each person are under way."""
    left, busy, found = list(waiting), dict(at_work), list[Waiting]()
    while left:
        chosen = min(left, key=lambda one: (busy.get(one.owner, 0), use.seconds.get(one.owner, 0.0), one.place))
        left.remove(chosen)
        found.append(chosen)
        busy[chosen.owner] = busy.get(chosen.owner, 0) + 1
        use = use.plus(chosen.owner, chosen.seconds)  # by the time the next one is chosen
    return found


def turns(ws: Workspace) -> dict[str, Turn]:
    """When each waiting run will begin, by its id."""
    waiting, running = _look(ws)
    at_work = [_owner(folder) for folder in running]
    free = sorted([_left(folder) for folder in running] + [0.0] * max(0, slots(ws) - len(running)))
    ordered, found = in_order(waiting, {owner: at_work.count(owner) for owner in at_work}, last_use(ws)), {}
    for ahead, one in enumerate(ordered):
        starts = free.pop(0)
        found[one.folder.name] = Turn(ahead, starts)
        free = sorted([*free, starts + one.seconds])
    return found


def at_work(ws: Workspace) -> list[str]:
    """The ids of the runs that are under way, whoever's, the one that began first before the others."""
    running = [(worker.since, folder.name) for folder in _look(ws)[1] if (worker := worker_of(folder))]
    return [run_id for _, run_id in sorted(running)]


def move(ws: Workspace, run: RunSpec, up: bool) -> None:
    """Let a waiting run change places with its owner's run before or behind it. Nothing happens at the end."""
    own = sorted((one for one in _look(ws)[0] if one.owner == run.owner), key=lambda one: one.place)
    mine = next((i for i, one in enumerate(own) if one.folder.name == run.id), None)
    if mine is None:
        raise IllegalChange("This run does not wait any more.", "It has begun, or was taken out of the queue.", "Reload the page.")
    other = mine - 1 if up else mine + 1
    if 0 <= other < len(own):
        say(own[mine].folder, place=own[other].place)
        say(own[other].folder, place=own[mine].place)


def place_of(folder: Path) -> float:
    """The time at which it was submitted, unless it was moved."""
    return about(folder).place or (folder / "run.json").stat().st_mtime


def last_use(ws: Workspace) -> Use:
    try:
        return from_json(Use, (ws.root / "use.json").read_bytes()).at(time.time())
    except (FileNotFoundError, SettingsError):
        return Use(time.time())


def note_use(ws: Workspace, use: Use) -> None:
    write_atomic(ws.root / "use.json", to_json(use))


def waiting_one(folder: Path) -> Waiting:
    """Raises `SettingsError` for a damaged run, `FileNotFoundError` for one that is gone."""
    return Waiting(folder, _owner(folder), place_of(folder), _expected(folder))


def _look(ws: Workspace) -> tuple[list[Waiting], list[Path]]:
    """Who waits, and who is at work; what can't be read does neither."""
    waiting, running = list[Waiting](), list[Path]()
    for path in ws.runs.glob("*/run.json"):
        if (path.parent / "exit.json").is_file():
            continue
        try:
            state = state_of(path.parent)
            if state == "queued":
                waiting.append(waiting_one(path.parent))
            elif state in LIVING:
                running.append(path.parent)
        except (UserError, FileNotFoundError):
            continue
    return waiting, running


@lru_cache(maxsize=4096)
def _owner(folder: Path) -> str:
    """`run.json` is never rewritten."""
    return from_json(RunSpec, (folder / "run.json").read_bytes()).owner


def _expected(folder: Path) -> float:
    try:
        return from_json(Predicted, (folder / "predicted.json").read_bytes()).estimate.total
    except (FileNotFoundError, SettingsError):
        return UNKNOWN_S


def _left(folder: Path) -> float:
    worker = worker_of(folder)
    return max(1.0, _expected(folder) - (time.time() - worker.since if worker and worker.since else 0.0))


def threads_each(ws: Workspace) -> int:
    """How many of the cores each of the runs at work may take."""
    return max(1, (os.cpu_count() or 1) // slots(ws)) if not gpus() else os.cpu_count() or 1
