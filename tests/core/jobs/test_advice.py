"""Advice in a process of its own: watched, kept, cancelled, killed."""
from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from core.errors import NotAllowed, NotFound
from core.jobs import advice, advice_items, processes
from core.jobs.advice import Advice
from core.jobs.processes import ProcessId, this_process
from core.specs import TrainConfig, to_json
from core.training import probe
from core.training.advice.findings import TOO_LARGE, Ask, Depths, Looking, Ranking, Score
from core.workspace import Workspace, write_atomic
from tests.core.training.advice.texts import OWNER, add_texts

PART = Depths("graft-words", (("pool", Score(0.5, 0.4, 0.6)),), 20)


def asked(ws: Workspace) -> Ask:
    return Ask(add_texts(ws), ("graft-words",), TrainConfig())


def left(ws: Workspace, ask: Ask, process: ProcessId | None, *, asked_at: float | None = None) -> None:
    """A look that somebody began, as it stands on the disk."""
    folder = advice._folder(ws, "depth", ask)
    folder.mkdir(parents=True)
    write_atomic(folder / "ask.json", to_json(ask))
    write_atomic(folder / "job.json", to_json(advice._Job(time.time() if asked_at is None else asked_at, process)))
    write_atomic(folder / "status.json", to_json(advice._Status(Looking(3, 9, "pool"))))
    write_atomic(folder / "finding.json", to_json(PART))


def test_a_look_begins_at_once_and_its_finding_is_kept(ws: Workspace) -> None:
    ask = asked(ws)
    assert advice.status(ws, "rank", ask) == Advice()
    advice.start(ws, "rank", ask, OWNER)
    assert advice.status(ws, "rank", ask).state == "running"
    process = advice._read(advice._Job, advice._folder(ws, "rank", ask) / "job.json").process  # type: ignore[union-attr]
    advice.start(ws, "rank", replace(ask, budget_s=5.0), OWNER)  # by another tab, which has another time in mind
    assert advice._read(advice._Job, advice._folder(ws, "rank", ask) / "job.json").process == process  # type: ignore[union-attr]
    deadline = time.monotonic() + 120
    while (now := advice.status(ws, "rank", ask)).state == "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert now.state == "done" and now.fault is None
    assert isinstance(now.finding, Ranking) and now.finding.whole and [fit.model for fit in now.finding.fits] == ["graft-words"]
    assert advice.status(ws, "rank", replace(ask, models=("graft-words-lstm",))) == Advice()  # another question


def test_what_is_known_so_far_is_shown_while_it_runs(ws: Workspace) -> None:
    ask = asked(ws)
    left(ws, ask, this_process())
    assert advice.status(ws, "depth", ask) == Advice("running", Looking(3, 9, "pool"), PART)


def test_a_look_whose_process_died_has_failed_in_words_and_keeps_what_it_found(ws: Workspace) -> None:
    ask = asked(ws)
    left(ws, ask, ProcessId(this_process().pid, 1.0))  # the pid is somebody else's now
    now = advice.status(ws, "depth", ask)
    assert (now.state, now.finding, now.fault) == ("failed", PART, advice.DIED) and "stopped unexpectedly" in str(now.error)


def test_a_look_that_never_began_has_failed(ws: Workspace) -> None:
    ask = asked(ws)
    left(ws, ask, None, asked_at=time.time() - processes.START_WITHIN_S - 1)
    assert advice.status(ws, "depth", ask).state == "failed"


def test_cancelling_ends_the_process_and_forgets(ws: Workspace) -> None:
    ask = asked(ws)
    child = psutil.Popen(["sleep", "60"])
    left(ws, ask, ProcessId(child.pid, child.create_time()))
    advice.cancel(ws, "depth", ask)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    child.wait(5)
    assert advice.status(ws, "depth", ask) == Advice()


def test_a_fault_that_a_user_can_mend_is_told_as_such(ws: Workspace) -> None:
    ask = Ask(add_texts(ws, 5), ("graft-words",), TrainConfig())
    folder = advice._folder(ws, "depth", ask)
    left(ws, ask, this_process())
    advice.run(ws, "depth", folder)
    now = advice.status(ws, "depth", ask)
    assert now.state == "failed" and now.fault is not None and now.fault.title == "There are too few items to compare depths by."


def test_any_other_fault_ends_the_look_and_is_left_in_the_log(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = asked(ws)
    left(ws, ask, this_process())
    monkeypatch.setitem(advice.KINDS, "depth", replace(advice.KINDS["depth"], module="core.no_such_module"))
    with pytest.raises(ModuleNotFoundError):
        advice.run(ws, "depth", advice._folder(ws, "depth", ask))
    assert advice.status(ws, "depth", ask).fault == advice.DIED


def test_a_look_for_which_memory_ran_out_says_so(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def runs_out(*_: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")
    ask = asked(ws)
    left(ws, ask, this_process())
    monkeypatch.setattr(advice_items, "prepare", runs_out)
    with pytest.raises(RuntimeError, match="allocate memory"):
        advice.run(ws, "depth", advice._folder(ws, "depth", ask))
    assert advice.status(ws, "depth", ask).fault == TOO_LARGE


def test_what_is_stored_meanwhile_goes_with_a_look_that_is_cancelled(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    ask, seen = asked(ws), list[str]()
    left(ws, ask, this_process())
    folder = advice._folder(ws, "depth", ask)
    monkeypatch.setattr(advice, "run", lambda *_: seen.append(tempfile.mkdtemp(prefix="advice-")))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(probe, "compute_as_runs_do", lambda: None)
    monkeypatch.setattr(advice.os, "nice", lambda _by: 0, raising=False)
    monkeypatch.setattr(advice.sys, "argv", ["advice", str(ws.root), "depth", folder.name])
    advice.main()
    assert Path(seen[0]).parent == folder


def test_only_the_owner_may_ask_and_only_about_what_is_there(ws: Workspace) -> None:
    ask = asked(ws)
    with pytest.raises(NotAllowed):
        advice.start(ws, "rank", ask, "somebody else")
    with pytest.raises(NotFound):
        advice.start(ws, "rank", replace(ask, data=replace(ask.data, version="0" * len(ask.data.version))), OWNER)


def test_the_oldest_findings_go_but_none_that_is_being_looked_for(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advice, "KEPT", 1)
    ask = asked(ws)
    asks = [replace(ask, models=(model,)) for model in ("a", "b", "c")]
    for one, process in zip(asks, (this_process(), ProcessId(1, 1.0), ProcessId(1, 1.0))):
        left(ws, one, process)
    advice._sweep(ws)
    assert [advice.status(ws, "depth", one).state for one in asks] == ["running", "none", "failed"]
