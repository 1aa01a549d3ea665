"""Texts and tables become datasets: whole, once, or not at all; what is added and read again is the next version."""
from __future__ import annotations

import hashlib
import io
from collections import Counter
from pathlib import Path

import pytest

from core.data.intake import publish
from core.data.intake.entries import Entry
from core.data.intake.importing import import_paste, import_path, reread
from core.data.intake.read_texts import keep_tables
from core.data.intake.route import FOLDERS_COUNT
from core.data.limits import LIMITS
from core.data.texts import load_texts
from core.data.versions import TableChoice, Version, load_dataset, load_version
from core.errors import DataError
from core.specs import DataSpec
from core.workspace import Workspace
from tests.core.data.intake.test_importing import OWNER, silent, zip_of
from tests.core.data.picture_files import classes, everything, jpeg, write_tree
from tests.core.data.table_files import csv_bytes, text_rows

ROWS = text_rows({"good": 20, "bad": 20})
TABLE = csv_bytes([["text", "label"], *ROWS])


def bring(ws: Workspace, path: Path, **asked: object) -> DataSpec:
    return import_path(ws, path, name="reviews", owner=OWNER, progress=silent, **asked)  # type: ignore[arg-type]


def table_file(folder: Path, data: bytes, name: str = "t.csv") -> Path:
    (folder / name).write_bytes(data)
    return folder / name


def sides(version: Version) -> dict[str, int]:
    return {side: sum(counts.values()) for side, counts in version.counts().items()}


def refused(ws: Workspace, path: Path, **asked: object) -> DataError:
    before = everything(ws.root)
    with pytest.raises(DataError) as caught:
        bring(ws, path, **asked)
    assert everything(ws.root) == before and "{" not in str(caught.value)
    return caught.value


def test_rows_become_items_with_their_texts(ws: Workspace, tmp_path: Path) -> None:
    data = bring(ws, table_file(tmp_path, TABLE))
    version, texts = load_version(ws, data), load_texts(ws, data.dataset)
    assert (data.task, version.task, version.labels, version.fixed_splits) == ("text", "text", ("bad", "good"), False)
    assert {(texts[item.sha], version.labels[item.label]) for item in version.items} == {(text, label) for text, label in ROWS}
    for item in version.items:
        text = texts[item.sha]
        assert item.sha == hashlib.sha256(text.encode()).hexdigest() and item.length == len(text)
        assert text == ROWS[int(item.name.removeprefix("t.csv:")) - 2][0]
    assert version.table and version.table.choice == TableChoice("text", "label", "", "utf-8") and version.table.columns == ("text", "label")
    [(name, sha)] = version.table.files
    assert name == "t.csv" and ws.blob(sha).read_bytes() == TABLE
    assert not list(ws.uploads.iterdir())


def test_the_same_table_is_recognised_alone_in_a_folder_and_in_a_zip(ws: Workspace, tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "set", {"inner/t.csv": TABLE})
    first = bring(ws, tree / "inner" / "t.csv")
    before = everything(ws.root)
    assert bring(ws, tree) == first and bring(ws, zip_of(tree)) == first and everything(ws.root) == before


def test_texts_are_kept_as_they_are(ws: Workspace, tmp_path: Path) -> None:
    odd = ["  blanks around  ", "two\nlines", "tab\there", "NA", "\u4f60\u597d"]
    rows = [[text, label] for text in odd for label in ("a",)] + [["other one", "b"], ["other two", "b"]]
    data = bring(ws, table_file(tmp_path, csv_bytes([["text", "label"], *rows])))
    assert set(load_texts(ws, data.dataset).values()) == {row[0] for row in rows}


@pytest.mark.parametrize("names", [("train.csv", "dev.csv", "test.csv"), ("my_train.csv", "my_valid.csv", "my_test.csv"),
                                   ("train/a.csv", "val/a.csv", "test/a.csv"), ("train-00000-of-00001.csv", "validation-0.csv", "test-0.csv")])
def test_names_of_tables_give_the_sides(ws: Workspace, tmp_path: Path, names: tuple[str, ...]) -> None:
    parts = (ROWS[:10] + ROWS[20:30], ROWS[10:14] + ROWS[30:34], ROWS[14:20] + ROWS[34:])
    tree = write_tree(tmp_path / "set", {name: csv_bytes([["text", "label"], *part]) for name, part in zip(names, parts)})
    version = load_version(ws, bring(ws, tree))
    assert version.fixed_splits and sides(version) == {"train": 20, "val": 8, "test": 12}


def test_a_column_gives_the_sides_and_another_the_groups(ws: Workspace, tmp_path: Path) -> None:
    rows = [[text, label, ("train", "test", "training")[number % 3], f"p{number % 5}"] for number, (text, label) in enumerate(ROWS)]
    rows[0][2] = "somewhere"
    version = load_version(ws, bring(ws, table_file(tmp_path, csv_bytes([["text", "label", "split", "patient"], *rows]))))
    assert version.fixed_splits and sides(version)["test"] == 13
    assert {item.group for item in version.items} == {"p0", "p1", "p2", "p3", "p4"}
    assert [(one.name, one.reason.format(**one.params)) for one in version.rejected] == [("t.csv:2", "“somewhere” is neither training, validation nor test.")]


def test_tables_are_read_in_the_order_of_their_source(tmp_path: Path) -> None:
    """A packed tar would be unpacked anew for each step back."""
    opened: list[str] = []

    def table(name: str) -> Entry:
        return Entry(name, 4, lambda: opened.append(name) or io.BytesIO(name.encode()))
    kept, _ = keep_tables([table("c.csv"), table("a.csv"), table("b.csv")], "set", tmp_path, LIMITS)
    assert opened == ["c.csv", "a.csv", "b.csv"] and [one.name for one in kept] == ["a.csv", "b.csv", "c.csv"]


def test_text_files_in_folders(ws: Workspace, tmp_path: Path) -> None:
    files = {f"set/{side}/{label}/{n}.txt": f"{label} text {n} of {side}, größer".encode("cp1252") for side, many in (("train", 12), ("test", 3))
             for label in ("pos", "neg") for n in range(many)}
    tree = write_tree(tmp_path / "reviews", files | {"set/README": b"about", "set/train/pos/empty.txt": b" \n"})
    data = bring(ws, tree)
    version = load_version(ws, data)
    assert (data.task, version.labels, version.fixed_splits, version.table) == ("text", ("neg", "pos"), True, None)
    assert sides(version)["test"] == 6 and "größer" in next(iter(load_texts(ws, data.dataset).values()))
    assert ("train/pos/empty.txt", "The text is empty.") in [(one.name, one.reason) for one in version.rejected]


@pytest.mark.parametrize("listed, header", [
    (lambda n, label: [f"p{n}.jpg", label], ["file", "label"]), (lambda n, label: [f"p{n}", label], ["id", "breed"]),
    (lambda n, label: [f"C:\\data\\IMAGES\\P{n}.JPG", label], ["path", "label"]), (lambda n, label: [label, f"../input/images/p{n}.jpg"], None)])
def test_a_table_beside_pictures_labels_them(ws: Workspace, tmp_path: Path, listed: object, header: list[str] | None) -> None:
    rows = [listed(n, "cat" if n % 2 else "dog") for n in range(12)]  # type: ignore[operator]
    pictures = {f"images/p{n}.jpg": jpeg(n) for n in range(13)}
    tree = write_tree(tmp_path / "pets", pictures | {"train.csv": csv_bytes([*([header] if header else []), *rows, listed(99, "cat")])})  # type: ignore[operator]
    version = load_version(ws, bring(ws, tree))
    assert version.task == "image" and version.labels == ("cat", "dog") and len(version.items) == 12
    assert all(version.labels[item.label] == ("cat" if int(item.name[8:-4]) % 2 else "dog") for item in version.items)
    assert [one.name for one in version.rejected] == ["images/p12.jpg", f"train.csv:{14 if header else 13}"]
    assert version.table and version.table.files[0][0] == "train.csv"


def test_folders_that_tell_labels_win_over_a_table_that_does_not_match(ws: Workspace, tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "pets", classes({"cat": 4, "dog": 4}) | {"notes.csv": TABLE})
    version = load_version(ws, bring(ws, tree))
    assert version.task == "image" and version.labels == ("cat", "dog") and version.table is None
    assert [(one.name, one.reason) for one in version.rejected] == [("notes.csv", FOLDERS_COUNT)]


def test_a_table_that_names_no_picture_is_told(ws: Workspace, tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "pets", {f"images/{n}.jpg": jpeg(n) for n in range(8)} | {"t.csv": csv_bytes([["id", "label"], *[[f"x{n}", "ab"[n % 2]] for n in range(8)]])})
    assert refused(ws, tree).title == "“{file}” names too few of the pictures."


def test_a_table_chosen_by_itself_labels_the_pictures_beside_it(ws: Workspace, tmp_path: Path) -> None:
    rows = [[f"img/{n}.jpg", "xy"[n % 2]] for n in range(8)]
    tree = write_tree(tmp_path / "set", {name: jpeg(n) for n, (name, _) in enumerate(rows)} | {
        "cat/21.jpg": jpeg(20), "labels.csv": csv_bytes([["path", "label"], *rows]), "other.csv": TABLE})
    version = load_version(ws, bring(ws, tree / "labels.csv"))
    assert {(item.name, version.labels[item.label]) for item in version.items} == {(name, label) for name, label in rows}
    assert version.table and [name for name, _ in version.table.files] == ["labels.csv"]


def test_a_table_of_pictures_without_them_makes_no_texts_of_their_names(ws: Workspace, tmp_path: Path) -> None:
    table = table_file(tmp_path, csv_bytes([["path", "label"], *([f"img/{n}.JPG", "xy"[n % 2]] for n in range(20))]))
    with pytest.raises(DataError, match="names pictures and holds no texts.*img/0.JPG.*Choose the folder"):
        bring(ws, table)
    assert everything(ws.root) == set()


def test_pictures_and_texts_together_are_refused(ws: Workspace, tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "set", classes({"cat": 6}) | {f"dog/n{n}.txt": b"woof woof" for n in range(6)})
    assert refused(ws, tree).title == "“{file}” holds pictures and texts."


@pytest.mark.parametrize("text, expected", [
    ("spam, Win, now\nham, See you\nspam, Prize\nham, ok, bye", {("spam", "Win, now"), ("ham", "See you"), ("spam", "Prize"), ("ham", "ok, bye")}),
    ("spam\tWin\nham\tSee you\nspam\tPrize now\nham\tok bye", {("spam", "Win"), ("ham", "See you"), ("spam", "Prize now"), ("ham", "ok bye")}),
    ("text,label\na b c,x\nd e f,y\ng h i,x\nj k l,y", {("x", "a b c"), ("y", "d e f"), ("x", "g h i"), ("y", "j k l")}),
    ("好评，很好吃\n差评，太慢了\n好评，还会来\n差评，不好吃", {("好评", "很好吃"), ("差评", "太慢了"), ("好评", "还会来"), ("差评", "不好吃")})])
def test_pasted_lines(ws: Workspace, text: str, expected: set[tuple[str, str]]) -> None:
    data = import_paste(ws, text, name="pasted", owner=OWNER, progress=silent)
    version, texts = load_version(ws, data), load_texts(ws, data.dataset)
    assert {(version.labels[item.label], texts[item.sha]) for item in version.items} == expected


@pytest.mark.parametrize("text", ["", "  \n", "no label here", "one, two", "a\tb\n"])
def test_pasted_lines_that_make_no_dataset(ws: Workspace, text: str) -> None:
    with pytest.raises(DataError):
        import_paste(ws, text, name="pasted", owner=OWNER, progress=silent)
    assert everything(ws.root) == set()


def test_other_columns_make_the_next_version(ws: Workspace, tmp_path: Path) -> None:
    rows = [[text, label, "sunny" if number % 4 else "rainy", f"title number {number}"] for number, (text, label) in enumerate(ROWS)]
    data = bring(ws, table_file(tmp_path, csv_bytes([["text", "label", "weather", "title"], *rows])))
    next_one = reread(ws, data, OWNER, TableChoice("title", "weather"), silent)
    version, dataset = load_version(ws, next_one), load_dataset(ws, data.dataset, OWNER)
    assert next_one.dataset == data.dataset and version.labels == ("rainy", "sunny") and next_one.task == "text"
    assert version.table and version.table.choice == TableChoice("title", "weather", "", "utf-8")
    assert [change.what for change in dataset.changes] == ["Read again with other columns"] and dataset.current == next_one.version
    texts = load_texts(ws, data.dataset)
    assert all(item.sha in texts for one in (data, next_one) for item in load_version(ws, one).items)
    before = everything(ws.root)
    for wrong in (TableChoice("nothing", "weather"), TableChoice("text", "title"), TableChoice("text", "label", encoding="klingon")):
        with pytest.raises(DataError):
            reread(ws, next_one, OWNER, wrong, silent)
    assert everything(ws.root) == before


def test_pictures_listed_in_a_table_can_be_labeled_by_another_column(ws: Workspace, tmp_path: Path) -> None:
    rows = [[f"p{n}", "cat" if n % 2 else "dog", "old" if n < 5 else "young"] for n in range(12)]
    tree = write_tree(tmp_path / "pets", {f"images/p{n}.jpg": jpeg(n) for n in range(12)} | {"l.csv": csv_bytes([["id", "label", "age"], *rows])})
    data = bring(ws, tree)
    version = load_version(ws, reread(ws, data, OWNER, TableChoice("id", "age"), silent))
    assert version.labels == ("old", "young") and Counter(item.label for item in version.items) == {0: 5, 1: 7}


def test_added_texts_leave_what_is_there_where_it_is(ws: Workspace, tmp_path: Path) -> None:
    data = bring(ws, table_file(tmp_path, TABLE))
    old = load_version(ws, data)
    more = [*ROWS[:3], *text_rows({"ugly": 4, "good": 25})[4:]]
    new = load_version(ws, added := bring(ws, table_file(tmp_path, csv_bytes([["text", "label"], *text_rows({"ugly": 4}), *more]), "more.csv"), into=data.dataset))
    assert new.labels == ("bad", "good", "ugly") and len(new.items) == 40 + 4 + 5 and added.dataset == data.dataset
    for before, after in zip(old.items, new.items):
        assert (before.sha, before.split, before.name, old.labels[before.label]) == (after.sha, after.split, after.name, new.labels[after.label])
    [change] = load_dataset(ws, data.dataset, OWNER).changes
    assert (change.what, change.params) == ("{n} items added; {m} were there already", {"n": 9, "m": 23})
    assert set(load_texts(ws, data.dataset)) == {item.sha for item in new.items}


def test_tables_are_not_read_again_together_when_sides_that_their_names_tell_would_be_lost(ws: Workspace, tmp_path: Path) -> None:
    head = [["text", "label"]]
    tree = write_tree(tmp_path / "set", {"train.csv": csv_bytes([*head, *ROWS[::2]]), "test.csv": csv_bytes([*head, *ROWS[1::2]])})
    data = bring(ws, tree)
    assert load_version(ws, data).table
    more = csv_bytes([*head, *text_rows({"ugly": 4})])
    assert load_version(ws, bring(ws, table_file(tmp_path, more, "more.csv"), into=data.dataset)).table is None


def test_tables_are_not_read_again_together_when_they_would_name_several_pictures_alike(ws: Workspace, tmp_path: Path) -> None:
    def upload(folder: str, seed: int, first: int) -> Path:
        rows = [[f"{n}.jpg", "xy"[n % 2]] for n in range(first, first + 8)]
        return write_tree(tmp_path / folder, {name: jpeg(seed + n) for n, (name, _) in enumerate(rows)} | {
            "labels.csv": csv_bytes([["path", "label"], *rows])})

    data = bring(ws, upload("a", 0, 0))
    other = load_version(ws, bring(ws, upload("b", 20, 8), into=data.dataset))
    assert other.table and len(other.table.files) == 2
    assert load_version(ws, bring(ws, upload("c", 40, 8), into=data.dataset)).table is None


def test_pictures_of_one_label_can_be_added(ws: Workspace, tmp_path: Path) -> None:
    data = bring(ws, write_tree(tmp_path / "pets", classes({"cat": 4, "dog": 4})))
    new = load_version(ws, bring(ws, write_tree(tmp_path / "owl", {f"{n}.jpg": jpeg(100 + n) for n in range(3)}), into=data.dataset))
    assert new.labels == ("cat", "dog", "owl") and len(new.items) == 11
    for item in new.items:
        assert ws.blob(item.sha).is_file() and ws.thumb(item.sha).is_file()


def test_what_is_added_to_a_given_split_follows_it_and_opens_no_new_side(ws: Workspace, tmp_path: Path) -> None:
    first = bring(ws, write_tree(tmp_path / "pets", classes({"train/ant": 12, "train/bee": 12, "val/ant": 6, "val/bee": 6})))
    more = {f"ant/{name}": data for name, data in ((f"new{i}.jpg", jpeg(5000 + i)) for i in range(6))}
    added = load_version(ws, bring(ws, write_tree(tmp_path / "ants", more), into=first.dataset))
    assert len(added.items) == 42 and not added.split("test")
    assert sum(item.name.startswith("new") or "/new" in item.name for item in added.split("train")) >= 3


def test_what_cannot_be_added_changes_nothing(ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bring(ws, table_file(tmp_path, TABLE))
    texts = (ws.dataset(data.dataset) / "texts.parquet").read_bytes()
    pets = write_tree(tmp_path / "pets", classes({"cat": 4, "dog": 4}))
    assert refused(ws, pets, into=data.dataset).title == "These files are of another kind than the dataset."
    assert refused(ws, tmp_path / "t.csv", into=data.dataset).title == "There is nothing new in these files."
    monkeypatch.setattr(publish, "add_version", lambda *_, **__: 1 / 0)
    before = everything(ws.root)
    with pytest.raises(ZeroDivisionError):
        bring(ws, table_file(tmp_path, csv_bytes([["text", "label"], *text_rows({"ugly": 4, "odd": 4})]), "more.csv"), into=data.dataset)
    assert everything(ws.root) == before and (ws.dataset(data.dataset) / "texts.parquet").read_bytes() == texts
    assert load_dataset(ws, data.dataset, OWNER).current == data.version


def test_an_interrupted_table_leaves_nothing(ws: Workspace, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done >= 500:
            raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        import_path(ws, table_file(tmp_path, csv_bytes([["text", "label"], *text_rows({"a": 600, "b": 600})])), name="t", owner=OWNER, progress=interrupt)
    assert everything(ws.root) == set()


@pytest.mark.parametrize("name, n, labels, split", [
    ("sms_spam/all.csv", 5574, 2, False), ("trec6", 5952, 6, True), ("sst2", 9613, 2, True), ("waimai_10k/all.csv", 11987, 2, False)])
def test_real_tables(ws: Workspace, shared: Path, name: str, n: int, labels: int, split: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.data.intake.importing.near_texts", lambda texts: ())  # has tests of its own, and takes long
    monkeypatch.setattr("core.data.intake.importing.languages", lambda texts: {})
    version = load_version(ws, bring(ws, shared / "data" / "text" / name))
    assert len(version.items) == n and len(version.labels) == labels and version.fixed_splits == split and not version.rejected
