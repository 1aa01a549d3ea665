"""Memory runs out: the system kills the worker, or refuses it more. Fewer items are computed at once, and the batch stays what it was."""
from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from safetensors.torch import load_file

from core import events
from core.jobs import supervisor
from core.jobs.assemble import most_at_once
from core.jobs.life import ENDED, MEMORY_LOST, state_of
from core.jobs.processes import PROJECT
from core.jobs.room import items_at_once
from core.jobs.runs import LAST, resume
from core.jobs.supervisor import _look, _Seen
from core.specs import DataSpec, RunSpec
from core.workspace import Workspace
from tests.core.jobs.queued import cleaned_up, dataset
from tests.faults.lives import PICTURES, kill, put, set_for
from tests.faults.record import Record, Trial
from tests.faults.words import page_says

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
RECIPE = "statistics kept"
CLOSE = 1e-5
"""Sums of a few items at a time are rounded otherwise; where statistics are learned of each few, there would be more to it."""
REFUSED = """
import sys
from pathlib import Path
import torch
from core.jobs.worker import run
from core.models.blocks import Network
whole = Network.run
def run_few(self, batch, *words, **named):
    if torch.is_grad_enabled() and len(batch) > 3:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")
    return whole(self, batch, *words, **named)
Network.run = run_few
run(Path(sys.argv[1]))
"""
"""A worker on a machine where more than three items at once are too many to learn from."""


@dataclass(slots=True)
class Rounds:
    """A workspace whose supervisor is this process: round by round, so that what the kernel counts can be said."""
    ws: Workspace
    data: DataSpec
    seen: _Seen = field(default_factory=_Seen)

    def until(self, true: Callable[[], object], seconds: float = 300.0) -> None:
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, "it did not happen in time"
            with set_for(self.ws):
                _look(self.ws, self.seen)
            time.sleep(0.05)

    def folder(self, run: RunSpec) -> Path:
        return self.ws.run(run.id)

    def log(self, run: RunSpec) -> list[events.Event]:
        return events.read(self.folder(run) / "events.jsonl")

    def end(self) -> None:
        for process in filter(None, [self.seen.warm, *self.seen.workers.values()]):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def rounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rounds]:
    root = tmp_path_factory.mktemp("hungry")
    ws = Workspace.open(root / "workspace")
    made = Rounds(ws, dataset(ws, root / "data", n=PICTURES))
    with cleaned_up(ws):
        yield made
        made.end()


@pytest.fixture(scope="module")
def whole(rounds: Rounds) -> RunSpec:
    """The same run with memory enough."""
    run = put(rounds.ws, rounds.data, RECIPE)
    rounds.until(lambda: state_of(rounds.folder(run)) in ENDED)
    assert state_of(rounds.folder(run)) == "finished" and not [event for event in rounds.log(run) if isinstance(event, events.Smaller)]
    return run


def compare(folder: Path, whole: Path, trial: Trial) -> None:
    """It learned from the same batches: the weights are the same but for rounding."""
    assert state_of(folder) == "finished", (folder / "events.jsonl").read_text("utf-8")[-3000:]
    trial.finished = True
    here, there = (load_file(one / "best" / "model.safetensors") for one in (folder, whole))
    assert here.keys() == there.keys()
    assert max(float((here[name] - there[name]).abs().max()) for name in here) < CLOSE
    ends = [[(event.epoch, event.step) for event in events.read(one / "events.jsonl") if isinstance(event, events.EpochEnd)] for one in (folder, whole)]
    assert ends[0] == ends[1]
    trial.same = True


def test_where_the_system_kills_for_memory_fewer_items_are_computed_at_once(rounds: Rounds, whole: RunSpec, faults: Record,
                                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    count = itertools.count(1)
    with faults.trial("memory") as trial:
        run = put(rounds.ws, rounds.data, RECIPE)
        folder, most = rounds.folder(run), []
        for _ in range(2):
            saved = (folder / LAST).stat().st_mtime_ns if (folder / LAST).exists() else 0
            rounds.until(lambda: (folder / LAST).exists() and (folder / LAST).stat().st_mtime_ns > saved)
            assert kill(folder) is not None
            monkeypatch.setattr(supervisor, "kills", lambda n=next(count): 10**9 + n)
            trial.hit("killed")
            rounds.until(lambda: state_of(folder) not in ("interrupted", "queued"))
            most.append(items_at_once(folder))
        rounds.until(lambda: state_of(folder) in ENDED)
        compare(folder, rounds.folder(whole), trial)
        whys = [event.why for event in rounds.log(run) if isinstance(event, events.Changed) and event.state == "interrupted"]
        assert most == [4, 2] and whys == [MEMORY_LOST] * 2
        following = put(rounds.ws, rounds.data, RECIPE)
        assert most_at_once(rounds.ws, following, rounds.folder(following), begins=True) == 2, "the next one of its kind begins so"
        rounds.until(lambda: state_of(rounds.folder(following)) in ENDED)
        compare(rounds.folder(following), rounds.folder(whole), Trial())


def test_where_the_system_refuses_memory_fewer_items_are_computed_at_once(rounds: Rounds, whole: RunSpec, faults: Record, tmp_path: Path) -> None:
    """In a workspace that knows nothing of that yet."""
    ws = Workspace.open(tmp_path / "workspace")
    data = dataset(ws, tmp_path / "data", n=PICTURES)
    with faults.trial("memory") as trial:
        run, following = put(ws, data, RECIPE), put(ws, data, RECIPE)
        here = Rounds(ws, data)
        for one in (run, following):
            subprocess.run([sys.executable, "-c", REFUSED, str(ws.run(one.id))], cwd=PROJECT, check=True, timeout=300)
        trial.hit("refused")
        told = [[event.items for event in here.log(one) if isinstance(event, events.Smaller)] for one in (run, following)]
        assert told == [[4, 2], [2]], "the size is remembered, and said at once"
        for one in (following, run):
            compare(ws.run(one.id), rounds.folder(whole), trial)


def test_where_even_one_item_is_too_much_it_says_so_and_can_be_resumed(rounds: Rounds, whole: RunSpec, faults: Record,
                                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    """By somebody who has closed other programs."""
    with faults.trial("memory") as trial, monkeypatch.context() as patch:
        patch.setattr(supervisor, "kills", lambda: 10**9)
        run = put(rounds.ws, rounds.data, RECIPE)
        folder = rounds.folder(run)
        while state_of(folder) != "failed":
            rounds.until(lambda: state_of(folder) == "running" and (folder / LAST).exists() or state_of(folder) in ENDED)
            if kill(folder):
                trial.hit("killed to the last")
            rounds.until(lambda: state_of(folder) not in ("interrupted", "queued"))
        page_says(rounds.ws, faults, run, "Out of memory.", "Close other programs and resume it", "Your data is safe.", failed=True)
        patch.undo()
        resume(rounds.ws, run)
        rounds.until(lambda: state_of(folder) in ENDED)
        assert items_at_once(folder) == 1
        compare(folder, rounds.folder(whole), trial)
