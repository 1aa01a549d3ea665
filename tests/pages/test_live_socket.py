"""The live socket against a real server: what a watcher is sent, who is refused, and what is left when nobody watches."""
from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, aclosing
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedOK, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from core import owners
from core.events import Changed, Done, EpochEnd, Event, Failed, Notice, Saved, Started, Step, encode
from core.jobs.about import say
from core.owners import LOCAL_OWNER
from core.specs import DataSpec, FreezePlan, ModelSpec, RunSpec, TrainConfig, to_json
from core.workspace import Workspace, new_id, write_atomic
from pages.routes import live, tokens
from pages.routes.hub import MAX_STEPS, Hub, thin
from pages.routes.live import live_url
from tests.pages.served import Served, served

DEADLINE_S = 20
STARTED = Started(210, 45, 45, 5, 2565, 4_900_000, 30, 7, "cpu")


def step(number: int) -> Step:
    return Step((number - 1) // 7 + 1, number, 1.0 / number, 0.5, 1e-3)


def epoch_end(number: int) -> EpochEnd:
    return EpochEnd(number, 7 * number, 0.5, 0.5, 0.6, 0.4, True, 3)


def put(log: Path, *events: Event) -> int:
    """Append, as the worker does, and return where the log ends."""
    with log.open("ab") as file:
        file.write(b"".join(map(encode, events)))
        return file.tell()


@pytest.fixture
def log(ws: Workspace) -> Path:
    return make_run(ws, LOCAL_OWNER)


def make_run(ws: Workspace, owner: str) -> Path:
    run = RunSpec(new_id(), "flowers-1", owner, time.time(), DataSpec("set1", "1"), ModelSpec("m"), FreezePlan(()), TrainConfig())
    write_atomic(ws.run(run.id) / "run.json", to_json(run))
    return ws.run(run.id) / "events.jsonl"


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served(live.ROUTES) as running:
        yield running


def watch(server: Served, ws: Workspace, log: Path, offset: int = 0, language: str = "en") -> ClientConnection:
    url = f"{live_url(ws, LOCAL_OWNER, log.parent.name, language)}&from={offset}"  # type: ignore[arg-type]
    return connect(f"ws://{server.host}/{url}", origin=f"http://{server.host}")


def heard(socket: ClientConnection) -> dict[str, Any]:
    return json.loads(socket.recv(timeout=DEADLINE_S))


def steps(events: list[dict[str, Any]]) -> list[int]:
    return [event["step"] for event in events if event["type"] == "step"]


def test_history_comes_first_and_then_what_is_added(server: Served, ws: Workspace, log: Path) -> None:
    end = put(log, STARTED, step(1))
    with watch(server, ws, log) as socket:
        first = heard(socket)
        assert [event["type"] for event in first["events"]] == ["started", "step"]
        assert (first["from"], first["offset"]) == (0, end)
        later_end = put(log, step(2), epoch_end(1))
        later = heard(socket)
        assert [event["type"] for event in later["events"]] == ["step", "epoch"]
        assert (later["from"], later["offset"]) == (end, later_end)


def test_a_run_without_a_log_is_watched_from_its_first_event(server: Served, ws: Workspace, log: Path) -> None:
    with watch(server, ws, log) as socket:
        assert heard(socket) == {"from": 0, "offset": 0, "events": []}
        put(log, STARTED)
        assert heard(socket)["events"][0]["steps_per_epoch"] == 7


def test_an_unfinished_line_waits(server: Served, ws: Workspace, log: Path) -> None:
    line = encode(step(1))
    log.write_bytes(encode(STARTED) + line[:20])
    with watch(server, ws, log) as socket:
        assert [event["type"] for event in heard(socket)["events"]] == ["started"]
        with log.open("ab") as file:
            file.write(line[20:])
        assert steps(heard(socket)["events"]) == [1]


def test_after_a_lost_connection_it_goes_on_behind_the_last_event(server: Served, ws: Workspace, log: Path) -> None:
    put(log, STARTED, step(1))
    with watch(server, ws, log) as socket:
        offset = heard(socket)["offset"]
    put(log, step(2))
    with watch(server, ws, log, offset) as socket:
        message = heard(socket)
        assert message["from"] == offset and steps(message["events"]) == [2]


@pytest.mark.parametrize("offset", [5, 10**9, 10**30])
def test_an_offset_where_no_line_begins_starts_over(server: Served, ws: Workspace, log: Path, offset: int) -> None:
    put(log, STARTED, step(1))
    with watch(server, ws, log, offset) as socket:
        message = heard(socket)
        assert message["from"] == 0 and [event["type"] for event in message["events"]] == ["started", "step"]


def test_every_watcher_gets_every_event_once(server: Served, ws: Workspace, log: Path) -> None:
    put(log, STARTED)
    with ExitStack() as stack:
        sockets = [stack.enter_context(watch(server, ws, log)) for _ in range(8)]
        for socket in sockets:
            heard(socket)
        for number in range(1, 41):
            put(log, step(number))
            time.sleep(0.01)
        for socket in sockets:
            seen: list[int] = []
            while len(seen) < 40:
                seen += steps(heard(socket)["events"])
            assert seen == list(range(1, 41))


def test_a_long_log_comes_thinned_but_loses_nothing_else(server: Served, ws: Workspace, log: Path) -> None:
    events: list[Event] = [STARTED]
    for number in range(1, 50_001):
        events.append(step(number))
        if number % 100 == 0:
            events += [epoch_end(number // 100), Saved(number // 100, number)]
    put(log, *events, Notice("Rough."))
    with watch(server, ws, log) as socket:
        message = heard(socket)
    kinds = [event["type"] for event in message["events"]]
    assert 1000 < kinds.count("step") <= MAX_STEPS
    assert (kinds.count("epoch"), kinds.count("saved"), kinds.count("notice"), kinds.count("started")) == (500, 500, 1, 1)
    assert steps(message["events"])[-1] == 50_000
    assert message["offset"] == log.stat().st_size


def test_thinning_does_not_mistake_a_text_for_a_step() -> None:
    told = encode(Notice('he said "type":"step"')).strip()
    assert thin([told] * 10 + [encode(step(n)).strip() for n in range(1, 11)], most=3).count(told) == 10


def test_the_server_hangs_up_behind_the_end(server: Served, ws: Workspace, log: Path) -> None:
    put(log, STARTED, step(1))
    with watch(server, ws, log) as socket:
        heard(socket)
        put(log, Done(1, 1, 0.9, 3.0), Changed("finished"))
        assert [event["type"] for event in heard(socket)["events"]] == ["done", "state"]
        with pytest.raises(ConnectionClosedOK):
            socket.recv(timeout=DEADLINE_S)


def test_a_run_that_was_paused_is_watched_on(server: Served, ws: Workspace, log: Path) -> None:
    put(log, STARTED, step(1), Changed("paused", "The disk is full. Nothing is lost: free some space, then resume it."))
    with watch(server, ws, log, language="zh-CN") as socket:
        told = heard(socket)["events"][-1]
        assert (told["type"], told["state"]) == ("state", "paused") and "磁盘" in told["why"]
        put(log, Changed("queued"), Changed("preparing"))
        seen: list[str] = []
        while len(seen) < 2:
            seen += [event["state"] for event in heard(socket)["events"]]
        assert seen == ["queued", "preparing"]


def test_sentences_come_in_the_readers_language(server: Served, ws: Workspace, log: Path) -> None:
    put(log, Notice("Stops after {n} more epochs without gain", {"n": 3}), Notice("No entry for {this}", {}))
    for language, expected in (("en", "Stops after 3 more epochs without gain"), ("zh-CN", "再 3 轮无提升则停止")):
        with watch(server, ws, log, language=language) as socket:
            assert [event["text"] for event in heard(socket)["events"]] == [expected, "No entry for {this}"]


def test_a_traceback_stays_on_the_server(server: Served, ws: Workspace, log: Path) -> None:
    put(log, Failed("It broke at {rate}.", "", "Try again.", {"rate": 2}, detail="Traceback: /secret/path"))
    with watch(server, ws, log) as socket:
        text = socket.recv(timeout=DEADLINE_S)
    assert "It broke at 2." in str(text) and "secret" not in str(text)


def test_a_broken_line_does_not_hide_the_rest(server: Served, ws: Workspace, log: Path) -> None:
    log.write_bytes(b'{"type":"step","epo{"type":"x"\n[1]\n{"type":"step","step":1,"loss":NaN}\n' + encode(step(2)))
    with watch(server, ws, log) as socket:
        events = heard(socket)["events"]
    assert steps(events) == [1, 2] and events[0]["loss"] is None


def refused(server: Served, address: str, **options: Any) -> bool:
    try:
        with connect(f"ws://{server.host}/{address}", **({"origin": f"http://{server.host}"} | options)):
            return False
    except InvalidStatus as error:
        assert error.response.status_code == 403
        return True


def test_the_token_of_one_run_does_not_open_another(server: Served, ws: Workspace, log: Path) -> None:
    other = make_run(ws, LOCAL_OWNER)
    token = tokens.mint(ws, LOCAL_OWNER, "live", run=other.parent.name)
    assert not refused(server, f"graft/live/{other.parent.name}?token={token}")
    assert refused(server, f"graft/live/{log.parent.name}?token={token}")


def test_a_run_of_somebody_else_is_watched_by_whoever_has_its_address(server: Served, ws: Workspace) -> None:
    log = make_run(ws, owners.new_owner(ws, "Ada"))
    put(log, STARTED)
    with watch(server, ws, log) as socket:
        assert heard(socket)["events"][0]["type"] == "started"


def test_a_deleted_run_is_refused(server: Served, ws: Workspace, log: Path) -> None:
    say(log.parent, deleted=time.time())
    assert refused(server, live_url(ws, LOCAL_OWNER, log.parent.name, "en"))


@pytest.mark.parametrize("run", ["nosuchrun1", "..", "%2e%2e", "a" * 200])
def test_what_is_no_run_is_refused(server: Served, ws: Workspace, run: str) -> None:
    token = tokens.mint(ws, LOCAL_OWNER, "live", run=run)
    assert refused(server, f"graft/live/{run}?token={token}")


def test_the_guard_stands_before_the_socket(server: Served, ws: Workspace, log: Path) -> None:
    url = live_url(ws, LOCAL_OWNER, log.parent.name, "en")
    wrong_scope = tokens.mint(ws, LOCAL_OWNER, "thumbs", run=log.parent.name)
    assert refused(server, url, origin="http://elsewhere.example")
    assert refused(server, url, origin=None)
    assert refused(server, f"graft/live/{log.parent.name}")
    assert refused(server, f"graft/live/{log.parent.name}?token={wrong_scope}")


async def _until(condition: Any) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


def test_one_log_has_one_reader_which_ends_with_its_last_watcher(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    put(log, STARTED)

    async def scenario() -> None:
        hub = Hub(poll_s=0.01)
        async with aclosing(hub.batches(log)) as one, aclosing(hub.batches(log)) as two:
            for watcher in (one, two):
                await anext(watcher)
            waiting = [asyncio.create_task(anext(watcher)) for watcher in (one, two)]
            await _until(lambda: hub.watched == 1)
            readers = [task for task in asyncio.all_tasks() if "_follow" in repr(task)]
            put(log, step(1))
            first, second = await asyncio.gather(*waiting)
            assert first is second and len(readers) == 1
        assert hub.watched == 0
        await _until(readers[0].done)

    asyncio.run(scenario())


def test_a_slow_watcher_skips_ahead_and_nothing_piles_up(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    put(log, STARTED)

    async def scenario() -> None:
        hub = Hub(poll_s=0.001)
        async with aclosing(hub.batches(log)) as slow, aclosing(hub.batches(log)) as quick:
            await anext(slow)
            await anext(quick)
            following = asyncio.create_task(anext(slow))
            put(log, step(1))
            at = (await following).end
            for number in range(2, 3 * MAX_STEPS):
                if number % 500 == 0:
                    end = put(log, *(step(n) for n in range(number - 498, number + 2)))
                    while (await anext(quick)).end != end:
                        pass
            batch = await anext(slow)
            assert (batch.start, batch.end) == (at, end) and len(batch.lines) <= MAX_STEPS

    asyncio.run(scenario())


def test_a_log_that_cannot_be_read_ends_its_watchers(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"

    async def scenario() -> None:
        hub = Hub(poll_s=0.01)
        async with aclosing(hub.batches(log)) as watcher:
            await anext(watcher)
            waiting = asyncio.create_task(anext(watcher))
            await _until(lambda: hub.watched == 1)
            log.mkdir()
            with pytest.raises(OSError):
                await asyncio.wait_for(waiting, DEADLINE_S)

    asyncio.run(scenario())
