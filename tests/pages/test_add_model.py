"""Another model for pictures: a folder becomes the model that is chosen; what can't be added says why."""
from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.jobs import add_model, side_jobs
from core.jobs.add_model import Wanted
from core.jobs.processes import process_id
from core.models.catalog import find, models
from core.models.own import added_rows
from core.owners import LOCAL_OWNER
from core.specs import from_json
from core.workspace import Workspace
from pages.ui.state import Draft
from pages.ui.text import md
from tests.core.jobs import side
from tests.core.jobs.queued import sleeper
from tests.pages.conftest import Visit
from tests.pages.seen import said, trouble


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real ViT, tiny, as transformers saves it."""
    from tests.core.models.tiny_vision import saved  # here: it needs torch

    path = tmp_path_factory.mktemp("models") / "tiny_vit"
    saved(path, "vit")
    return path


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are added before the page goes on."""
    side.at_once(monkeypatch, add_model.KIND, add_model.add)


def chosen(ws: Workspace) -> str:
    return from_json(Draft, ws.draft(LOCAL_OWNER).read_bytes()).model


def add(page: AppTest, text: str) -> AppTest:
    page.text_input(key="model.add.id").set_value(text).run()
    return page.button(key="model.add").click().run()


def test_a_model_in_a_folder_is_chosen_listed_and_taken_off_the_list(ws: Workspace, visit: Visit, folder: Path) -> None:
    page = add(visit("model.py"), str(folder))
    row = find("folder:tiny_vit", ws)
    assert trouble(page) == [] and chosen(ws) == row.key and (row.task, row.family, row.input.input_size) == ("image", "ViT", 32)
    assert any(text.value.startswith(f"**{md('tiny_vit')}**") and "-badge" in text.value for text in page.markdown), "it has a card"
    assert "takes pictures of 32 × 32 pixels" in said(page)
    page.button(key=f"model.forget.{row.key}").click().run()
    assert trouble(page) == [] and added_rows(ws) == {} and row.key not in models(ws) and (folder / "config.json").is_file()


@pytest.mark.parametrize("text, says", [
    ("no such/id at/all", "is not the id of a model"),
    ("google/vit base patch16 224", "google/vit\\-base\\-patch16\\-224"),
    ("https://huggingface.co/timm/resnet18.a1_in1k", "Write timm/resnet18"),
    ("/nowhere/at/all", "There is no such folder"),
])
def test_what_is_neither_an_id_nor_a_folder_is_explained_and_stays_to_be_mended(ws: Workspace, visit: Visit, text: str, says: str) -> None:
    page = add(visit("model.py"), text)
    assert says in page.error[0].value and page.text_input(key="model.add.id").value == text and added_rows(ws) == {}


def test_without_a_network_it_says_what_to_put_where(ws: Workspace, visit: Visit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    page = add(visit("model.py"), "somebody/tiny-vit")
    [error] = page.error
    assert "No network" in error.value and "config\\.json" in error.value and md(str(tmp_path / "hf" / "hub")) in error.value
    assert page.text_input(key="model.add.id").value == "somebody/tiny-vit" and not page.button(key="model.add").disabled


def under_way(ws: Workspace, page: AppTest, process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, **stands: object) -> AppTest:
    """Add a model, whose process does nothing, and let it stand so."""
    monkeypatch.setattr(side_jobs, "start_module", lambda *args, **options: process)
    page = add(page, "somebody/tiny_vit")
    job = next(path.parent for path in (ws.root / "downloads").glob("add-*/ask.json"))
    side.left(job, Wanted("somebody/tiny_vit", "image"), process_id(process.pid), **stands)  # type: ignore[arg-type]
    return page.run()


def test_what_is_under_way_shows_how_far_it_is_and_can_be_given_up(ws: Workspace, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    with sleeper() as process:
        page = under_way(ws, visit("model.py"), process, monkeypatch, done=10e6, total=40e6)
        [bar] = page.get("progress")
        assert (bar.proto.value, bar.proto.text) == (25, f"Adding {md('somebody/tiny_vit')}: 10 MB of 40 MB")
        assert not [field for field in page.text_input if field.key == "model.add.id"], "one at a time"
        page.button(key="model.add.cancel").click().run()
        assert process.wait(10) is not None and not page.get("progress") and trouble(page) == []
        assert page.text_input(key="model.add.id").value == ""


def test_what_failed_later_can_be_mended_too(ws: Workspace, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    with sleeper() as process:
        page = under_way(ws, visit("model.py"), process, monkeypatch)
        assert page.get("progress")
    page.run()
    assert "could not be added" in page.error[0].value and page.text_input(key="model.add.id").value == "somebody/tiny_vit"


def test_it_speaks_chinese(ws: Workspace) -> None:
    def form() -> None:
        from pages.ui import add_model
        add_model.section("model", "image")
    page = AppTest.from_function(form, default_timeout=60)
    page.context = {"locale": "zh-CN", "theme": "light", "timezone": "Europe/Berlin"}
    page = add(page.run(), "no such/id")
    assert "其他图片模型" in said(page) and "不是模型编号" in page.error[0].value
