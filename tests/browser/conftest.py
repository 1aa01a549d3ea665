"""Browser fixtures: a real server and a real Chromium, without a plugin."""
from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from tools import start

ROOT = Path(__file__).parents[2]
FAILURES = ROOT / ".pytest_cache" / "browser"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
SERVER_TIMEOUT_S = 60
PATIENCE_MS = 60_000
"""For whatever a page should come to show: on a machine that has more to do it takes its time, and where it is there no test waits."""
PORTS = range(18501, 18551)
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
"""Which of the pytest processes that run side by side: each keeps to ports of its own."""

ServeApp = Callable[..., str]
_failed = pytest.StashKey[bool]()


def idle(page: Page) -> None:
    """Wait until the script run has ended; Streamlit marks the root of the app."""
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """One headless Chrome, Chromium or Edge for the session. Skips with the reason where there is none; with CI=true that fails."""
    try:
        browser = playwright.chromium.launch(executable_path=start.find_browser(), args=FLAGS)
    except PlaywrightError as error:
        reason = f"no browser: set CHROME to a Chrome, Chromium or Edge ({str(error).splitlines()[0]})"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    yield browser
    browser.close()


@dataclass(slots=True)
class _Server:
    """One address, with whatever process serves it now."""
    path: Path
    url: str
    log: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    @property
    def home(self) -> str:
        return self.environment["GRAFT_HOME"]

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streamlit", "run", str(self.path), f"--server.port={self.url.rpartition(':')[2]}",
                 "--server.address=127.0.0.1", "--server.headless=true"],
                cwd=ROOT, env=self.environment, stdout=output, stderr=subprocess.STDOUT)
        end = time.monotonic() + SERVER_TIMEOUT_S
        while not start.answers(self.url):
            if self.process.poll() is not None or time.monotonic() > end:
                pytest.fail(f"the server of {self.path.name} did not answer:\n{self.said()[-4000:]}")
            time.sleep(0.1)

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


@pytest.fixture(scope="session")
def _servers() -> Iterator[dict[str, _Server]]:
    """By address. Every server ends with the session, together with all that it started (supervisor, workers)."""
    servers: dict[str, _Server] = {}
    yield servers
    for server in servers.values():
        assert server.process is not None
        _end(server.process, server.home)


@pytest.fixture(scope="session")
def serve_app(_servers: dict[str, _Server], tmp_path_factory: pytest.TempPathFactory) -> ServeApp:
    """`serve_app(path, env={})`: start a real `streamlit run path` with a workspace of its own and return its address.

    `env` is added to the environment; a `GRAFT_HOME` in it is the workspace to use.
    """
    def serve(path: Path, env: Mapping[str, str] = {}) -> str:
        folder = tmp_path_factory.mktemp("server")
        shift = WORKER * len(PORTS)
        url = f"http://127.0.0.1:{start.choose_port(PORTS[0] + shift, PORTS[-1] + shift)}"
        server = _Server(path, url, folder / "server.log",
                         {**os.environ, "GRAFT_HOME": str(folder / "workspace"), "PYTHONPATH": str(ROOT), **env})
        _servers[url] = server
        server.start()
        return url
    return serve


@pytest.fixture(scope="session")
def crash_and_restart(_servers: dict[str, _Server]) -> Callable[[str], None]:
    """`crash_and_restart(url)`: kill that server alone, as a crash would, and start it again at the same address and workspace."""
    def restart(url: str) -> None:
        process = _servers[url].process
        assert process is not None
        process.kill()
        process.wait()
        _servers[url].start()
    return restart


@pytest.fixture
def console(page: Page) -> list[str]:
    """What the browser complains about, without Streamlit's own probes of addresses below a page's path."""
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        probe = re.search(r"/_stcore/(health|host-config)$", message.location.get("url", ""))
        if message.type == "error" and not (probe and "404" in message.text):
            complaints.append(f"{message.text} ({message.location.get('url')})")
    page.on("console", hear)
    return complaints


@pytest.fixture
def page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A fresh tab of 1440×900 px in English. An uncaught error in the page fails the test; a failing test leaves a picture."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-US", accept_downloads=True)
    context.set_default_timeout(PATIENCE_MS)
    tab = context.new_page()
    errors: list[str] = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    yield tab
    if errors or request.node.stash.get(_failed, False):
        FAILURES.mkdir(parents=True, exist_ok=True)
        picture = FAILURES / (re.sub(r"[^\w.-]+", "-", request.node.nodeid).strip("-") + ".png")
        tab.screenshot(path=picture)
        print(f"picture of the page: {picture}")
    context.close()
    assert not errors, f"uncaught errors in the page: {errors}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come last: the quick ones speak first, and Playwright's event loop stays in the main thread until the session ends."""
    items.sort(key=lambda item: item.path.is_relative_to(Path(__file__).parent))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        item.stash[_failed] = True
    return report


def _end(server: subprocess.Popen[bytes], home: str) -> None:
    """End a server and everything that works in its workspace, also what has left the server's process tree."""
    processes = psutil.Process(server.pid).children(recursive=True) if server.poll() is None else []
    processes += [process for process in psutil.process_iter() if process.pid not in (os.getpid(), server.pid) and _works_in(process, home)]
    start.stop(server)
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(processes, timeout=10)


def _works_in(process: psutil.Process, home: str) -> bool:
    try:
        return process.environ().get("GRAFT_HOME") == home
    except (psutil.Error, OSError):  # another user's, or gone
        return False
