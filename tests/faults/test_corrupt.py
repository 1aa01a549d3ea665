"""What was saved last is damaged while nobody looks: the training goes on from what was saved before, or begins anew."""
from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from core import events
from core.jobs.runs import LAST, resume
from core.training.checkpoint import PREVIOUS
from tests.faults.lives import Shop, kill
from tests.faults.words import page_says

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 3)


def bit_flipped(path: Path) -> None:
    """In the middle of the numbers."""
    with path.open("rb+") as file:
        file.seek(path.stat().st_size * 2 // 3)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 16]))


def head_overwritten(path: Path) -> None:
    with path.open("rb+") as file:
        file.write(b"\xff" * 64)


DAMAGES: tuple[Callable[[Path], None], ...] = (cut, bit_flipped, head_overwritten)


def killed_with_two_savings(shop: Shop) -> Path:
    """The folder of a run that waits, with what was saved last and before."""
    shop.without_retries()
    run = shop.put("middle")
    folder = shop.folder(run)
    shop.until(lambda: (folder / PREVIOUS).is_file())
    assert kill(folder) is not None
    shop.until(lambda: shop.state(run) == "interrupted" and (folder / "exit.json").is_file())
    page_says(shop.ws, shop.faults, run, "Interrupted: Its process was ended from outside.", "Nothing is lost: it is saved at epoch")
    return folder


def resumed_at(folder: Path) -> list[int]:
    return [event.step for event in events.read(folder / "events.jsonl") if isinstance(event, events.Resumed)]


def saved_at(folder: Path) -> list[int]:
    return [event.step for event in events.read(folder / "events.jsonl") if isinstance(event, events.Saved)]


@pytest.mark.parametrize("damage", DAMAGES)
def test_it_goes_on_from_what_was_saved_before(shop: Shop, damage: Callable[[Path], None]) -> None:
    whole = shop.unbroken("middle")
    with shop.faults.trial("corrupt") as trial:
        folder = killed_with_two_savings(shop)
        run, saved = shop.run_in(folder), saved_at(folder)
        damage(folder / LAST)
        trial.hit("the last")
        resume(shop.ws, run)
        shop.ends_the_same(run, whole, trial)
        [step] = resumed_at(folder)
        assert 0 < step < saved[-1] or len(saved) == 1


@pytest.mark.parametrize("damage", DAMAGES)
def test_where_both_are_damaged_it_begins_anew(shop: Shop, damage: Callable[[Path], None]) -> None:
    whole = shop.unbroken("middle")
    with shop.faults.trial("corrupt") as trial:
        folder = killed_with_two_savings(shop)
        run = shop.run_in(folder)
        for name in (LAST, PREVIOUS):
            damage(folder / name)
        trial.hit("both")
        resume(shop.ws, run)
        shop.ends_the_same(run, whole, trial)
        assert resumed_at(folder) == [0]
