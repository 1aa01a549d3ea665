"""The web server is killed, and the supervisor with it, while a run learns: the run does not notice, and is found again."""
from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest

from core import events
from core.jobs.life import LIVING, worker_of
from core.jobs.runs import active_runs
from core.owners import LOCAL_OWNER
from core.specs import RunSpec
from tests.core.jobs.queued import supervisors, wait_until
from tests.faults.lives import Shop
from tests.faults.served_app import App

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
KILLS = 10


@pytest.fixture
def app(shop: Shop) -> Iterator[App]:
    made = App(shop.ws)
    yield made
    made.kill()


def times_begun(shop: Shop, run: RunSpec) -> int:
    log = events.read(shop.folder(run) / "events.jsonl")
    return sum(event.state == "preparing" for event in log if isinstance(event, events.Changed))


def test_a_run_goes_on_while_the_server_is_killed_again_and_again(shop: Shop, app: App) -> None:
    """The real app each time, opened by a visitor whose page starts the supervisor again."""
    whole, chance, kills = shop.unbroken("everything"), random.Random("server"), 0
    app.start()
    while kills < KILLS:
        run = shop.put("everything")
        with shop.faults.trial("server") as trial:
            assert run.name in app.page_of(run.id)
            wait_until(lambda: shop.state(run) != "queued")
            pid = worker_of(shop.folder(run)).pid
            while kills < KILLS and shop.state(run) in LIVING:
                time.sleep(chance.uniform(0.0, 0.3 * whole.seconds))
                app.kill()
                shop.kill_supervisor()
                kills += 1
                trial.hit()
                app.start()
                said = app.page_of(run.id)
                wait_until(lambda: len(supervisors(shop.ws)) == 1)
                assert run.name in said
                if shop.state(run) in LIVING:
                    assert any(f" {living}]" in said for living in LIVING), "its badge"
                    assert [one.id for one in active_runs(shop.ws, LOCAL_OWNER)] == [run.id]
                    assert worker_of(shop.folder(run)).pid == pid
            shop.ends_the_same(run, whole, trial)
            assert times_begun(shop, run) == 1 and worker_of(shop.folder(run)).pid == pid, "nobody took it a second time"
