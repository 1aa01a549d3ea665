"""Start: what happens between a click on a sample set, or an upload, and the data being there."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from core.data.samples.sets import SAMPLES
from core.data.versions import Rejected
from core.errors import Fault
from core.jobs import import_job
from core.jobs.import_job import ImportStatus
from core.owners import LOCAL_OWNER
from core.specs import DataSpec
from core.workspace import Workspace
from pages.ui import importer, ways_in
from pages.ui.components.upload import UploadResult
from tests.pages.conftest import Visit
from tests.pages.prepared import HOSTILE_RUN, PETS, add_dataset
from tests.pages.seen import said, trouble

LOST = Rejected("cat/lost.jpg", "The browser could not read it.")


class Imports:
    """Stands in for the process that imports: it is as far as a test says."""

    def __init__(self) -> None:
        self.started: list[dict[str, str]] = []
        self.left_out: list[Rejected] = []
        self.cancelled: list[str] = []
        self.now = ImportStatus("running", 30, 120)

    def start(self, ws: Workspace, upload_id: str, *, left_out: Sequence[Rejected], **asked: str) -> None:
        self.started.append(asked)
        self.left_out += left_out

    def status(self, ws: Workspace, upload_id: str) -> ImportStatus:
        return self.now

    def cancel(self, ws: Workspace, upload_id: str) -> bool:
        self.cancelled.append(upload_id)
        return self.now.kept

    def end(self, data: DataSpec) -> None:
        self.now = ImportStatus("done", 120, 120, data.dataset, data.version)

    def fail(self, fault: Fault) -> None:
        self.now = ImportStatus("failed", fault=fault)


@pytest.fixture
def imports(monkeypatch: pytest.MonkeyPatch) -> Imports:
    double = Imports()
    for name in ("start", "status", "cancel"):
        monkeypatch.setattr(import_job, name, getattr(double, name))
    return double


@pytest.fixture
def pets(ws: Workspace) -> DataSpec:
    return add_dataset(ws, PETS, ("cat", "dog"), {"train": 3, "val": 1, "test": 1}, name="pets")


def upload(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The browser says that twelve files have arrived, in the one run of the page that follows."""
    answers = iter([UploadResult(12, 3000, 20, name, (LOST,))])
    monkeypatch.setattr(importer, "upload", lambda *_, **__: next(answers, None))


@pytest.mark.parametrize("key", SAMPLES)
def test_a_sample_set_is_made_in_sight(ws: Workspace, visit: Visit, imports: Imports, key: str) -> None:
    page = visit().button(key=f"start.sample.{key}").click().run()
    assert imports.started == [{"name": SAMPLES[key].title.lower(), "owner": LOCAL_OWNER, "sample": key}]
    assert "Reading 30 of 120" in said(page) and not [b for b in page.button if b.key.startswith("start.sample")]


def test_the_search_for_near_copies_is_told(visit: Visit, imports: Imports) -> None:
    imports.now = ImportStatus("running", 120, 120, stage="comparing")
    page = visit().button(key=f"start.sample.{next(iter(SAMPLES))}").click().run()
    assert "Looking for near-copies …" in said(page) and "Reading" not in said(page)


def test_a_sample_set_leads_to_train_with_the_quick_preset(ws: Workspace, visit: Visit, imports: Imports, pets: DataSpec) -> None:
    page = visit().button(key="start.sample.flowers").click().run()
    imports.end(pets)
    page.run()
    assert [title.value for title in page.title] == ["Train"] and trouble(page) == []
    assert "pets, 10" in page.button(key="recipe.0").label and "Instant" in page.button(key="recipe.3").label


def test_files_of_your_own_lead_to_the_data_page(ws: Workspace, visit: Visit, imports: Imports, pets: DataSpec,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    upload(monkeypatch, "my pets")
    page = visit()
    assert imports.started == [{"name": "my pets", "owner": LOCAL_OWNER, "sample": ""}] and imports.left_out == [LOST]
    imports.end(pets)
    page.run()
    assert [title.value for title in page.title] == ["Data"] and "pets, 10" in page.button(key="recipe.0").label


def test_several_things_dropped_at_once_get_a_name(ws: Workspace, visit: Visit, imports: Imports, monkeypatch: pytest.MonkeyPatch) -> None:
    upload(monkeypatch, "")
    visit()
    assert imports.started[0]["name"] == "my data"


def test_texts_are_pasted(ws: Workspace, visit: Visit, imports: Imports) -> None:
    page = visit()
    page.button_group(key="start.way").set_value("paste").run()
    page.text_area(key="start.paste").set_value("spam, win\nham, hello").run()
    page.button(key="start.paste.use").click().run()
    assert imports.started == [{"name": "pasted texts", "owner": LOCAL_OWNER, "sample": "", "paste": "spam, win\nham, hello"}]


def test_pasted_texts_stand_there_again_after_a_failure(ws: Workspace, visit: Visit, imports: Imports) -> None:
    page = visit()
    page.button_group(key="start.way").set_value("paste").run()
    page.text_area(key="start.paste").set_value("spam, win").run()
    page.button(key="start.paste.use").click().run()
    imports.fail(Fault("Only one label: a second one is needed", "", ""))
    page.run()
    page.button_group(key="start.way").set_value("paste").run()
    assert page.text_area(key="start.paste").value == "spam, win" and not page.button(key="start.paste.use").disabled


def test_a_folder_of_this_machine_is_offered_only_where_its_owner_opened_one(ws: Workspace, visit: Visit, imports: Imports, tmp_path: Path,
                                                                             monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(visit().button_group(key="start.way").options) == [
        "Folder or files", "Label by label, with a camera too", "Paste texts"]
    (tmp_path / "open" / "pets").mkdir(parents=True)
    monkeypatch.setenv("GRAFT_ROOTS", str(tmp_path / "open"))
    page = visit()
    page.button_group(key="start.way").set_value("here").run()
    page.selectbox(key="start.below").set_value("pets").run()
    page.button(key="start.here.use").click().run()
    assert imports.started == [{"name": "pets", "owner": LOCAL_OWNER, "sample": "", "path": str((tmp_path / "open" / "pets").resolve())}]


def test_a_way_out_of_the_open_folder_is_refused(ws: Workspace, visit: Visit, imports: Imports, tmp_path: Path,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "closed").mkdir()
    (tmp_path / "open" / "link").symlink_to(tmp_path / "closed")
    monkeypatch.setenv("GRAFT_ROOTS", str(tmp_path / "open"))
    page = visit()
    page.button_group(key="start.way").set_value("here").run()
    page.selectbox(key="start.below").set_value("link").run()
    page.button(key="start.here.use").click().run()
    assert len(page.error) == 1 and imports.started == []


def test_names_of_a_large_folder_are_read_only_in_part_and_folders_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "cab":
        (tmp_path / name).mkdir()
    (tmp_path / "a.csv").touch()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    assert ways_in.names_in(tmp_path) == ["a", "b", "c", "a.csv", "circle"] and ways_in.names_in(tmp_path / "gone") == []
    monkeypatch.setattr(ways_in, "MOST_READ", 2)
    assert len(ways_in.names_in(tmp_path)) <= 2


def test_a_failed_import_is_explained_where_the_next_one_is_chosen(ws: Workspace, visit: Visit, imports: Imports,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    upload(monkeypatch, "pets")
    page = visit()
    imports.fail(Fault("Only one label: add a second folder", "All pictures are in “{c}”.", "Give more.",
                       {"c": "![t](http://evil.example)"}))
    page.run()
    (error,) = page.error
    assert error.value.startswith("**Only one label\\: add a second folder**") and "![t]" not in error.value
    assert page.button(key="start.sample.flowers") and page.run().error  # it stays until something else is chosen
    imports.now = ImportStatus("running")
    page.button(key="start.sample.flowers").click().run()
    assert not page.error and "Getting ready …" in said(page)


def test_a_failed_import_of_what_was_collected_can_be_tried_again(ws: Workspace, visit: Visit, imports: Imports,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    again: list[str] = []
    monkeypatch.setattr(import_job, "again", lambda ws, upload_id: again.append(upload_id))
    upload(monkeypatch, "pets")
    page = visit()
    imports.now = ImportStatus("failed", fault=Fault("The disk is full.", "", "Free some space."), kept=True)
    page.run()
    imports.now = ImportStatus("running")
    page.button(key="import.again").click().run()
    assert len(again) == 1 and "Getting ready …" in said(page) and not page.error


def test_what_was_collected_and_is_gone_by_now_is_not_offered_again(ws: Workspace, visit: Visit, imports: Imports,
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    upload(monkeypatch, "pets")
    page = visit()
    imports.now = ImportStatus("failed", fault=Fault("The disk is full.", "", "Free some space."), kept=True)
    page.run()
    page.button(key="import.again").click().run()  # no folder of that import is there
    (error,) = page.error
    assert "This import is not here" in error.value and not page.exception
    assert page.button(key="start.sample.flowers") and not [button for button in page.button if button.key == "import.again"]


def test_an_import_can_be_cancelled(ws: Workspace, visit: Visit, imports: Imports) -> None:
    page = visit().button(key="start.sample.flowers").click().run()
    page.button(key="import.cancel").click().run()
    assert len(imports.cancelled) == 1 and page.button(key="start.sample.flowers") and trouble(page) == []


def test_what_was_collected_can_be_tried_again_after_its_import_was_cancelled(ws: Workspace, visit: Visit, imports: Imports,
                                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    upload(monkeypatch, "pets")
    page = visit()
    imports.now = ImportStatus(kept=True)

    def cancel(ws: Workspace, upload_id: str) -> bool:
        imports.fail(Fault("The import was cancelled.", "", ""))
        imports.now = replace(imports.now, kept=True)
        return True
    monkeypatch.setattr(import_job, "cancel", cancel)
    page.button(key="import.cancel").click().run()
    assert page.button(key="import.again") and "The import was cancelled" in page.error[0].value


def test_an_import_goes_on_at_another_page(ws: Workspace, visit: Visit, imports: Imports) -> None:
    page = visit().button(key="start.sample.flowers").click().run()
    assert "Reading 30 of 120" in said(page.switch_page("data.py").run())


def test_recent_runs_lead_to_their_pages(lived_in: Workspace, visit: Visit) -> None:
    page = visit()
    opened = [button for button in page.button if button.key.startswith("runs.open.")]
    assert len(opened) == 4  # the newest
    page.button(key=f"runs.open.{HOSTILE_RUN}").click().run()
    assert page.query_params["run"] == HOSTILE_RUN and page.metric and trouble(page) == []
