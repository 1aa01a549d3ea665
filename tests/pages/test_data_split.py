"""The split on the Data page: true counts in words, other shares, groups with a preview."""
from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from core.data.facts import Facts, Near, write_facts
from core.data.groups import GroupRule
from core.data.splitting import assign_splits
from core.data.versions import Item, Shares, TableChoice, TableSource, Version, create_dataset, last_change, load_dataset, load_version
from core.owners import LOCAL_OWNER
from core.specs import DataSpec, from_json, to_json
from core.workspace import Workspace, write_atomic
from pages.ui.data_split import NONE, PATTERN
from pages.ui.state import Draft
from tests.pages.prepared import HOSTILE
from tests.pages.seen import markdown, said, trouble

KEY = "splitdataset"


def items(pattern: str, n: int = 20, labels: int = 2) -> tuple[Item, ...]:
    """`n` items of each label, named by `pattern` from the label, a patient of four items, and a number."""
    names = [(label, pattern.format(label=label, patient=number // 4, number=number)) for label in range(labels) for number in range(n)]
    return tuple(Item(hashlib.sha256(name.encode()).hexdigest(), name, label, "train") for label, name in names)


def dataset(ws: Workspace, version: Version, facts: Facts = Facts()) -> DataSpec:
    data = create_dataset(ws, KEY, "pets", LOCAL_OWNER, version)
    write_facts(ws, KEY, facts)
    write_atomic(ws.draft(LOCAL_OWNER), to_json(Draft(data=data)))
    return data


def visit(locale: str = "en-US") -> AppTest:
    def page() -> None:
        from core.data.facts import load_facts
        from pages.ui import data_split, state
        data = state.draft().data
        data_split.said_of_sides(state.version())
        data_split.section(data, state.version(), load_facts(state.workspace(), data.dataset))
    shown = AppTest.from_function(page, default_timeout=60)
    shown.context = {"locale": locale, "theme": "light", "timezone": "Europe/Berlin"}
    return shown.run()


def now(ws: Workspace) -> Version:
    """The version that the draft looks at, which is the current one."""
    data = from_json(Draft, ws.draft(LOCAL_OWNER).read_bytes()).data
    assert data is not None and data.version == load_dataset(ws, KEY, LOCAL_OWNER).current
    return load_version(ws, data)


def change(ws: Workspace) -> str:
    made = last_change(load_dataset(ws, KEY, LOCAL_OWNER))
    return made.what.format(**made.params) if made else ""


def sides_of_groups(version: Version) -> dict[str, set[str]]:
    sides: dict[str, set[str]] = defaultdict(set)
    for item in version.items:
        sides[item.group].add(item.split)
    return sides


def choices(page: AppTest) -> list[str]:
    return list(page.selectbox[0].options)


@pytest.fixture
def pets(ws: Workspace) -> DataSpec:
    """Two labels of 20, in five patients of four, split with no regard for them."""
    return dataset(ws, Version(("cat", "dog"), assign_splits(items("{label}/p{patient}_{number}.jpg"))))


def test_true_counts_stand_in_words(pets: DataSpec) -> None:
    page = visit()
    assert ("**28** (70 %) to learn from  ·  **6** (15 %) for choosing the best epoch (validation)  ·  **6** (15 %) used once at the end"
            in markdown(page))
    assert "Split by content" in said(page) and "group" not in [caption.value for caption in page.caption][0] and trouble(page) == []


def test_other_shares_split_again(ws: Workspace, pets: DataSpec) -> None:
    page = visit()
    page.number_input(key=f"data.split.val.{pets.version}").set_value(20)
    page.number_input(key=f"data.split.test.{pets.version}").set_value(0)
    page.button(key="data.split.again").click().run()
    assert now(ws).shares == Shares(0.2, 0) and Counter(item.split for item in now(ws).items) == {"train": 32, "val": 8}
    assert "There are no test items" in page.info[0].value and change(ws) == "Split again: 20 % for validation, 0 % for the test"
    assert [number.value for number in page.number_input] == [20, 0] and trouble(page) == []


def test_near_copies_are_kept_together_by_a_new_split(ws: Workspace) -> None:
    given = items("{label}/{number}.jpg")
    pairs = [tuple(sorted((given[0].sha, given[i].sha))) for i in range(1, 9)]
    dataset(ws, Version(("cat", "dog"), assign_splits(given)), Facts(near=tuple(Near(a, b, 1.0) for a, b in pairs)))
    page = visit()
    page.button(key="data.split.again").click().run()
    assert len({item.split for item in now(ws).items[:9]}) == 1


def test_a_split_that_came_with_the_files_is_kept_until_graft_is_asked(ws: Workspace) -> None:
    fixed = tuple(replace(item, split="val" if number % 2 else "train") for number, item in enumerate(items("{label}/{number}.jpg")))
    dataset(ws, Version(("cat", "dog"), fixed, fixed_splits=True))
    page = visit()
    assert "The split came with your files and was kept." in said(page)
    assert page.button(key="data.split.again").label == "Let Graft split instead"
    page.button(key="data.split.again").click().run()
    assert not now(ws).fixed_splits and Counter(item.split for item in now(ws).items) == {"train": 28, "val": 6, "test": 6}
    assert "Split by content" in said(page) and page.button(key="data.split.again").label == "Split again"


def test_a_suggested_grouping_is_shown_and_applied(ws: Workspace, pets: DataSpec) -> None:
    page = visit()
    assert choices(page) == ["By the beginning of the file name: p0, p1, p2 …", "By a pattern of my own"]
    page.selectbox[0].set_value(GroupRule("prefix", 1, "_")).run()
    assert "5 groups of 8 items each" in markdown(page)
    assert page.dataframe[0].value.values.tolist()[:2] == [["0/p0_0.jpg", "p0"], ["0/p0_1.jpg", "p0"]]
    assert now(ws) == load_version(ws, pets), "nothing has changed yet"
    page.button(key="data.group.apply").click().run()
    sides = sides_of_groups(now(ws))
    assert sorted(sides) == ["p0", "p1", "p2", "p3", "p4"] and all(len(on) == 1 for on in sides.values())
    assert "5 groups; each stands on one side only" in said(page) and change(ws) == "Split again with 5 groups kept whole"


def test_a_pattern_is_tried_out_while_it_is_typed(ws: Workspace, pets: DataSpec) -> None:
    page = visit()
    page.selectbox[0].set_value(PATTERN).run()
    assert "data.group.apply" not in [button.key for button in page.button]
    page.text_input(key="data.group.pattern").set_value("no group").run()
    assert "once" in page.error[0].value
    page.text_input(key="data.group.pattern").set_value("x{group}_*").run()
    assert "This fits no file name." in said(page) and page.button(key="data.group.apply").disabled
    page.text_input(key="data.group.pattern").set_value("p{group}_*.jpg").run()
    assert page.dataframe[0].value["Group"].tolist() == ["0", "0", "1", "1", "2", "2"] and not page.error
    page.button(key="data.group.apply").click().run()
    assert set(sides_of_groups(now(ws))) == {"0", "1", "2", "3", "4"}


def test_groups_can_be_taken_away(ws: Workspace) -> None:
    grouped = tuple(replace(item, group=item.name.split("_")[0]) for item in items("{label}/p{patient}_{number}.jpg"))
    dataset(ws, Version(("cat", "dog"), assign_splits(grouped)))
    page = visit()
    page.selectbox[0].set_value(NONE).run()
    page.button(key="data.group.none").click().run()
    assert set(sides_of_groups(now(ws))) == {""} and "groups;" not in said(page)


def test_groups_on_two_sides_are_named(ws: Workspace) -> None:
    split = assign_splits(items("{label}/p{patient}_{number}.jpg"))
    dataset(ws, Version(("cat", "dog"), tuple(replace(item, group=HOSTILE[number % 2]) for number, item in enumerate(split))))
    page = visit()
    assert "2 groups; 2 of them stand on more than one side" in said(page) and not any(name in markdown(page) for name in HOSTILE)


def test_labels_that_are_not_on_every_side_are_named(ws: Workspace) -> None:
    few = tuple(replace(item, label=2) for item in items("few/{number}.jpg", n=2, labels=1))
    dataset(ws, Version(("cat", "dog", "rare"), assign_splits([*items("{label}/{number}.jpg"), *few])))
    assert "belong together: rare" in said(visit())


def test_what_can_not_be_done_is_said_in_place(ws: Workspace, pets: DataSpec) -> None:
    page = visit()
    page.selectbox[0].set_value(PATTERN).run()
    page.text_input(key="data.group.pattern").set_value("{group}/*.jpg").run()
    page.button(key="data.group.apply").click().run()
    assert "No item could be held back" in page.error[0].value and now(ws) == load_version(ws, pets)


def test_rows_of_a_table_are_grouped_by_a_column(ws: Workspace) -> None:
    rows = items("train.csv:{label}{number}")
    source = TableSource((("train.csv", "0" * 64),), ("text", "label"), TableChoice("text", "label", "", "utf-8"))
    dataset(ws, Version(("cat", "dog"), assign_splits(rows), task="text", table=source))
    page = visit()
    assert "choose it under “Columns and encoding”" in said(page) and not page.selectbox and trouble(page) == []


def test_the_section_speaks_chinese(pets: DataSpec) -> None:
    page = visit("zh-CN")
    assert "**28**（70%）用于学习" in markdown(page) and page.button(key="data.split.again").label == "重新划分" and trouble(page) == []
