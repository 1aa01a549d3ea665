"""The label doctor on the data page: asked, watched, and its suspects settled; what is decided is not asked again."""
from __future__ import annotations

import re

import pytest
from streamlit.testing.v1 import AppTest

from core.data import edit
from core.data.suspects import Findings, Neighbour, Suspect, load_kept, write_findings
from core.data.texts import write_texts
from core.data.versions import Item, Version, create_dataset, list_datasets, load_version, spec_of
from core.errors import Fault
from core.jobs import doctor
from core.jobs.doctor import DoctorStatus
from core.owners import LOCAL_OWNER
from core.specs import DataSpec, to_json
from core.workspace import Workspace, write_atomic
from pages.routes import tokens
from pages.ui.state import Draft
from tests.pages.conftest import Visit
from tests.pages.prepared import HOSTILE, HOSTILES, PETS, add_dataset
from tests.pages.seen import html, markdown, said, trouble


def found(ws: Workspace, data: DataSpec, n: int = 8) -> Findings:
    """The first `n` items are doubtful, and near to the last."""
    version = load_version(ws, data)
    last = len(version.items) - 1
    near = Neighbour(last, version.items[last].sha, version.labels[version.items[last].label], 0.9)
    suspects = tuple(Suspect(i, item.sha, version.labels[item.label], version.labels[1], 0.02, 0.93, 0.02, (near,))
                     for i, item in enumerate(version.items[:n]))
    findings = Findings(len(version.items), len(version.items), (), suspects, n, n, 0.9, "Took {folds} folds.", {"folds": 5})
    write_findings(ws, data, findings)
    return findings


@pytest.fixture
def pets(ws: Workspace) -> DataSpec:
    data = add_dataset(ws, PETS, ("cat", "dog"), {"train": 12, "val": 4, "test": 4}, name="pets")
    write_atomic(ws.draft(LOCAL_OWNER), to_json(Draft(data=data)))
    return data


def opened(visit: Visit, locale: str = "en-US") -> AppTest:
    page = visit("data.py", locale=locale)
    page.button_group(key="data.view").set_value("doctor").run()
    assert trouble(page) == []
    return page


def choices(page: AppTest) -> list:
    return [group for group in page.button_group if str(group.key).startswith("doctor.choice.")]


def now_current(ws: Workspace) -> Version:
    return load_version(ws, spec_of(ws, next(d for d in list_datasets(ws, LOCAL_OWNER) if d.id == PETS)))


def test_before_the_search_there_is_one_button_with_its_cost(pets: DataSpec, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[DataSpec] = []
    monkeypatch.setattr(doctor, "start", lambda ws, data, owner: asked.append(data))
    page = opened(visit)
    assert "Takes about " in said(page)
    page.button(key="doctor.start").click().run()
    assert asked == [pets]


def test_a_search_shows_how_far_it_is_and_can_be_cancelled(pets: DataSpec, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[DataSpec] = []
    monkeypatch.setattr(doctor, "status", lambda ws, data: DoctorStatus("none" if stopped else "running", "reading", 30, 80))
    monkeypatch.setattr(doctor, "cancel", lambda ws, data: stopped.append(data))
    page = opened(visit)
    assert "Reading all items: 38 %" in said(page)
    page.button(key="doctor.cancel").click().run()
    assert stopped == [pets] and page.button(key="doctor.start")


def test_a_failed_search_is_explained_and_can_be_tried_again(pets: DataSpec, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = Fault("The search for wrong labels stopped unexpectedly.", "No more memory.", "Look again.")
    monkeypatch.setattr(doctor, "status", lambda ws, data: DoctorStatus("failed", fault=fault))
    page = visit("data.py")
    page.button_group(key="data.view").set_value("doctor").run()
    assert "stopped unexpectedly" in page.error[0].value and page.button(key="doctor.start")


def test_suspects_are_listed_with_what_they_look_like(pets: DataSpec, ws: Workspace, visit: Visit) -> None:
    found(ws, pets)
    page = opened(visit)
    assert "8 of 40 labels look doubtful" in said(page) and "Took 5 folds" in said(page)
    assert len(choices(page)) == 6 and "Labeled **cat**, looks like **dog** (93 %)" in markdown(page)
    assert html(page).count(">dog</figcaption>") == 6


def test_pictures_of_an_earlier_version_are_asked_for_as_such(pets: DataSpec, ws: Workspace, visit: Visit) -> None:
    found(ws, pets)
    edit.save(ws, PETS, LOCAL_OWNER, edit.remove(load_version(ws, pets), [0]))  # the first suspect is in the current version no more
    token = re.search(r"token=([^\"&]+)", html(opened(visit)))
    assert token is not None and tokens.read(ws, token[1]).claims == {"dataset": PETS, "version": pets.version}


def test_decisions_are_carried_out_together_and_not_asked_again(pets: DataSpec, ws: Workspace, visit: Visit) -> None:
    suspects = found(ws, pets).suspects
    page = opened(visit)
    for group, decision in zip(choices(page)[:3], ("relabel", "keep", "remove")):
        group.set_value(decision).run()
    assert page.button(key="doctor.apply").label == "Carry out 3 decisions"
    page.button(key="doctor.apply").click().run()
    assert trouble(page) == []
    version = now_current(ws)
    assert [version.labels[item.label] for item in version.items if item.sha == suspects[0].sha] == ["dog"]
    assert load_kept(ws, PETS) == {(suspects[1].sha, "cat")}
    assert suspects[2].sha not in {item.sha for item in version.items} and len(version.items) == 39
    assert len(choices(page)) == 5 and "Found in another version of this data" in said(page)
    assert not {suspect.sha[:16] for suspect in suspects[:3]} & {str(group.key).split(".")[4] for group in choices(page)}


def test_kept_labels_alone_make_no_new_version(pets: DataSpec, ws: Workspace, visit: Visit) -> None:
    found(ws, pets, 2)
    page = opened(visit)
    page.button(key="doctor.keep_rest").click().run()
    assert page.button(key="doctor.apply").label == "Carry out 2 decisions"
    page.button(key="doctor.apply").click().run()
    assert len(load_kept(ws, PETS)) == 2 and spec_of(ws, list_datasets(ws, LOCAL_OWNER)[0]) == pets
    assert "All doubtful labels are settled." in said(page) and choices(page) == []


def test_a_decision_can_be_taken_back_before_it_is_carried_out(pets: DataSpec, ws: Workspace, visit: Visit) -> None:
    found(ws, pets, 2)
    page = opened(visit)
    choices(page)[0].set_value("remove").run()
    assert not page.button(key="doctor.apply").disabled
    choices(page)[0].set_value(None).run()
    assert page.button(key="doctor.apply").disabled


def test_clean_labels_are_good_news(pets: DataSpec, ws: Workspace, visit: Visit) -> None:
    found(ws, pets, 0)
    assert "No label looks clearly wrong among 40." in said(opened(visit))


def test_texts_are_shown_letter_by_letter(ws: Workspace, visit: Visit) -> None:
    items = tuple(Item(f"{i:064x}", f"t.csv:{i}", i // 6, "train", length=20) for i in range(12))
    data = create_dataset(ws, HOSTILES, "texts", LOCAL_OWNER, Version(HOSTILE[:2], items, task="text"))
    write_texts(ws.dataset(HOSTILES) / "texts.parquet", {item.sha: f"<img src=x> **bold** {i}" for i, item in enumerate(items)})
    write_atomic(ws.draft(LOCAL_OWNER), to_json(Draft(data=data)))
    found(ws, data, 2)
    page = opened(visit)
    assert "&lt;img src=x&gt; **bold** 0" in html(page) and "<img src=x" not in html(page)
    assert [name for name in HOSTILE if name in markdown(page)] == []


def test_the_page_speaks_chinese(pets: DataSpec, ws: Workspace, visit: Visit) -> None:
    found(ws, pets)
    page = opened(visit, "zh-CN")
    assert "40 个标签中有 8 个可疑" in said(page) and "looks like" not in said(page)
