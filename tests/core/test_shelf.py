"""Arrays that take long to make are found again whole, or not at all."""
from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from core import shelf as module
from core.shelf import Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def put(shelf: Shelf, key: str, n: int = 4, value: float = 1.0) -> np.ndarray:
    draft = shelf.begin(key, (n, 3), np.float32)
    draft.array[:] = value
    shelf.keep(draft)
    shelf.settle()
    return draft.array


def names(shelf: Shelf) -> list[str]:
    return sorted(path.name for path in shelf.folder.iterdir())


def used(shelf: Shelf, key: str, at: float) -> None:
    os.utime(shelf.folder / f"{key}.npy", (at, at))


def test_what_was_kept_is_found_by_any_process(shelf: Shelf) -> None:
    put(shelf, "a", value=7.0)
    found = Shelf(shelf.folder).find("a")
    assert found is not None and found.dtype == np.float32 and np.array_equal(found, np.full((4, 3), 7.0))
    assert shelf.find("b") is None and names(shelf) == ["a.npy"]


def test_a_change_to_what_was_found_stays_in_this_process(shelf: Shelf) -> None:
    put(shelf, "a")
    first = shelf.find("a")
    assert first is not None
    first[:] = 9
    again = shelf.find("a")
    assert again is not None and again.max() == 1


def test_a_draft_is_seen_by_nobody_and_can_be_dropped(shelf: Shelf) -> None:
    draft = shelf.begin("a", (2, 2), np.uint8)
    assert shelf.find("a") is None
    shelf.drop(draft)
    assert names(shelf) == []


@pytest.mark.parametrize("left", [0, 40, 129])
def test_a_file_that_was_cut_short_is_not_trusted(shelf: Shelf, left: int) -> None:
    put(shelf, "a")
    with (shelf.folder / "a.npy").open("rb+") as file:
        file.truncate(left)
    assert shelf.find("a") is None and names(shelf) == [], "and makes room for a whole one"


def test_something_else_under_the_name_is_not_trusted(shelf: Shelf) -> None:
    (shelf.folder / "a.npy").write_bytes(b"a picture of a cat" * 20)
    assert shelf.find("a") is None


def test_what_was_not_used_for_the_longest_time_goes_first(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, at in (("old", 100), ("older", 50), ("new", 200)):
        put(shelf, key)
        used(shelf, key, at)
    size = (shelf.folder / "old.npy").stat().st_size
    shelf.find("older")  # by this it is the one used last
    monkeypatch.setattr(module, "LIMIT_BYTES", 3 * size)
    put(shelf, "next")
    assert names(shelf) == ["new.npy", "next.npy", "older.npy"]


def test_one_that_is_larger_than_the_limit_is_kept_alone(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    put(shelf, "a")
    monkeypatch.setattr(module, "LIMIT_BYTES", 10)
    put(shelf, "b", n=100)
    assert names(shelf) == ["b.npy"]


def test_a_full_disk_is_known_before_it_ends_the_process(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    put(shelf, "a")
    monkeypatch.setattr(module, "SPARE_BYTES", 1 << 60)
    assert not shelf.has_room(1)
    with pytest.raises(OSError) as caught:
        shelf.begin("b", (2, 2), np.uint8)
    assert caught.value.errno == 28
    assert names(shelf) == ["a.npy"], "nothing goes for what could not be kept anyway"


def test_what_a_dead_process_was_writing_goes(shelf: Shelf) -> None:
    parts = [shelf.folder / f"{key}-{pid}-abc.part" for key, pid in zip("bcd", (999999999, os.getpid(), os.getpid()))]
    for path in parts:
        path.write_bytes(b"x")
    os.utime(parts[2], (time.time() - 2 * 24 * 3600,) * 2)
    put(shelf, "a")
    assert names(shelf) == ["a.npy", parts[1].name]


def half(shelf: Shelf, key: str = "a") -> None:
    """Filled halfway by a process that then died."""
    draft = shelf.begin(key, (4, 3), np.float32)
    draft.array[:2] = 5
    shelf.mark(draft, 2)
    for path in shelf.folder.glob(f"{key}-*"):
        path.rename(path.with_name(path.name.replace(f"-{os.getpid()}-", "-999999999-")))


def test_what_a_dead_process_had_filled_is_taken_up_once(shelf: Shelf) -> None:
    half(shelf)
    assert shelf.find("a") is None
    draft, other = (shelf.begin("a", (4, 3), np.float32) for _ in range(2))
    assert (draft.done, other.done) == (2, 0) and draft.array[:2].min() == 5 and not draft.array[2:].any() and not other.array.any()
    draft.array[2:] = 6
    shelf.keep(draft)
    shelf.settle()
    shelf.drop(other)
    assert names(shelf) == ["a.npy"] and shelf.find("a")[1:3, 0].tolist() == [5, 6]


def test_what_was_left_is_taken_up_in_the_same_process(shelf: Shelf) -> None:
    draft = shelf.begin("a", (4, 3), np.float32)
    draft.array[0] = 5
    shelf.leave(draft, 1)
    again = shelf.begin("a", (4, 3), np.float32)
    assert again.done == 1 and again.array[0, 0] == 5
    shelf.leave(again, 0)
    assert names(shelf) == [], "nothing of it is there"


@pytest.mark.parametrize("shape, dtype", [((5, 3), np.float32), ((4, 3), np.int16)])
def test_another_one_under_the_key_is_not_taken_up(shelf: Shelf, shape: tuple[int, ...], dtype: type) -> None:
    half(shelf)
    assert shelf.begin("a", shape, dtype).done == 0


@pytest.mark.parametrize("text", [None, "", "many"])
def test_where_nobody_knows_how_far_it_is_it_begins_anew(shelf: Shelf, text: str | None) -> None:
    half(shelf)
    [done] = shelf.folder.glob("*.done")
    done.unlink() if text is None else done.write_text(text)
    draft = shelf.begin("a", (4, 3), np.float32)
    assert draft.done == 0 and not draft.array.any()


def test_one_that_was_cut_short_begins_anew(shelf: Shelf) -> None:
    half(shelf)
    [part] = shelf.folder.glob("*.part")
    os.truncate(part, 140)
    assert shelf.begin("a", (4, 3), np.float32).done == 0


def test_what_is_unfinished_goes_first_when_room_is_needed(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    put(shelf, "kept")
    half(shelf)
    free = module.shutil.disk_usage(shelf.folder)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: free._replace(free=module.SPARE_BYTES + 10))
    put(shelf, "b")
    assert names(shelf) == ["b.npy", "kept.npy"]


def test_everything_can_be_cleared(shelf: Shelf) -> None:
    put(shelf, "a")
    half(shelf, "b")
    assert shelf.size() > 48
    shelf.clear()
    assert names(shelf) == [] and shelf.size() == 0


def test_nothing_at_all_is_no_file(shelf: Shelf) -> None:
    assert put(shelf, "a", n=0).shape == (0, 3) and names(shelf) == []
