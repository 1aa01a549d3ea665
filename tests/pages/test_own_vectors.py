"""The box for one's own word vectors: what it offers, what it shows while a file is read, and afterwards."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.data.limits import save_roots
from core.jobs import vector_import
from core.jobs.brought import Brought, incoming_folder
from core.jobs.processes import process_id
from core.models.words.vector_sets import VectorSet, list_vector_sets
from core.specs import from_json, to_json
from core.workspace import Workspace, write_atomic
from pages.routes import inbox
from pages.ui import bring_file, own_vectors
from pages.ui.components.upload import UploadResult
from pages.ui.state import Draft
from tests.core.jobs import side
from tests.core.jobs.queued import sleeper
from tests.core.models.vector_made import glove, some

WORDS = some(("the", "cat", "dog"))


def page() -> None:
    from pages.ui import own_vectors, state
    own_vectors.section(state.workspace())


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    side.at_once(monkeypatch, vector_import.KIND, vector_import.make)


def show(locale: str = "en-US") -> AppTest:
    shown = AppTest.from_function(page, default_timeout=60)
    shown.context = {"locale": locale, "theme": "light", "timezone": "Europe/Berlin"}
    shown.run()
    assert not shown.exception
    return shown


def texts(shown: AppTest) -> str:
    return "\n".join(element.value for kind in (shown.markdown, shown.caption, shown.error) for element in kind)


def put_ready(ws: Workspace, name: str = "glove.txt", data: bytes = glove(WORDS)) -> None:
    incoming_folder(ws).mkdir(parents=True, exist_ok=True)
    (incoming_folder(ws) / name).write_bytes(data)


def a_set(ws: Workspace, key: str = "words", **facts: object) -> None:
    for ending in ("safetensors", "tokenizer.json"):
        write_atomic(ws.models / f"{key}.{ending}", b"")
    made = VectorSet(key, "My *words*", 200_000, 300, "a_b.txt", ("en",), made=1.0, n_listed=400_000, size_bytes=120_000_000)
    write_atomic(ws.models / f"{key}.json", to_json(replace(made, **facts)))  # type: ignore[arg-type]


def test_without_anything_it_offers_an_upload_and_names_the_folder_for_large_files(ws: Workspace) -> None:
    shown = show()
    assert "Your own word vectors" in texts(shown) and "models/incoming" in texts(shown).replace("\\", "")
    assert not shown.segmented_control, "one way needs no choice"
    assert not shown.button


def test_a_file_that_was_put_ready_becomes_a_set(ws: Workspace, at_once: None) -> None:
    put_ready(ws)
    shown = show()
    shown.segmented_control(key="vectors.way").set_value("incoming").run()
    shown.text_input[0].set_value("My cats").run()
    shown.button(key="vectors.incoming.use").click().run()
    assert not shown.exception and not shown.error
    [made] = list_vector_sets(ws)
    assert (made.title, made.key, made.owner) == ("My cats", "my-cats", "local")
    assert "**My cats**" in texts(shown) and "3 words, 4 numbers each" in texts(shown)
    assert [toast.value for toast in shown.toast] == ["The word vectors “My cats” are ready."]
    assert shown.text_input[0].value == "", "the next one gets a name of its own"


def test_a_file_of_a_folder_of_this_machine_takes_its_name(ws: Workspace, at_once: None, tmp_path: Path) -> None:
    folder = tmp_path / "shelf"
    (folder / "deep").mkdir(parents=True)
    (folder / "cats.vec").write_bytes(glove(WORDS))
    save_roots(ws, [str(folder)])
    shown = show()
    shown.segmented_control(key="vectors.way").set_value("path").run()
    assert shown.button(key="vectors.path.use").disabled
    assert shown.selectbox(key="vectors.below").options == ["cats.vec"], "other names can be typed"
    shown.selectbox(key="vectors.below").set_value("cats.vec").run()
    shown.button(key="vectors.path.use").click().run()
    assert [made.title for made in list_vector_sets(ws)] == ["cats"] and not shown.error


def test_what_is_no_vector_file_is_explained_until_it_was_seen(ws: Workspace, at_once: None) -> None:
    put_ready(ws, "table.csv", b"label,text\nspam,win\n")
    shown = show()
    shown.segmented_control(key="vectors.way").set_value("incoming").run()
    shown.button(key="vectors.incoming.use").click().run()
    assert "holds no word vectors" in shown.error[0].value and list_vector_sets(ws) == []
    assert show().error, "in another tab too"
    shown.button(key="vectors.seen.table").click().run()
    assert not shown.error and vector_import.imports(ws) == {}


def test_what_can_not_begin_is_said_and_the_next_try_forgets_it(ws: Workspace, at_once: None, monkeypatch: pytest.MonkeyPatch) -> None:
    put_ready(ws)
    shown = show()
    shown.segmented_control(key="vectors.way").set_value("incoming").run()
    shown.text_input[0].set_value("/../").run()
    shown.button(key="vectors.incoming.use").click().run()
    assert "A name is missing" in shown.error[0].value
    shown.text_input[0].set_value("cats").run()
    shown.button(key="vectors.incoming.use").click().run()
    assert not shown.error and [made.title for made in list_vector_sets(ws)] == ["cats"]

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(vector_import, "start", full)
    shown.button(key="vectors.incoming.use").click().run()
    assert "No space left on device" in shown.error[0].value.replace("\\", "")


def bring(ws: Workspace, upload_id: str, *names: str) -> UploadResult:
    box = inbox.inbox_of(ws, upload_id)
    for name in names:
        data = glove(WORDS)
        arriving = inbox.arrive(box, name, len(data))
        assert arriving is not None
        arriving.write(data)
        arriving.finish()
        arriving.discard()
    return UploadResult(len(names), 1, 1, "cats", ())


@pytest.mark.parametrize("names", [("cats.vec",), ("folder/cats.vec", "folder/dogs.vec")])
def test_an_upload_becomes_a_set_and_leaves_its_place_to_the_next(ws: Workspace, at_once: None, monkeypatch: pytest.MonkeyPatch,
                                                                 names: tuple[str, ...]) -> None:
    seen: list[str] = []

    def upload(token: str, *, key: str, **options: object) -> UploadResult | None:
        seen.append(key.rpartition(".")[2])
        return bring(ws, seen[0], *names) if len(seen) == 1 else None
    monkeypatch.setattr(bring_file, "upload", upload)
    shown = show()
    assert len(set(seen)) == 2 and from_json(Draft, ws.draft("local").read_bytes()).vectors == seen[-1]
    if len(names) == 1:
        assert [(made.title, made.source_file) for made in list_vector_sets(ws)] == [("cats", "cats.vec")] and not shown.error
        assert not (ws.upload(seen[0]) / "files").exists()
    else:
        assert "One file was expected, and 2 arrived" in shown.error[0].value and not ws.upload(seen[0]).exists()


def test_another_tab_that_sent_the_same_only_watches(ws: Workspace, at_once: None, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def upload(token: str, *, key: str, **options: object) -> UploadResult | None:
        seen.append(key.rpartition(".")[2])
        if len(seen) > 1:
            return None
        done = bring(ws, seen[0], "cats.vec")
        inbox.take(ws, seen[0])
        return done
    monkeypatch.setattr(bring_file, "upload", upload)
    assert not show().error and list_vector_sets(ws) == []


def test_an_import_that_runs_shows_how_far_it_is_and_can_be_cancelled(ws: Workspace) -> None:
    with sleeper() as process:
        for key, title, owner in (("cats", "My _cats_", "local"), ("other", "of somebody", "anna1")):
            side.left(ws.models / "importing" / key, Brought(title, owner, "incoming", "x"), process_id(process.pid), done=0.25, total=1)
        shown = show()
        (bar,) = shown.get("progress")
        assert bar.proto.value == 25 and bar.proto.text == "Reading “My \\_cats\\_” …", "one's own alone"
        shown.button(key="vectors.cancel.cats").click().run()
        assert not shown.exception and not shown.get("progress") and list(vector_import.imports(ws)) == ["other"]


def test_a_set_shows_its_facts_as_plain_text(ws: Workspace) -> None:
    a_set(ws, n_repeated=3, n_unusable=2)
    said = texts(show())
    assert "**My \\*words\\***" in said and "200.0 K words, 300 numbers each, 120 MB" in said and "a\\_b\\.txt" in said
    assert "Language: en" in said and "Its first 200.0 K words of 400.0 K" in said and "Left out: 3 words that came again, 2 rows" in said
    a_set(ws, languages=(), n_listed=200_000)
    said = texts(show())
    assert "Language" not in said and "Its first" not in said and "Left out" not in said


def test_a_set_can_be_deleted_by_who_brought_it(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    a_set(ws)
    a_set(ws, "theirs", owner="anna1", title="Theirs")
    shown = show()
    shown.button(key="vectors.delete.words").click().run()
    assert not shown.exception and [made.key for made in list_vector_sets(ws)] == ["theirs"]
    monkeypatch.setattr(own_vectors.state, "me", lambda: "berta2")
    assert "vectors.delete.theirs" not in [button.key for button in show().button]


def test_it_speaks_chinese(ws: Workspace) -> None:
    a_set(ws)
    said = texts(show("zh-CN"))
    assert "你自己的词向量" in said and "20万 个词" in said and "语言：en" in said
