"""From files to a dataset: whole, once, or not at all."""
from __future__ import annotations

import errno
import hashlib
import io
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from core.data.intake import publish
from core.data.intake.importing import import_path, import_sample, import_source
from core.data.intake.sources import Entry, Limits, Listing, folder_source
from core.data.splitting import assign_splits
from core.data.versions import Rejected, list_datasets, load_version
from core.errors import DataError, NotFound
from core.specs import DataSpec
from core.workspace import Workspace
from tests.core.data.picture_files import classes, encoded, everything, jpeg, picture, write_tree

OWNER = "ownera"
HTML = "It is a web page (HTML), not a picture: the picture was probably not found when it was downloaded."


def silent(done: int, total: int) -> None:
    """No progress wanted."""


def bring(ws: Workspace, path: Path, owner: str = OWNER) -> DataSpec:
    return import_path(ws, path, name="pets", owner=owner, progress=silent)


def zip_of(tree: Path, around: Path | None = None) -> Path:
    """Its names begin with the tree's own, or below `around`."""
    with zipfile.ZipFile(tree.with_suffix(".zip"), "w") as archive:
        for path in sorted(tree.rglob("*"), reverse=True):
            archive.write(path, path.relative_to(around or tree.parent))
    return tree.with_suffix(".zip")


def refusal(ws: Workspace, path: Path) -> DataError:
    """What an import is refused with; nothing of it may be left."""
    before = everything(ws.root)
    with pytest.raises(DataError) as caught:
        bring(ws, path)
    assert everything(ws.root) == before
    assert caught.value.fix and "{" not in str(caught.value)
    return caught.value


def test_every_picture_gets_its_bytes_thumbnail_label_and_split(ws: Workspace, tmp_path: Path) -> None:
    files = classes({"cat": 10, "dog": 20})
    version = load_version(ws, bring(ws, write_tree(tmp_path / "pets", files)))
    assert version.labels == ("cat", "dog") and not version.rejected and not version.fixed_splits
    assert {item.name: item.sha for item in version.items} == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    for item in version.items:
        assert ws.blob(item.sha).read_bytes() == files[item.name]
        with Image.open(ws.thumb(item.sha)) as thumb:
            assert thumb.format == "JPEG" and thumb.size == (item.width, item.height) == (24, 18)
        assert version.labels[item.label] == item.name.split("/")[0]
    assert version.items == assign_splits(version.items)
    assert version.counts()["test"] == Counter({0: 2, 1: 3})
    assert not list(ws.uploads.iterdir())


def test_given_splits_are_kept(ws: Workspace, tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "pets", classes({"train/cat": 5, "train/dog": 4, "val/cat": 2, "val/dog": 1}))
    version = load_version(ws, bring(ws, tree))
    assert version.fixed_splits
    assert version.counts() == {"train": Counter({0: 5, 1: 4}), "val": Counter({0: 2, 1: 1}), "test": Counter()}


def test_validation_is_taken_from_train_where_none_was_given(ws: Workspace, tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "pets", classes({"train/cat": 20, "train/dog": 20, "test/cat": 3, "test/dog": 4}))
    version = load_version(ws, bring(ws, tree))
    assert version.counts() == {"train": Counter({0: 17, 1: 17}), "val": Counter({0: 3, 1: 3}), "test": Counter({0: 3, 1: 4})}
    assert all(item.name.startswith("train/") for item in version.split("val"))


def test_unreadable_files_are_named_and_left_out(ws: Workspace, tmp_path: Path) -> None:
    files = classes({"cat": 3, "dog": 3}) | {
        "cat/empty.jpg": b"", "cat/page.jpg": b"<html>", "dog/half.jpg": encoded(picture(9, (90, 90)))[:2000], "dog/in.zip": b"PK",
        "cat/png_inside.jpg": encoded(picture(8), "PNG"), "cover.jpg": jpeg(99)}
    version = load_version(ws, bring(ws, write_tree(tmp_path / "pets", files)))
    assert {file.name: file.reason for file in version.rejected} == {
        "cat/empty.jpg": "The file is empty.", "cat/page.jpg": HTML,
        "cover.jpg": "It lies beside the folders of the labels, so it has none.",
        "dog/half.jpg": "The picture breaks off: the file is incomplete.", "dog/in.zip": "An archive among the files: unpack it first."}
    assert len(version.items) == 7


def test_what_did_not_even_arrive_is_named_too(ws: Workspace, tmp_path: Path) -> None:
    lost = Rejected("cat/lost.jpg", "The browser could not read it.")
    write_tree(tmp_path / "pets", classes({"cat": 3, "dog": 3}))
    data = import_source(ws, folder_source(tmp_path / "pets"), name="pets", owner=OWNER, progress=silent, left_out=(lost,))
    assert load_version(ws, data).rejected == (lost,)


def test_a_file_beyond_the_limit_is_left_out_whatever_size_it_claims(ws: Workspace) -> None:
    files = classes({"cat": 2, "dog": 2})
    honest = [Entry(name, len(data), lambda data=data: io.BytesIO(data)) for name, data in files.items()]
    liars = [Entry("cat/claims.jpg", 10**9, lambda: io.BytesIO(b"")), Entry("cat/lies.jpg", 5, lambda: io.BytesIO(bytes(5000)))]
    spec = import_source(ws, Listing("pets", (*honest, *liars)), name="pets", owner=OWNER, progress=silent, limits=Limits(file_bytes=4000))
    assert [(file.name, file.reason.format(**file.params)) for file in load_version(ws, spec).rejected] == [
        ("cat/claims.jpg", "It is larger than 4 kB."), ("cat/lies.jpg", "It is larger than 4 kB.")]


def test_a_file_that_cannot_be_opened_is_named(ws: Workspace) -> None:
    def locked() -> io.BytesIO:
        raise PermissionError(errno.EACCES, "no")
    files = [Entry(name, len(data), lambda data=data: io.BytesIO(data)) for name, data in classes({"cat": 2, "dog": 2}).items()]
    spec = import_source(ws, Listing("pets", (*files, Entry("dog/locked.jpg", 5, locked))), name="pets", owner=OWNER, progress=silent)
    assert [(file.name, file.reason) for file in load_version(ws, spec).rejected] == [("dog/locked.jpg", "It can't be opened.")]


def test_a_folder_and_its_zip_are_recognised_as_the_same(ws: Workspace, tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "pets", classes({"cat": 4, "dog": 4}))
    first = bring(ws, tree)
    before = everything(ws.root)
    assert bring(ws, zip_of(tree)) == first
    assert everything(ws.root) == before


def test_one_changed_picture_makes_another_dataset(ws: Workspace, tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "pets", classes({"cat": 4, "dog": 4}))
    first = bring(ws, tree)
    (tree / "cat" / "0.jpg").write_bytes(jpeg(1234))
    assert bring(ws, tree).dataset != first.dataset


def test_owners_share_bytes_but_no_dataset(ws: Workspace, tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "pets", classes({"cat": 4, "dog": 4}))
    first = bring(ws, tree)
    blobs = everything(ws.blobs)
    second = bring(ws, tree, "ownerb")
    assert second.dataset != first.dataset and second.version == first.version
    assert everything(ws.blobs) == blobs
    assert [dataset.id for dataset in list_datasets(ws, OWNER)] == [first.dataset]


def test_a_damaged_blob_is_replaced_by_the_next_import(ws: Workspace, tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "pets", classes({"cat": 4, "dog": 4}))
    item = load_version(ws, bring(ws, tree)).items[0]
    ws.blob(item.sha).write_bytes(b"")
    bring(ws, tree, "ownerb")
    assert hashlib.sha256(ws.blob(item.sha).read_bytes()).hexdigest() == item.sha


def test_a_class_with_a_single_picture_is_left_out_by_name(ws: Workspace, tmp_path: Path) -> None:
    version = load_version(ws, bring(ws, write_tree(tmp_path / "pets", classes({"ant": 1, "cat": 3, "dog": 3}))))
    assert version.labels == ("cat", "dog")
    assert [(file.name, file.reason.format(**file.params)) for file in version.rejected] == [("ant/0.jpg", "“ant” has 1 items, needs 2")]


def test_a_class_without_training_pictures_is_left_out(ws: Workspace, tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "pets", classes({"train/cat": 3, "train/dog": 3, "val/cat": 2, "val/dog": 2, "val/owl": 3}))
    version = load_version(ws, bring(ws, tree))
    assert version.labels == ("cat", "dog")
    assert {file.reason.format(**file.params) for file in version.rejected} == {
        "“owl” has no items to learn from: all of them are marked as validation or test."}


@pytest.mark.parametrize("files, text", [
    (classes({"cat": 3}), "Only one label: add a second folder"),
    (classes({"cat": 3, "dog": 1}), "“dog” has 1 items, needs 2"),
    (classes({"cat": 3}) | {"dog/1.jpg": b"x", "dog/2.jpg": b"y"}, "Only one label: add a second folder"),
    ({"cat/1.jpg": b"x", "dog/2.jpg": b"y"}, "No file could be read as a picture."),
    ({"1.jpg": jpeg()}, "No folders with labels found."),
    ({"notes/a.pdf": b"text"}, "No pictures found."),
    ({}, "There are no files in"),
], ids=["one class", "too few", "other class broken", "all broken", "flat", "text", "empty"])
@pytest.mark.parametrize("packed", [False, True])
def test_what_makes_no_dataset_is_refused_and_leaves_nothing(ws: Workspace, tmp_path: Path, files: dict[str, bytes], text: str,
                                                             packed: bool) -> None:
    (tmp_path / "pets").mkdir()
    tree = write_tree(tmp_path / "pets", files)
    assert text in str(refusal(ws, zip_of(tree, around=tree) if packed else tree))


@pytest.mark.parametrize("name", ["labels.csv", "pets.tar.gz", "one.jpg"])
def test_other_files_are_refused_with_a_way_out(ws: Workspace, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    assert name in str(refusal(ws, tmp_path / name))


def test_a_missing_path_is_refused(ws: Workspace, tmp_path: Path) -> None:
    assert "nowhere" in str(refusal(ws, tmp_path / "nowhere"))


def test_an_interrupted_import_leaves_nothing_and_hurts_nobody(ws: Workspace, tmp_path: Path) -> None:
    bring(ws, write_tree(tmp_path / "pets", classes({"cat": 4, "dog": 4})), "ownerb")
    tree = write_tree(tmp_path / "pets", classes({"cat": 30, "dog": 30, "owl": 30}))
    before = everything(ws.root)

    def interrupt(done: int, total: int) -> None:
        if done > 10:
            raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        import_path(ws, tree, name="pets", owner=OWNER, progress=interrupt)
    assert everything(ws.root) == before


def test_a_failure_while_publishing_is_undone(ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared_tree = write_tree(tmp_path / "pets", classes({"cat": 4, "dog": 4}))
    bring(ws, shared_tree, "ownerb")
    tree = write_tree(shared_tree, {"cat/new.jpg": jpeg(777)})
    before = everything(ws.root)

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(publish, "create_dataset", full)
    with pytest.raises(DataError, match="The disk is full"):
        bring(ws, tree)
    assert everything(ws.root) == before


def test_progress_counts_every_file_up_to_the_last(ws: Workspace, tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "pets", classes({"cat": 15, "dog": 15}) | {"cat/broken.jpg": b"x"})
    seen: list[tuple[int, int]] = []
    import_path(ws, tree, name="pets", owner=OWNER, progress=lambda done, total: seen.append((done, total)))
    assert seen[0] == (0, 31) and seen[-1] == (31, 31) and seen == sorted(seen) and len(seen) > 20


def test_hostile_names_become_labels_and_never_paths(ws: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "evil.zip"
    files = classes({"../../up": 3, "<img src=x onerror=alert(1)>": 3, "CON": 3, "![t](http://x)": 3})
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    version = load_version(ws, bring(ws, path))
    assert version.labels == ("![t](http:", "<img src=x onerror=alert(1)>", "CON", "up")
    assert everything(tmp_path, without=[ws.root.name]) == {"evil.zip"}


def test_a_sample_set_is_made_once_an_owner(ws: Workspace) -> None:
    seen: list[tuple[int, int]] = []
    first = import_sample(ws, "digits", OWNER, lambda done, total: seen.append((done, total)))
    version = load_version(ws, first)
    assert version.labels == tuple("0123456789") and not version.rejected
    assert seen[-1][0] == seen[-1][1] and [done / total for done, total in seen] == sorted(done / total for done, total in seen)
    [dataset] = list_datasets(ws, OWNER)
    assert dataset.sample == "digits" and dataset.name == "Handwritten digits"
    assert import_sample(ws, "digits", OWNER, silent) == first
    other = import_sample(ws, "digits", "ownerb", silent, name="手写数字")  # as the reader's language calls it
    assert other.dataset != first.dataset and [dataset.name for dataset in list_datasets(ws, "ownerb")] == ["手写数字"]


def test_an_unknown_sample_is_refused(ws: Workspace) -> None:
    with pytest.raises(NotFound):
        import_sample(ws, "digitz", OWNER, silent)
