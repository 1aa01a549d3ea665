"""An import in its own process: watched, cancelled, killed, and swept up after."""
from __future__ import annotations

import json
import os
import time
from pathlib import Path

import psutil
import pytest

from core.data.versions import TableChoice, list_datasets, load_version
from core.errors import DataError, NotFound
from core.jobs import import_job
from core.jobs.import_job import ImportStatus, Job
from core.jobs.processes import ProcessId, this_process
from core.specs import to_json
from core.workspace import Workspace, new_id
from tests.core.data.picture_files import classes, encoded, everything, picture
from tests.core.data.table_files import csv_bytes, text_rows

OWNER = "ownera"


def uploaded(ws: Workspace, files: dict[str, bytes]) -> str:
    upload_id = new_id()
    folder = ws.upload(upload_id)
    (folder / "files").mkdir(parents=True)
    with (folder / "names.jsonl").open("w", encoding="utf-8") as names:
        for number, (name, data) in enumerate(files.items(), 1):
            (folder / "files" / f"{number:06d}").write_bytes(data)
            names.write(json.dumps({"file": f"{number:06d}", "name": name, "size": len(data)}) + "\n")
    return upload_id


def slow(n: int) -> dict[str, bytes]:
    """Enough work that an import is still running when it is looked at."""
    data = encoded(picture(size=(1200, 1200)), "PNG")
    return {f"{label}/{number}.png": data + bytes((number,)) for number in range(n) for label in ("cat", "dog")}


def ended(ws: Workspace, upload_id: str) -> ImportStatus:
    deadline = time.monotonic() + 60
    while (now := import_job.status(ws, upload_id)).state == "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return now


def working(ws: Workspace, upload_id: str) -> ImportStatus:
    """The status once some files are done."""
    deadline = time.monotonic() + 60
    while not (now := import_job.status(ws, upload_id)).done:
        assert now.state == "running" and time.monotonic() < deadline
        time.sleep(0.02)
    return now


def wait_for_end(pid: int) -> None:
    """The process tidies up after it has written its result."""
    try:
        psutil.Process(pid).wait(20)
    except psutil.NoSuchProcess:
        return


def test_an_upload_becomes_a_dataset_and_its_files_go(ws: Workspace) -> None:
    upload_id = uploaded(ws, classes({"cat": 5, "dog": 5}))
    import_job.start(ws, upload_id, name="My pets", owner=OWNER)
    now = ended(ws, upload_id)
    assert (now.state, now.done, now.total, now.error) == ("done", 10, 10, None)
    assert len(load_version(ws, now.data).items) == 10
    [dataset] = list_datasets(ws, OWNER)
    assert (dataset.id, dataset.name) == (now.dataset, "My pets")
    wait_for_end(now.pid)
    assert everything(ws.upload(upload_id)) == {"job.json", "status.json", "import.log"}
    assert import_job.status(ws, upload_id).state == "done"


def test_a_table_a_paste_a_path_and_what_is_read_again(ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFT_ROOTS", str(tmp_path))
    rows = [[text, label, "ab"[number % 2]] for number, (text, label) in enumerate(text_rows({"good": 6, "bad": 6}))]
    data = csv_bytes([["text", "label", "other"], *rows])
    upload_id, pasted, from_here, again = uploaded(ws, {"t.csv": data}), new_id(), new_id(), new_id()
    import_job.start(ws, upload_id, name="table", owner=OWNER, choice=TableChoice("text", "other"))
    table = ended(ws, upload_id).data
    assert table.task == "text" and load_version(ws, table).labels == ("a", "b")
    (tmp_path / "t.csv").write_bytes(data)
    import_job.start(ws, from_here, name="here", owner=OWNER, path=str(tmp_path / "t.csv"))
    assert load_version(ws, ended(ws, from_here).data).labels == ("bad", "good")
    import_job.start(ws, again, name="", owner=OWNER, reread=table, choice=TableChoice("text", "label"))
    assert load_version(ws, ended(ws, again).data).labels == ("bad", "good")
    import_job.start(ws, pasted, name="pasted", owner=OWNER, paste="ugly, one more\nugly, and one \ud800 more", into=table.dataset)
    added = ended(ws, pasted).data
    assert added.dataset == table.dataset and load_version(ws, added).labels == ("bad", "good", "ugly")
    assert everything(ws.upload(pasted)) == {"job.json", "status.json", "import.log"}


def test_a_link_swapped_in_after_the_question_is_not_followed(ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "secret.csv").write_bytes(csv_bytes([["text", "label"], *text_rows({"good": 6, "bad": 6})]))
    (tmp_path / "open" / "t.csv").symlink_to(tmp_path / "secret.csv")
    monkeypatch.setenv("GRAFT_ROOTS", str(tmp_path / "open"))
    monkeypatch.setattr(import_job, "_limit_memory", lambda: None)  # it would hold for all tests
    upload_id = new_id()
    ws.upload(upload_id).mkdir()
    (ws.upload(upload_id) / "job.json").write_bytes(to_json(Job("here", OWNER, "", 0.0, path=str(tmp_path / "open" / "t.csv"))))
    error = import_job.run(ws, upload_id).error
    assert error and error.title == "“{file}” is in none of the folders that may be read." and list_datasets(ws, OWNER) == []


def test_the_process_is_reaped(ws: Workspace) -> None:
    upload_id = uploaded(ws, classes({"cat": 2, "dog": 2}))
    import_job.start(ws, upload_id, name="pets", owner=OWNER)
    pid = ended(ws, upload_id).pid
    deadline = time.monotonic() + 20
    while psutil.pid_exists(pid):
        assert time.monotonic() < deadline, "left as a zombie"
        time.sleep(0.05)


def test_a_refusal_comes_through_whole_and_leaves_nothing(ws: Workspace) -> None:
    upload_id = uploaded(ws, classes({"小猫 {x}": 3}))
    import_job.start(ws, upload_id, name="pets", owner=OWNER)
    now = ended(ws, upload_id)
    assert now.state == "failed" and now.data is None
    assert isinstance(now.error, DataError) and now.error.title == "Only one label: add a second folder"
    assert now.error.params["c"] == "小猫 {x}"
    assert everything(ws.root, without=["uploads"]) == set()


def test_what_was_collected_stays_when_its_import_fails_and_is_tried_again(ws: Workspace) -> None:
    upload_id = uploaded(ws, slow(40))
    import_job.start(ws, upload_id, name="pets", owner=OWNER, keep=True)
    psutil.Process(working(ws, upload_id).pid).kill()
    assert ended(ws, upload_id).kept and not (ws.upload(upload_id) / "staged").exists()
    import_job.again(ws, upload_id)
    now = ended(ws, upload_id)
    assert now.state == "done" and len(load_version(ws, now.data).items) == 80
    wait_for_end(now.pid)
    assert everything(ws.upload(upload_id)) == {"job.json", "status.json", "import.log"}
    with pytest.raises(NotFound):
        import_job.again(ws, upload_id)


def test_a_sample_needs_no_upload(ws: Workspace) -> None:
    upload_id = new_id()
    import_job.start(ws, upload_id, name="digits", owner=OWNER, sample="digits")
    assert ended(ws, upload_id).state == "done"
    assert [dataset.sample for dataset in list_datasets(ws, OWNER)] == ["digits"]


def test_a_killed_import_has_failed_and_leaves_nothing(ws: Workspace) -> None:
    upload_id = uploaded(ws, slow(40))
    import_job.start(ws, upload_id, name="pets", owner=OWNER)
    psutil.Process(working(ws, upload_id).pid).kill()
    now = ended(ws, upload_id)
    assert now.state == "failed" and now.error.title == "The import stopped unexpectedly."
    assert everything(ws.upload(upload_id)) == {"job.json", "status.json", "import.log"}
    assert everything(ws.root, without=["uploads"]) == set()


def test_a_cancelled_import_ends_its_process_and_leaves_nothing(ws: Workspace) -> None:
    upload_id = uploaded(ws, slow(40))
    import_job.start(ws, upload_id, name="pets", owner=OWNER)
    pid = working(ws, upload_id).pid
    import_job.cancel(ws, upload_id)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert everything(ws.root) == set()
    with pytest.raises(NotFound):
        import_job.status(ws, upload_id)


def test_what_was_collected_stays_when_its_import_is_cancelled(ws: Workspace) -> None:
    upload_id = uploaded(ws, slow(40))
    import_job.start(ws, upload_id, name="pets", owner=OWNER, keep=True)
    working(ws, upload_id)
    assert import_job.cancel(ws, upload_id)
    now = import_job.status(ws, upload_id)
    assert now.kept and now.error.title == "The import was cancelled." and not (ws.upload(upload_id) / "staged").exists()
    import_job.again(ws, upload_id)
    assert ended(ws, upload_id).state == "done"


def test_cancelling_never_ends_a_stranger(ws: Workspace) -> None:
    """A pid that the system has given to another process since."""
    upload_id = uploaded(ws, {})
    me = this_process()
    ws.upload(upload_id).joinpath("job.json").write_bytes(to_json(Job("pets", OWNER, "", 0.0, ProcessId(me.pid, me.started - 100))))
    import_job.cancel(ws, upload_id)
    assert not ws.upload(upload_id).exists()


def test_an_unexpected_fault_is_told_and_logged(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    upload_id = uploaded(ws, classes({"cat": 2, "dog": 2}))
    (ws.upload(upload_id) / "job.json").write_bytes(to_json(Job("pets", OWNER, "", time.time())))
    monkeypatch.setattr(import_job, "_limit_memory", lambda: None)
    monkeypatch.setattr(import_job, "import_source", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        import_job.run(ws, upload_id)
    assert import_job.status(ws, upload_id).error.title == "The import stopped unexpectedly."


def test_while_near_copies_are_looked_for_the_status_says_so(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    upload_id = uploaded(ws, classes({"cat": 2, "dog": 3}))
    (ws.upload(upload_id) / "job.json").write_bytes(to_json(Job("pets", OWNER, "", time.time())))
    seen: list[ImportStatus] = []
    monkeypatch.setattr(import_job, "_limit_memory", lambda: None)
    monkeypatch.setattr("core.data.intake.importing.near_pictures", lambda *_: seen.append(import_job.status(ws, upload_id)) or ())
    assert import_job.run(ws, upload_id).state == "done"
    assert [(now.stage, now.done, now.total) for now in seen] == [("comparing", 5, 5)]


def test_only_uploads_that_lie_still_are_swept(ws: Workspace) -> None:
    old, new, busy = (uploaded(ws, classes({"cat": 1})) for _ in range(3))
    (ws.upload(busy) / "job.json").write_bytes(to_json(Job("pets", OWNER, "", 0.0, this_process())))
    long_ago = time.time() - 2 * import_job.KEEP_S
    for upload_id in (old, busy):
        for path in (ws.upload(upload_id) / "files", ws.upload(upload_id) / "names.jsonl", ws.upload(upload_id)):
            os.utime(path, (long_ago, long_ago))
    assert import_job.sweep(ws) == [old]
    assert not ws.upload(old).exists() and ws.upload(new).exists() and ws.upload(busy).exists()


def test_an_unknown_import_is_not_found(ws: Workspace, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        import_job.status(ws, new_id())
    with pytest.raises(NotFound):
        import_job.status(ws, "../secret")
