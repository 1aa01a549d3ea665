"""A file of word vectors becomes a set in a process of its own; what happens on the way, and what is left of it."""
from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.data.limits import save_roots
from core.errors import DataError, NotAllowed, NotFound, SettingsError
from core.jobs import side_jobs, vector_import
from core.jobs.brought import Brought, Origin, incoming, incoming_folder
from core.jobs.processes import alive, process_id
from core.jobs.side_jobs import Job, carry_out
from core.jobs.vector_import import KIND, cancel, forget, imports, make, start, status
from core.models.words.vector_sets import VectorSet, delete, list_vector_sets, stem_of
from core.models.words.vectors import load_tokenizer, shape_of
from core.workspace import Workspace
from tests.core.jobs.queued import sleeper, wait_until
from tests.core.jobs.side import at_once
from tests.core.jobs.side import left as left_job
from tests.core.models.vector_made import glove, some, word2vec

VECTORS = some(("the", "cat", "dog"))


@pytest.fixture
def brought(ws: Workspace) -> Path:
    """A file in the incoming folder."""
    incoming_folder(ws).mkdir(parents=True)
    path = incoming_folder(ws) / "glove.txt"
    path.write_bytes(glove(VECTORS))
    return path


def folder_of(ws: Workspace, key: str) -> Path:
    return ws.models / "importing" / key


def read(ws: Workspace, key: str, origin: Origin = "incoming", source: str = "glove.txt", title: str = "My words",
         owner: str = "local") -> Job[Brought]:
    """How an import has ended that was done here."""
    left_job(folder_of(ws, key), Brought(title, owner, origin, source))
    carry_out(KIND, ws, folder_of(ws, key), make)
    return status(ws, key)


def left(ws: Workspace) -> list[str]:
    return sorted(path.name for path in ws.models.iterdir() if path.is_file())


def uploaded(ws: Workspace, upload_id: str, **files: bytes) -> str:
    folder = ws.upload(upload_id)
    (folder / "files").mkdir(parents=True)
    rows = [{"file": f"{n:06d}", "name": name, "size": len(data)} for n, (name, data) in enumerate(files.items(), 1)]
    for row, data in zip(rows, files.values()):
        (folder / "files" / str(row["file"])).write_bytes(data)
    (folder / "names.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return upload_id


def test_a_file_becomes_a_set_in_a_process_of_its_own(ws: Workspace, brought: Path) -> None:
    key = start(ws, " My  words ", "incoming", "glove.txt")
    assert key == "my-words" and status(ws, key).state == "running"
    wait_until(lambda: status(ws, key).state != "running")
    assert status(ws, key).error is None and status(ws, key).share == 1.0
    [made] = list_vector_sets(ws)
    assert made == VectorSet("my-words", "My words", 3, 4, "glove.txt", (), made.made, "local", "GloVe", 3, 0, 0, made.size_bytes)
    assert abs(time.time() - made.made) < 300 and made.size_bytes == sum(
        (ws.models / f"my-words.{ending}").stat().st_size for ending in ("safetensors", "tokenizer.json"))
    assert shape_of(stem_of(ws, key)) == (5, 4) and load_tokenizer(stem_of(ws, key)).encode("The cat").ids == [2, 3]
    assert brought.is_file(), "the file that was brought stays"
    assert list(imports(ws)) == [key]
    forget(ws, key)
    assert imports(ws) == {} and len(list_vector_sets(ws)) == 1


def test_a_file_that_is_none_ends_with_the_reason_and_leaves_nothing(ws: Workspace, brought: Path) -> None:
    brought.write_bytes(b"a,b\n1,2\n")
    key = start(ws, "words", "incoming", "glove.txt")
    wait_until(lambda: status(ws, key).state != "running")
    assert status(ws, key).state == "failed" and "“glove.txt” holds no word vectors" in str(status(ws, key).error)
    assert left(ws) == [] and list_vector_sets(ws) == []


def test_names_become_keys_of_their_own(ws: Workspace, brought: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sleeper() as process:
        monkeypatch.setattr(side_jobs, "start_module", lambda *args, **options: process)
        keys = [start(ws, title, "incoming", "glove.txt") for title in ("Wörter 300d", "worter/300d", "词向量", "词", "importing", "../../etc")]
        assert keys == ["worter-300d", "worter-300d-2", "vectors", "vectors-2", "importing-2", "etc"]
        tabs = [threading.Thread(target=start, args=(ws, "same", "incoming", "glove.txt")) for _ in range(5)]
        for tab in tabs:
            tab.start()
        for tab in tabs:
            tab.join()
        assert {key for key in imports(ws) if key.startswith("same")} == {"same", "same-2", "same-3", "same-4", "same-5"}


def test_a_set_that_is_there_keeps_its_key(ws: Workspace, brought: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read(ws, "words")
    forget(ws, "words")
    at_once(monkeypatch, KIND, make)
    assert start(ws, "words", "incoming", "glove.txt") == "words-2"
    assert [(made.key, made.title) for made in list_vector_sets(ws)] == [("words", "My words"), ("words-2", "words")]


@pytest.mark.parametrize("title", ["", "  ", "\u202e", "/../"])
def test_a_name_needs_a_letter(ws: Workspace, brought: Path, title: str) -> None:
    with pytest.raises(SettingsError, match="A name is missing"):
        start(ws, title, "incoming", "glove.txt")


def test_only_what_may_be_read_is_read(ws: Workspace, brought: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_bytes(glove(VECTORS))
    for origin, source, kind in (("path", str(outside), DataError), ("incoming", "../../../outside.txt", NotFound),
                                 ("incoming", "no.txt", NotFound), ("upload", "nothing", DataError), ("path", str(ws.root / "secret"), DataError)):
        with pytest.raises(kind):
            start(ws, "words", origin, source)  # type: ignore[arg-type]
    save_roots(ws, [str(tmp_path / "open")] if (tmp_path / "open").mkdir() is None else [])
    with pytest.raises(DataError, match="is no file"):
        start(ws, "words", "path", str(tmp_path / "open"))
    assert imports(ws) == {}


def test_a_path_is_asked_for_again_when_it_is_read(ws: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    (folder / "a.bin").write_bytes(word2vec(VECTORS))
    save_roots(ws, [str(folder)])
    assert read(ws, "words", "path", str(folder / "a.bin")).state == "done" and list_vector_sets(ws)[0].source_file == "a.bin"
    outside = tmp_path / "outside.bin"
    (folder / "a.bin").rename(outside)
    (folder / "a.bin").symlink_to(outside)
    assert "in none of the folders" in str(read(ws, "other", "path", str(folder / "a.bin")).error)


@pytest.mark.parametrize("data, state", [(glove(VECTORS), "done"), (b"nothing", "failed")])
def test_what_was_uploaded_is_gone_when_the_import_has_ended(ws: Workspace, data: bytes, state: str) -> None:
    uploaded(ws, "upload7", **{"folder/any name.txt": data})
    (ws.upload("upload7") / "taken").touch()
    now = read(ws, "words", "upload", "upload7")
    assert now.state == state and ("any name.txt" in str(now.error) if now.error else list_vector_sets(ws)[0].source_file == "any name.txt")
    assert [path.name for path in ws.upload("upload7").iterdir()] == ["taken"], "nothing arrives under its id any more"


def test_of_an_upload_of_several_files_none_is_taken(ws: Workspace) -> None:
    uploaded(ws, "upload7", **{"a.txt": b"1", "b.txt": b"2"})
    with pytest.raises(DataError, match="One file was expected, and 2 arrived"):
        start(ws, "words", "upload", "upload7")
    assert (ws.upload("upload7") / "files" / "000002").is_file(), "what was refused before it began is still there"


def test_a_process_that_died_has_failed_and_leaves_nothing(ws: Workspace) -> None:
    with sleeper() as process:
        left_job(folder_of(ws, "words"), Brought("words", "local", "incoming", "x"), process_id(process.pid))
        for name in ("words.safetensors", "words.tokenizer.json", ".words.safetensors.0a1b", "words-2.safetensors"):
            (ws.models / name).write_bytes(b"unfinished")
        assert status(ws, "words").state == "running"
    assert "stopped" in str(status(ws, "words").error) and status(ws, "words").state == "failed"
    assert left(ws) == ["words-2.safetensors"], "what belongs to others stays"


def test_cancelling_ends_the_process_and_removes_everything(ws: Workspace) -> None:
    uploaded(ws, "upload7", **{"a.txt": b"1"})
    with sleeper() as process:
        who = process_id(process.pid)
        left_job(folder_of(ws, "words"), Brought("words", "local", "upload", "upload7"), who)
        (ws.models / "words.tokenizer.json").write_bytes(b"unfinished")
        cancel(ws, "words")
        assert not alive(who)
    assert status(ws, "words") is None and left(ws) == [] and not (ws.upload("upload7") / "files").exists()
    cancel(ws, "words")


@pytest.mark.parametrize("fault, said", [(OSError(28, "No space left on device"), "No space left"), (MemoryError(), "Memory ran out")])
def test_a_full_disk_or_memory_is_said_so(ws: Workspace, brought: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception, said: str) -> None:
    def full(path: Path, stem: Path, **options: object) -> None:
        stem.with_name(f"{stem.name}.tokenizer.json").write_bytes(b"begun")
        raise fault
    monkeypatch.setattr(vector_import, "convert", full)
    assert said in str(read(ws, "words").error) and left(ws) == []


def test_progress_is_on_disk_while_it_runs(ws: Workspace, brought: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []

    def slow(path: Path, stem: Path, *, progress: Callable[[float], None], **options: object) -> None:
        for share in (0.25, 0.5):
            progress(share)
            seen.append(status(ws, "words").share)
        raise DataError("enough")
    monkeypatch.setattr(side_jobs, "WRITE_EVERY_S", 0.0)
    monkeypatch.setattr(vector_import, "convert", slow)
    read(ws, "words")
    assert seen == [0.25, 0.5]


def test_who_brought_a_set_deletes_it(ws: Workspace, brought: Path) -> None:
    for key, owner in (("mine", "anna1"), ("theirs", "berta2")):
        read(ws, key, title=key, owner=owner)
    with pytest.raises(NotAllowed):
        delete(ws, "theirs", "anna1")
    delete(ws, "mine", "anna1")
    assert [made.key for made in list_vector_sets(ws)] == ["theirs"] and not [name for name in left(ws) if name.startswith("mine")]
    delete(ws, "theirs")
    assert left(ws) == [], "who owns the machine may delete everything"
    with pytest.raises(NotFound):
        delete(ws, "theirs")


def test_files_that_describe_no_set_are_passed_over(ws: Workspace, brought: Path) -> None:
    read(ws, "words")
    facts = (ws.models / "words.json").read_text(encoding="utf-8")
    for name, text in (("broken.json", "{"), ("other.json", '{"key": "other"}'), ("moved.json", facts), ("Odd name.json", facts)):
        (ws.models / name).write_text(text, encoding="utf-8")
    assert [made.key for made in list_vector_sets(ws)] == ["words"]
    (ws.models / "words.safetensors").unlink()
    assert list_vector_sets(ws) == []


@pytest.mark.parametrize("key", ["../secret", "importing", "incoming", "", "a.b", "A"])
def test_no_other_name_becomes_a_path(ws: Workspace, key: str) -> None:
    for use in (status, cancel, delete, stem_of):
        with pytest.raises(NotFound):
            use(ws, key)


def test_hidden_files_and_folders_are_not_offered(ws: Workspace, brought: Path) -> None:
    (brought.parent / ".hidden").touch()
    (brought.parent / "folder").mkdir()
    assert incoming(ws) == ["glove.txt"]
