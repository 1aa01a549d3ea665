"""A program, in a mount namespace of its own: a workspace on a disk that another file fills.

    python -m tests.faults.small_disk EMPTY_FOLDER RECORD.json
"""
from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from core import events
from core.jobs.life import DISK_FULL, LIVING, RESTING, exit_of
from core.jobs.runs import resume
from core.shelf import Shelf
from core.specs import RunSpec
from core.workspace import Workspace
from tests.core.jobs.queued import cleaned_up, dataset
from tests.faults.lives import PICTURES, Shop
from tests.faults.record import Record
from tests.faults.words import page_says, visit

SIZE = "1700m"
"""What is stored for later runs leaves a gigabyte of any disk alone."""
PARTS = (64 << 20, 1 << 20, 4096)
LITTLE_BYTES = 4 << 20
"""Enough to write down what a run is, and by far not enough for it to learn."""


def grow(filler: Path, leave: int = 0, pause_s: float = 0.001) -> None:
    """Let it grow until the disk is full, or so many bytes are left."""
    with filler.open("ab") as file:
        for part in PARTS:
            while shutil.disk_usage(filler.parent).free >= leave + part:
                try:
                    os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), part)
                except OSError as error:
                    assert error.errno == errno.ENOSPC, error
                    break
                time.sleep(pause_s)


def is_paused(shop: Shop, run: RunSpec, filler: Path, says: str) -> None:
    """Its page says so, although the disk is full to the last byte by then."""
    shop.until(lambda: shop.state(run) not in LIVING | {"queued"})
    assert shop.state(run) == "paused", shop.why(run)
    assert exit_of(shop.folder(run)).why == DISK_FULL
    grow(filler)
    page_says(shop.ws, shop.faults, run, DISK_FULL, says)


def fills_while_it_learns(shop: Shop, filler: Path) -> None:
    chance = random.Random("disk")
    for recipe in ("middle", "last stage", "middle"):
        whole, run = shop.unbroken(recipe), shop.put(recipe)
        with shop.faults.trial("disk") as trial:
            assert shop.is_learning(run)
            time.sleep(chance.uniform(0.0, 0.3 * whole.seconds))
            grow(filler)
            trial.hit("while it learned")
            is_paused(shop, run, filler, "Nothing is lost: it is saved at epoch")
            filler.unlink()
            resume(shop.ws, run)
            shop.ends_the_same(run, whole, trial)


@contextmanager
def always_full(filler: Path) -> Iterator[None]:
    """Whatever is freed is taken at once, by a program that goes on writing."""
    over = threading.Event()

    def fill() -> None:
        while not over.is_set():
            grow(filler, pause_s=0.0)
    greedy = threading.Thread(target=fill)
    greedy.start()
    try:
        yield
    finally:
        over.set()
        greedy.join()


def stays_full(shop: Shop, filler: Path) -> None:
    """The little that was kept back for the last words is gone as well. Whether they can be said is chance; either way nothing is lost."""
    whole, run = shop.unbroken("middle"), shop.put("middle")
    with shop.faults.trial("disk") as trial:
        assert shop.is_learning(run)
        (shop.folder(run) / "reserve").unlink()
        with always_full(filler):
            trial.hit("for long")
            shop.until(lambda: shop.state(run) not in LIVING)
            for _ in range(20):  # rounds of the supervisor, which has to bear it
                shop.look_after()
                time.sleep(0.1)
            assert shop.state(run) in RESTING
        filler.unlink()
        if shop.state(run) == "paused":
            resume(shop.ws, run)
        shop.until(lambda: shop.state(run) not in RESTING)
        shop.ends_the_same(run, whole, trial)


def is_too_small(shop: Shop, filler: Path) -> None:
    """Before it begins: with its pictures decoded already, and without."""
    whole = shop.unbroken("middle")
    for decoded in (True, False):
        with shop.faults.trial("disk") as trial:
            if not decoded:
                Shelf(shop.ws.activations).clear()
            grow(filler, leave=LITTLE_BYTES)
            run = shop.put("middle")
            trial.hit("before it began")
            is_paused(shop, run, filler, "Your data is safe; the training begins anew when it is resumed.")
            assert not [event for event in events.read(shop.folder(run) / "events.jsonl") if isinstance(event, (events.Started, events.Step))]
            filler.unlink()
            resume(shop.ws, run)
            shop.ends_the_same(run, whole, trial)


TRIALS: tuple[Callable[[Shop, Path], None], ...] = (fills_while_it_learns, stays_full, is_too_small)


def main(disk: Path, told: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(disk)], check=True)
    ws, record = Workspace.open(disk / "workspace"), Record()
    try:
        with cleaned_up(ws):
            shop = Shop(ws, dataset(ws, disk / "data", n=PICTURES), record)
            visit(ws, shop.put("middle"))  # whoever starts runs has seen pages before
            for trial in TRIALS:
                trial(shop, disk / "filler")
    finally:
        record.write(told)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
