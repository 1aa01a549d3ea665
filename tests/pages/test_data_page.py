"""Data: what there is, what was left out, and another set chosen."""
from __future__ import annotations

import pytest

from core.data.versions import Rejected
from core.owners import LOCAL_OWNER
from core.specs import DataSpec, from_json, to_json
from core.workspace import Workspace, write_atomic
from pages.ui.state import Draft
from tests.pages.conftest import Visit
from tests.pages.prepared import HELD, HOSTILE, HOSTILES, PETS, add_dataset
from tests.pages.seen import html, markdown, said, trouble


def prepare(ws: Workspace, data: DataSpec) -> None:
    write_atomic(ws.draft(LOCAL_OWNER), to_json(Draft(data=data)))


@pytest.fixture
def pets(ws: Workspace) -> DataSpec:
    data = add_dataset(ws, PETS, ("cat", "dog"), {"train": 40, "val": 8, "test": 2}, name="pets", rejected=(
        Rejected("cat/notes.jpg", "The file is empty."),
        Rejected("dog/<b>.jpg", "“{c}” has {n} items, needs {m}", {"c": "d{o}g", "n": 1, "m": 2})))
    prepare(ws, data)
    return data


def test_counts_are_those_of_the_split_as_it_is(pets: DataSpec, visit: Visit) -> None:
    table = visit("data.py").dataframe[0].value
    assert table.to_dict("records") == [{"Label": label, "Total": 50, "Training": 40, "Validation": 8, "Test": 2}
                                        for label in ("cat", "dog")]


def test_files_left_out_are_named_with_the_reason(pets: DataSpec, visit: Visit) -> None:
    page = visit("data.py")
    assert [box.label for box in page.expander] == ["Use other data", "2 unreadable files left out: see which"]
    assert page.dataframe[1].value.values.tolist() == [["cat/notes.jpg", "The file is empty."],
                                                       ["dog/<b>.jpg", "“d{o}g” has 1 items, needs 2"]]


def test_pictures_come_in_pages_and_can_be_filtered_by_label(pets: DataSpec, visit: Visit) -> None:
    page = visit("data.py")
    assert html(page).count("<img") == 48
    pills = page.button_group(key=f"data.label.{pets.version}")
    pills.set_value(1).run()
    assert html(page).count(">dog</figcaption>") == 48 and ">cat</figcaption>" not in html(page)


def test_a_set_without_test_pictures_says_what_scores_will_mean(ws: Workspace, visit: Visit) -> None:
    prepare(ws, add_dataset(ws, HELD, ("cat", "dog"), {"train": 3, "val": 2}))
    page = visit("data.py")
    assert "There are no test pictures" in page.info[0].value and "The split came with your folders and was kept." in said(page)


def test_another_set_is_chosen_from_the_list(pets: DataSpec, ws: Workspace, visit: Visit) -> None:
    held = add_dataset(ws, HELD, ("cat", "dog"), {"train": 3, "val": 2}, name="held")
    page = visit("data.py")
    assert page.selectbox(key="data.chosen").value == PETS
    page.selectbox(key="data.chosen").set_value(HELD).run()
    assert "held, 10" in page.button(key="recipe.0").label and trouble(page) == []
    assert from_json(Draft, ws.draft(LOCAL_OWNER).read_bytes()).data == held


def test_labels_are_shown_letter_by_letter(ws: Workspace, visit: Visit) -> None:
    prepare(ws, add_dataset(ws, HOSTILES, HOSTILE, {"train": 2, "val": 1, "test": 1}, name=HOSTILE[1]))
    page = visit("data.py")
    assert [name for name in HOSTILE if name in markdown(page)] == [] and "<img src=x" not in html(page)
    assert "&lt;img src=x" in html(page) and page.dataframe[0].value["Label"].tolist() == list(HOSTILE)


def test_the_way_on_is_to_the_model(pets: DataSpec, visit: Visit) -> None:
    page = visit("data.py").button(key="recipe.next").click().run()
    assert [title.value for title in page.title] == ["Model"]
