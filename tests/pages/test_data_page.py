"""Data: what there is, what was left out, and another set chosen."""
from __future__ import annotations

import json

import pytest
from streamlit.testing.v1 import AppTest

from core.data import edit
from core.data.versions import Rejected, list_datasets, load_version, spec_of
from core.owners import LOCAL_OWNER
from core.specs import DataSpec, from_json, to_json
from core.workspace import Workspace, write_atomic
from pages.ui.components.item_grid import Act
from pages.ui.state import Draft
from tests.pages.conftest import Visit
from tests.pages.prepared import HELD, HOSTILE, HOSTILES, PETS, add_dataset
from tests.pages.seen import html, markdown, said, texts, trouble


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


def shown(page: AppTest) -> list[dict[str, str]]:
    """The items in the grid, as the browser gets them."""
    data = next(json.loads(text) for _kind, text in texts(page) if text.startswith('{"reveal"'))
    return [cell for group in data["groups"] for cell in group]


def test_files_left_out_are_named_with_the_reason(pets: DataSpec, visit: Visit) -> None:
    page = visit("data.py")
    assert [table.value.values.tolist() for table in page.dataframe[1:]] == [
        [["cat/notes.jpg", "The file is empty."]], [["dog/<b>.jpg", "“d{o}g” has 1 items, needs 2"]]]
    assert "Empty files or texts, left out: 1" in said(page).replace("\\", "")


def test_pictures_come_in_pages_and_can_be_filtered_by_label_side_and_name(pets: DataSpec, visit: Visit) -> None:
    page = visit("data.py")
    assert len(shown(page)) == 48 and {cell["label"] for cell in shown(page)} == {"cat", "dog"}
    page.button_group(key=f"data.label.{pets.version}").set_value(1).run()
    assert len(shown(page)) == 48 and {cell["label"] for cell in shown(page)} == {"dog"}
    page.button_group(key="data.side").set_value("test").run()
    assert [cell["note"] for cell in shown(page)] == ["test", "test"]
    page.text_input(key="data.search").set_value("1/test-1").run()
    assert [cell["name"] for cell in shown(page)] == ["1/test-1.jpg"]
    page.text_input(key="data.search").set_value("no such file").run()
    assert "Nothing fits this search." in said(page) and trouble(page) == []


def test_a_set_without_test_pictures_says_what_scores_will_mean(ws: Workspace, visit: Visit) -> None:
    prepare(ws, add_dataset(ws, HELD, ("cat", "dog"), {"train": 3, "val": 2}))
    page = visit("data.py")
    page.button_group(key="data.view").set_value("split").run()
    assert "There are no test items" in page.info[0].value and "The split came with your files and was kept." in said(page)


def test_ticked_labels_are_renamed_merged_and_dropped_and_every_step_is_undone(ws: Workspace, visit: Visit,
                                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(ws, add_dataset(ws, PETS, ("cat", "dog", "kitty"), {"train": 4, "val": 1, "test": 1}, name="pets"))
    ticked: list[int] = []
    monkeypatch.setattr("pages.ui.data_labels.counts_table", lambda version, key: ticked)  # a test can't tick rows of a table
    page = visit("data.py")

    def labels() -> tuple[str, ...]:
        spec = from_json(Draft, ws.draft(LOCAL_OWNER).read_bytes()).data
        return load_version(ws, spec).labels

    def press(label: str, *rows: int, name: str = "") -> None:
        ticked[:] = rows
        page.run()
        if name:
            next(field for field in page.text_input if (field.key or "").startswith("data.rename.")).set_value(name).run()
        next(button for button in page.button if button.label == label).click().run()
        ticked.clear()
        page.run()
        assert trouble(page) == []

    press("Rename", 0, name="tomcat")
    assert labels() == ("dog", "kitty", "tomcat")
    press("Merge 2 labels", 1, 2, name="cats")
    assert labels() == ("cats", "dog")
    press("Undo")
    assert labels() == ("dog", "kitty", "tomcat")
    press("Drop", 1)
    assert labels() == ("dog", "tomcat")
    press("Undo")
    press("Undo")
    assert labels() == ("cat", "dog", "kitty")
    press("Redo")
    assert labels() == ("dog", "kitty", "tomcat")


def test_what_cant_be_done_is_said_and_changes_nothing(pets: DataSpec, ws: Workspace, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pages.ui.data_labels.counts_table", lambda version, key: [0])
    page = visit("data.py").button(key="data.drop").click().run()
    assert len(page.error) == 1 and list_datasets(ws, LOCAL_OWNER)[0].versions == (pets.version,)


def test_an_act_in_the_grid_makes_a_version(pets: DataSpec, ws: Workspace, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    acts = iter([Act("relabel", (0, 1), "hen"), None, Act("remove", (0,)), None])
    monkeypatch.setattr("pages.ui.data_items.item_grid", lambda *_, **__: next(acts, None))
    visit("data.py")
    dataset = list_datasets(ws, LOCAL_OWNER)[0]
    assert load_version(ws, spec_of(ws, dataset)).labels == ("cat", "dog", "hen") and len(dataset.versions) == 2


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
    assert {cell["label"] for cell in shown(page)} == set(HOSTILE) and page.dataframe[0].value["Label"].tolist() == list(HOSTILE)


def test_the_way_on_is_to_the_model(pets: DataSpec, visit: Visit) -> None:
    page = visit("data.py").button(key="recipe.next").click().run()
    assert [title.value for title in page.title] == ["Model"]


def test_labels_of_unlike_size_are_weighed_equally_at_a_click(ws: Workspace, visit: Visit) -> None:
    prepare(ws, add_dataset(ws, PETS, ("cat", "dog"), {"train": 24, "val": 4, "test": 4}, name="pets"))
    few = load_version(ws, spec_of(ws, list_datasets(ws, LOCAL_OWNER)[0]))
    rare = [position for position, item in enumerate(few.items) if item.label == 1 and position % 32 > 1]
    prepare(ws, edit.save(ws, PETS, LOCAL_OWNER, edit.remove(few, rare)))
    page = visit("data.py").button(key="data.health.imbalance.weigh").click().run()
    assert trouble(page) == [] and not [b for b in page.button if b.key == "data.health.imbalance.weigh"]
    assert from_json(Draft, ws.draft(LOCAL_OWNER).read_bytes()).actual_config().class_weights
