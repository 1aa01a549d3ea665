"""Whether many can watch one run: what the server takes for it, and how soon its page answers.

    python benchmarks/watching.py [--watchers 30] [--seconds 60]

A run whose log grows as that of a real one does (ten steps a second) is watched by scripted clients, each with a Streamlit session that
does what a browser does (the first run of the page, fragments that run again by themselves) and a live socket, and by one real Chromium.
Then: the processor time of the server, its memory at the beginning and at the end, and how long a fresh session waits for its page.
"""
from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from core import events  # noqa: E402
from core.data.intake.importing import import_path  # noqa: E402
from core.jobs.life import change  # noqa: E402
from core.jobs.runs import submit  # noqa: E402
from core.models.catalog import find  # noqa: E402
from core.owners import LOCAL_OWNER  # noqa: E402
from core.specs import ModelSpec, RunSpec  # noqa: E402
from core.training.presets import preset_config, preset_plan  # noqa: E402
from core.workspace import Workspace  # noqa: E402
from pages.routes.live import live_url  # noqa: E402
from tools import start  # noqa: E402

MODEL, EPOCHS, STEPS, STEP_S = "graft-resnet10", 1000, 40, 0.1
CORES, GROWTH, ANSWER_S = 0.2, 1.05, 1.0
"""Targets: of the server's processor time, of its memory's growth, of a fresh page."""
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
         "--disable-sync")


def main() -> None:
    parser = argparse.ArgumentParser(description="Many who watch one run.")
    parser.add_argument("--watchers", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        ws = Workspace.open(Path(home) / "workspace")
        run = learning(ws, Path(home))
        over = threading.Event()
        writer = threading.Thread(target=write, args=(ws, run, over))
        with serving(ws, Path(home)) as (url, server), chromium(f"http://{url}/train?run={run.id}", Path(home)):
            writer.start()
            try:
                asyncio.run(watch(ws, run, url, server, options.watchers, options.seconds))
            finally:
                over.set()
                writer.join()


def learning(ws: Workspace, home: Path) -> RunSpec:
    """A run that this process seems to carry out."""
    from tests.core.jobs.queued import folder_of_pictures

    data = import_path(ws, folder_of_pictures(home / "pictures", n=20), name="watched", owner=LOCAL_OWNER, progress=lambda done, total: None)
    row = find(MODEL)
    run = submit(ws, LOCAL_OWNER, data, ModelSpec(row.key), preset_plan(row, "balanced"), preset_config(row, "balanced"))
    change(ws.run(run.id), "preparing")
    return run


def write(ws: Workspace, run: RunSpec, over: threading.Event) -> None:
    """Its log, as a training would write it."""
    folder, step = ws.run(run.id), 0

    def say(event: events.Event) -> None:
        events.append(folder / "events.jsonl", event)
    say(events.Started(42, 9, 9, 3, 1000, 5000, EPOCHS, STEPS, "cpu"))
    change(folder, "running")
    for epoch in range(1, EPOCHS + 1):
        for _ in range(STEPS):
            if over.wait(STEP_S):
                return
            step += 1
            say(events.Step(epoch, step, 1.0 / (1 + step / 50) + 0.05 * (step % 3), 0.8, 1e-3))
        say(events.EpochEnd(epoch, step, 1.0 / (1 + epoch), 0.8, 1.0 / (1 + epoch) + 0.1, 0.7 + 0.01 * (epoch % 7), epoch % 5 == 0, None))


@contextmanager
def serving(ws: Workspace, home: Path):
    port = start.choose_port(18601, 18650)
    environment = {**os.environ, "GRAFT_HOME": str(ws.root), "GRAFT_MEASURE": "never", "PYTHONPATH": str(ROOT)}
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), f"--server.port={port}",
                                    "--server.address=127.0.0.1", "--server.headless=true"], cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            while not start.answers(f"http://127.0.0.1:{port}"):
                assert process.poll() is None, (home / "server.log").read_text()
                time.sleep(0.1)
            yield f"127.0.0.1:{port}", psutil.Process(process.pid)
        finally:
            process.kill()
            process.wait()
            for other in psutil.process_iter(["cmdline"]):
                if "core.jobs.supervisor" in (other.info["cmdline"] or []) and str(ws.root) in other.info["cmdline"]:
                    other.kill()


@contextmanager
def chromium(address: str, home: Path):
    browser = start.find_browser()
    assert browser, "set CHROME to a Chrome, Chromium or Edge"
    process = subprocess.Popen([browser, "--headless=new", "--remote-debugging-port=0", f"--user-data-dir={home / 'browser'}", *FLAGS, address],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


@dataclass(slots=True)
class Watcher:
    """One tab. `ran`: script runs that ended; `first_s`: how long the first one took; `got`: messages of the live socket."""
    url: str
    run: str
    live: str
    ran: int = 0
    first_s: float = 0.0
    got: int = 0
    timers: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def session(self) -> None:
        began = time.perf_counter()
        async with websockets.connect(f"ws://{self.url}/_stcore/stream", subprotocols=["streamlit"], origin=f"http://{self.url}",  # type: ignore[list-item,arg-type]
                                      max_size=None) as socket:
            await socket.send(self.request(""))
            async for data in socket:
                message = ForwardMsg.FromString(data)  # type: ignore[arg-type]
                kind = message.WhichOneof("type")
                if kind == "script_finished":
                    self.ran += 1
                    self.first_s = self.first_s or time.perf_counter() - began
                elif kind == "auto_rerun":
                    part = message.auto_rerun.fragment_id
                    if old := self.timers.pop(part, None):
                        old.cancel()
                    self.timers[part] = asyncio.create_task(self.repeat(socket, part, message.auto_rerun.interval))

    async def repeat(self, socket: websockets.ClientConnection, part: str, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            await socket.send(self.request(part))

    def request(self, part: str) -> bytes:
        message = BackMsg()
        message.rerun_script.query_string = f"run={self.run}"
        message.rerun_script.page_name = "train"
        message.rerun_script.fragment_id = part
        message.rerun_script.is_auto_rerun = bool(part)
        return message.SerializeToString()

    async def socket(self) -> None:
        async with websockets.connect(f"ws://{self.url}/{self.live}", origin=f"http://{self.url}", max_size=None) as socket:  # type: ignore[arg-type]
            async for _ in socket:
                self.got += 1


async def watch(ws: Workspace, run: RunSpec, url: str, server: psutil.Process, n: int, seconds: float) -> None:
    live = live_url(ws, LOCAL_OWNER, run.id, "en")
    watchers, tasks = [Watcher(url, run.id, live) for _ in range(n)], list[asyncio.Task[None]]()
    for watcher in watchers:
        tasks += [asyncio.create_task(watcher.session()), asyncio.create_task(watcher.socket())]
        await asyncio.sleep(0.3)
    await asyncio.sleep(10.0)  # first runs, caches
    began, cpu, memory = time.perf_counter(), _cpu(server), server.memory_info().rss
    ran = sum(watcher.ran for watcher in watchers)
    waits = []
    while time.perf_counter() - began < seconds:
        fresh = Watcher(url, run.id, live)
        task = asyncio.create_task(fresh.session())
        await asyncio.sleep(max(2.0, seconds / 10))
        waits.append(fresh.first_s or float("inf"))
        for timer in fresh.timers.values():
            timer.cancel()
        task.cancel()
    for task in tasks:
        if task.done():
            task.result()
    took = time.perf_counter() - began
    cores, grown = (_cpu(server) - cpu) / took, server.memory_info().rss / memory
    waits.sort()
    print(f"{n} watchers and a Chromium, {took:.0f} s: {(sum(watcher.ran for watcher in watchers) - ran) / took:.1f} reruns a second, "
          f"{min(watcher.got for watcher in watchers)} messages at least")
    print("| measure | value | target |\n|---|---|---|")
    print(f"| server, cores | {cores:.2f} | ≤ {CORES} |")
    print(f"| its memory at the end, of that at the beginning ({memory / 1e6:.0f} MB) | {grown:.2f} | ≤ {GROWTH} |")
    print(f"| a fresh page, seconds, median / slowest of {len(waits)} | {waits[len(waits) // 2]:.2f} / {waits[-1]:.2f} | ≤ {ANSWER_S:.0f} |")
    print(json.dumps({"cores": cores, "grown": grown, "waits": waits}), file=sys.stderr)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


if __name__ == "__main__":
    main()
