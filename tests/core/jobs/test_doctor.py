"""The label doctor in its own process: watched, cancelled, killed, and its result kept."""
from __future__ import annotations

import hashlib
import random
import time
from dataclasses import replace
from pathlib import Path

import pytest

from core.data.suspects import Findings, write_findings
from core.data.texts import write_texts
from core.data.versions import Item, Version, add_version, create_dataset
from core.errors import NotAllowed, NotFound
from core.evaluation import doctor as examination
from core.jobs import doctor
from core.jobs.doctor import DoctorStatus
from core.jobs.processes import ProcessId, alive, process_id, this_process
from core.jobs.side_jobs import carry_out
from core.specs import DataSpec
from core.workspace import Workspace
from tests.core.jobs.queued import sleeper, wait_until
from tests.core.jobs.side import left

OWNER, DATASET = "ownera", "textdataset"
WORDS = {"food": "soup bread salty dinner cook plate fresh taste".split(), "sky": "rain cloud storm sunny wind cold snow warm".split()}
NOTHING = Findings(0, 0, (), (), 0, 0, 1.0, "", {})


def texts(ws: Workspace, n: int = 30, wrong: int = 5) -> DataSpec:
    """`n` texts of each label, of which the one at `wrong` bears the other."""
    source = random.Random(0)
    rows = [(" ".join(source.sample(words, 5)) + f" {i}", idx) for idx, words in enumerate(WORDS.values()) for i in range(n)]
    keys = [hashlib.sha256(text.encode()).hexdigest() for text, _ in rows]
    items = tuple(Item(key, f"t.csv:{i}", 1 - idx if i == wrong else idx, "train", length=len(text))
                  for i, (key, (text, idx)) in enumerate(zip(keys, rows)))
    data = create_dataset(ws, DATASET, "texts", OWNER, Version(tuple(WORDS), items, task="text"))
    write_texts(ws.dataset(DATASET) / "texts.parquet", dict(zip(keys, (text for text, _ in rows))))
    return data


def ended(ws: Workspace, data: DataSpec) -> DoctorStatus:
    deadline = time.monotonic() + 90
    while (now := doctor.status(ws, data)).state == "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return now


def folder_of(ws: Workspace, data: DataSpec) -> Path:
    return ws.dataset(DATASET) / f"doctor-{data.version}"


def examined(ws: Workspace, data: DataSpec) -> DoctorStatus:
    """How a search has ended that was done here."""
    left(folder_of(ws, data), data, this_process())
    carry_out(doctor.KIND, ws, folder_of(ws, data), doctor.examine)
    return doctor.status(ws, data)


def test_a_search_leaves_its_findings_and_nothing_else(ws: Workspace) -> None:
    data = texts(ws)
    assert doctor.status(ws, data).state == "none"
    doctor.start(ws, data, OWNER)
    assert ended(ws, data) == DoctorStatus("done")
    found = doctor.latest(ws, data)
    assert found is not None and found[0] == data.version and [suspect.position for suspect in found[1].suspects] == [5]
    wait_until(lambda: doctor.status(ws, data) == DoctorStatus("done") and not folder_of(ws, data).exists())
    doctor.start(ws, data, OWNER)
    assert doctor.status(ws, data) == DoctorStatus("done") and not folder_of(ws, data).exists(), "once is enough"


def test_a_search_under_way_is_watched_and_can_be_cancelled(ws: Workspace) -> None:
    data = texts(ws)
    with sleeper() as process:
        who = process_id(process.pid)
        left(folder_of(ws, data), data, who, done=3, total=9, about="judging")
        assert doctor.status(ws, data) == DoctorStatus("running", "judging", 3, 9)
        doctor.cancel(ws, data)
        assert not alive(who)
    assert doctor.status(ws, data).state == "none" and doctor.latest(ws, data) is None


def test_a_killed_search_has_failed_and_says_so(ws: Workspace) -> None:
    data = texts(ws)
    left(folder_of(ws, data), data, ProcessId(this_process().pid, 1.0))
    now = doctor.status(ws, data)
    assert now.state == "failed" and now.error is not None
    assert now.error.title == "The search for wrong labels stopped unexpectedly."
    doctor.cancel(ws, data)
    assert doctor.status(ws, data).state == "none"


def test_too_little_data_is_explained(ws: Workspace) -> None:
    now = examined(ws, texts(ws, n=1, wrong=-1))
    assert now.state == "failed" and now.error is not None and now.error.title == "There is too little to find wrong labels in."


def test_want_of_memory_is_explained(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(*_: object) -> Findings:
        raise MemoryError
    monkeypatch.setattr(examination, "look", look)
    now = examined(ws, texts(ws))
    assert now.error is not None and now.error.title == "Memory ran out while looking for wrong labels."


def test_what_was_found_and_is_gone_can_be_looked_for_again(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    data = texts(ws)
    left(folder_of(ws, data), data, None, ended=True, result=data.version)
    assert doctor.status(ws, data) == DoctorStatus()


def test_only_the_owner_can_look_and_only_at_versions_there_are(ws: Workspace) -> None:
    data = texts(ws)
    with pytest.raises(NotAllowed):
        doctor.start(ws, data, "somebodyelse")
    with pytest.raises(NotFound):
        doctor.start(ws, replace(data, version="../secret"), OWNER)


def test_what_was_found_before_an_edit_is_still_there_after_it(ws: Workspace) -> None:
    data = texts(ws)
    assert doctor.latest(ws, data) is None
    write_findings(ws, data, NOTHING)
    newer = add_version(ws, DATASET, OWNER, Version(("food", "sky"), (), task="text"), "Removed {n} items", n=60)
    assert doctor.latest(ws, newer) == (data.version, NOTHING)
    own = replace(NOTHING, looked_at=7)
    write_findings(ws, newer, own)
    assert doctor.latest(ws, newer) == (newer.version, own) and doctor.latest(ws, data) == (data.version, NOTHING)
