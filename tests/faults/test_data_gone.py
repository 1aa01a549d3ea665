"""The pictures of a dataset are taken away under a run, and put back."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from core import events
from core.jobs.life import LIVING, WORKER
from core.jobs.runs import LAST, resume
from core.shelf import Shelf
from core.specs import RunSpec
from tests.faults.lives import Shop, kill, seen
from tests.faults.words import page_says

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
WORDS = ("A file of the dataset is gone.", "is no longer in the workspace.", "Your data is safe.")


@contextmanager
def without_pictures(shop: Shop) -> Iterator[None]:
    """No file of any dataset, nor what was decoded of them."""
    ws = shop.ws
    away = ws.root / "away"
    ws.blobs.rename(away)
    ws.blobs.mkdir()
    Shelf(ws.activations).clear()
    try:
        yield
    finally:
        ws.blobs.rmdir()
        away.rename(ws.blobs)


def failures(shop: Shop, run: RunSpec) -> list[events.Failed]:
    return [event for event in events.read(shop.folder(run) / "events.jsonl") if isinstance(event, events.Failed)]


def fails_by_name(shop: Shop, run: RunSpec) -> None:
    shop.until(lambda: shop.state(run) not in LIVING | {"queued", "interrupted"})
    assert shop.state(run) == "failed", shop.why(run)
    [failed] = failures(shop, run)
    assert failed.kind == "data" and failed.title == WORDS[0]


def test_one_that_waits_fails_by_name_and_can_be_resumed(shop: Shop) -> None:
    whole = shop.unbroken("last stage")
    shop.kill_supervisor()
    run = shop.put("last stage")
    with shop.faults.trial("data") as trial:
        with without_pictures(shop):
            trial.hit("while it waited")
            fails_by_name(shop, run)
            page_says(shop.ws, shop.faults, run, *WORDS, failed=True, button="Run it again")
        resume(shop.ws, run)
        shop.ends_the_same(run, whole, trial)


def test_one_that_learns_has_read_them_and_goes_on(shop: Shop) -> None:
    """Everything learns from pictures that are changed anew in each epoch: nothing is stored but the pictures, and these are mapped."""
    whole, run = shop.unbroken("everything"), shop.put("everything")
    with shop.faults.trial("data") as trial:
        assert shop.is_learning(run)
        with without_pictures(shop):
            trial.hit("while it learned")
            shop.ends_the_same(run, whole, trial)


@pytest.mark.parametrize("recipe", ["everything", "middle"])
def test_one_that_has_to_read_them_again_fails_by_name_and_can_be_resumed(shop: Shop, recipe: str) -> None:
    """Its worker is killed while they are away, and the next one finds nothing."""
    whole, run = shop.unbroken(recipe), shop.put(recipe)
    with shop.faults.trial("data") as trial:
        assert shop.is_learning(run)
        with without_pictures(shop):
            assert kill(shop.folder(run)) is not None
            trial.hit("before it went on")
            fails_by_name(shop, run)
            page_says(shop.ws, shop.faults, run, *WORDS, failed=True)
        assert (shop.folder(run) / LAST).is_file()
        resume(shop.ws, run)
        shop.ends_the_same(run, whole, trial)


def test_one_that_is_reading_them_fails_by_name_and_can_be_resumed(shop: Shop) -> None:
    """They go as soon as a worker has the run, which takes a moment until it reads."""
    whole = shop.unbroken("last stage")
    Shelf(shop.ws.activations).clear()
    run = shop.put("last stage")
    with shop.faults.trial("data") as trial:
        assert seen(shop.folder(run), WORKER)
        with without_pictures(shop):
            trial.hit("while it read")
            fails_by_name(shop, run)
            page_says(shop.ws, shop.faults, run, *WORDS, failed=True, button="Run it again")
        resume(shop.ws, run)
        shop.ends_the_same(run, whole, trial)
