"""Advice in a process of its own: watched, kept, cancelled, killed."""
from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import NotAllowed, NotFound
from core.jobs import advice, advice_items
from core.jobs.advice import Advice
from core.jobs.processes import ProcessId, alive, process_id, this_process
from core.jobs.side_jobs import carry_out
from core.specs import TrainConfig, to_json
from core.training import probe
from core.training.advice.findings import TOO_LARGE, AdviceKind, Ask, Depths, Looking, Ranking, Score
from core.workspace import Workspace, write_atomic
from tests.core.jobs import side
from tests.core.jobs.queued import sleeper
from tests.core.training.advice.texts import OWNER, add_texts

PART = Depths("graft-words", (("pool", Score(0.5, 0.4, 0.6)),), 20)


def asked(ws: Workspace) -> Ask:
    return Ask(add_texts(ws), ("graft-words",), TrainConfig())


def folder_of(ws: Workspace, ask: Ask, kind: AdviceKind = "depth") -> Path:
    return advice._folder(ws, kind, ask)


def left(ws: Workspace, ask: Ask, process: ProcessId | None) -> Path:
    """The folder of a look that somebody began, as it stands on the disk."""
    folder = folder_of(ws, ask)
    side.left(folder, ask, process, done=3, total=9, about="pool")
    write_atomic(folder / "finding.json", to_json(PART))
    return folder


def test_a_look_begins_at_once_and_its_finding_is_kept(ws: Workspace) -> None:
    ask = asked(ws)
    assert advice.status(ws, "rank", ask) == Advice()
    advice.start(ws, "rank", ask, OWNER)
    assert advice.status(ws, "rank", ask).state == "running"
    process = (folder_of(ws, ask, "rank") / "process.json").read_bytes()
    advice.start(ws, "rank", replace(ask, budget_s=5.0), OWNER)  # by another tab, which has another time in mind
    assert (folder_of(ws, ask, "rank") / "process.json").read_bytes() == process
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


def test_cancelling_forgets_what_was_found(ws: Workspace) -> None:
    ask = asked(ws)
    with sleeper() as process:
        who = process_id(process.pid)
        left(ws, ask, who)
        advice.cancel(ws, "depth", ask)
        assert not alive(who)
    assert advice.status(ws, "depth", ask) == Advice()


def test_a_fault_that_a_user_can_mend_is_told_as_such(ws: Workspace) -> None:
    ask = Ask(add_texts(ws, 5), ("graft-words",), TrainConfig())
    carry_out(advice.JOB, ws, left(ws, ask, this_process()), advice.look)
    now = advice.status(ws, "depth", ask)
    assert now.state == "failed" and now.fault is not None and now.fault.title == "There are too few items to compare depths by."


def test_a_look_for_which_memory_ran_out_says_so(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def runs_out(*_: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")
    ask = asked(ws)
    monkeypatch.setattr(advice_items, "prepare", runs_out)
    carry_out(advice.JOB, ws, left(ws, ask, this_process()), advice.look)
    assert advice.status(ws, "depth", ask).fault == TOO_LARGE


def test_what_is_stored_meanwhile_goes_with_a_look_that_is_cancelled(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    ask, seen = asked(ws), list[str]()
    folder = left(ws, ask, this_process())
    monkeypatch.setattr(advice, "look", lambda *_: seen.append(tempfile.mkdtemp(prefix="advice-")) or "")
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(probe, "compute_as_runs_do", lambda: None)
    monkeypatch.setattr(advice.os, "nice", lambda _by: 0, raising=False)
    assert carry_out(advice.JOB, ws, folder, advice.apart)
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
