"""Workers, supervisors and both are killed; runs are paused. What ends is what would have ended."""
from __future__ import annotations

import random

import pytest

from core import events
from core.jobs.life import EXIT, LIVING, worker_of
from core.jobs.runs import LAST, pause, resume
from tests.core.jobs.queued import supervisors, wait_until
from tests.faults.lives import Moment, Shop, by_chance, kill, while_it_packs, while_it_saves
from tests.faults.words import page_says

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
MOMENTS: tuple[Moment, ...] = (by_chance, while_it_saves, by_chance, while_it_saves, while_it_packs)
"""In the life of each run that is killed; the last one is near its end."""


@pytest.mark.parametrize("recipe", ["everything", "last stage", "middle", "adapters"])
def test_a_worker_that_is_killed_loses_nothing(shop: Shop, recipe: str) -> None:
    """Twenty kills in all, at moments of chance, while it saves, and while it packs."""
    whole, chance, left = shop.unbroken(recipe), random.Random(recipe), list(MOMENTS)
    while left:
        run = shop.put(recipe)
        folder = shop.folder(run)
        with shop.faults.trial("worker") as trial:
            while left:
                shop.until(lambda: shop.state(run) != "queued")
                if not left[0](folder, chance, whole) or (dead := kill(folder)) is None:
                    break
                left.pop(0)
                trial.hit("while it saved" if (folder / f"{LAST}.part").exists() else "")
                shop.goes_on(run, dead)
            shop.ends_the_same(run, whole, trial)


def test_a_worker_and_its_supervisor_that_are_killed_at_once_lose_nothing(shop: Shop) -> None:
    whole, chance, kills = shop.unbroken("everything"), random.Random("both"), 0
    while kills < 3:
        run = shop.put("everything")
        with shop.faults.trial("both") as trial:
            while kills < 3:
                shop.until(lambda: shop.state(run) != "queued")
                if not by_chance(shop.folder(run), chance, whole):
                    break
                [old] = supervisors(shop.ws)
                old.suspend()  # so that it does not see the end of the worker
                if kills == 2:
                    shop.without_retries()
                dead = kill(shop.folder(run))
                old.kill()
                wait_until(lambda: old.pid not in [process.pid for process in supervisors(shop.ws)])
                if dead is None:
                    break
                kills += 1
                trial.hit()
                if kills == 3:
                    shop.until(lambda: (shop.folder(run) / EXIT).is_file())
                    page_says(shop.ws, shop.faults, run, "Interrupted: Its process ended without giving a reason.")
                shop.goes_on(run, dead)
            shop.ends_the_same(run, whole, trial)


def test_a_run_that_is_paused_again_and_again_ends_as_it_would_have(shop: Shop) -> None:
    whole, chance, pauses = shop.unbroken("last stage"), random.Random("pause"), 0
    while pauses < 10:
        run = shop.put("last stage")
        folder = shop.folder(run)
        with shop.faults.trial("pause") as trial:
            while pauses < 10:
                shop.until(lambda: shop.state(run) != "queued")
                if not by_chance(folder, chance, whole) or shop.state(run) not in LIVING:
                    break
                pid = worker_of(folder).pid
                pause(shop.ws, run)
                shop.until(lambda: shop.state(run) not in LIVING)
                if shop.state(run) != "paused":
                    break
                pauses += 1
                trial.hit()
                assert events.read(folder / "events.jsonl")[-1].why == "", "its owner wanted it"
                if pauses == 10:
                    page_says(shop.ws, shop.faults, run, "Paused. The machine is free for other runs.")
                resume(shop.ws, run)
                shop.until(lambda: shop.state(run) not in ("queued", "paused"))
                assert worker_of(folder).pid != pid, "it had freed the machine"
            shop.ends_the_same(run, whole, trial)
