"""An upload that breaks off goes on where it ended: a reloaded tab, a killed server, a large file in the middle, another folder instead."""
from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, Route, expect

from core.data.versions import list_datasets
from core.owners import LOCAL_OWNER
from pages.routes.parts import PIECE_BYTES
from tests.browser.journey import SLOW_MS, App, button, serve
from tests.browser.test_own_data import newest, shapes, zipped
from tests.core.data.picture_files import classes, write_tree

FOLDER, FILES = ".up .folder-input", ".up .files-input"


@pytest.fixture(scope="module")
def app(serve_app: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> App:
    return serve(serve_app, tmp_path_factory.mktemp("broken off") / "workspace")


class Dam:
    """Lets the first few requests pass that bring something; later ones wait for ever. Three are under way at once and come here in any
    order, so which files pass is known only where all that can be the first bring as many."""

    def __init__(self, page: Page, let_through: int) -> None:
        self.page, self.left = page, let_through
        page.route("**/graft/upload*", self._pass)
        page.route("**/graft/upload/piece*", self._pass)

    def _pass(self, route: Route, request: Request) -> None:
        if request.method != "PUT":
            route.continue_()
        elif self.left > 0:
            self.left -= 1
            route.continue_()

    def open(self) -> None:
        self.page.unroute("**/graft/upload*")
        self.page.unroute("**/graft/upload/piece*")


def bringing(page: Page) -> list[str]:
    """The addresses of the requests that bring files, from now on."""
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url) if request.method == "PUT" and "/graft/upload" in request.url else None)
    return urls


def arrived(app: App) -> dict[str, str]:
    """Number by name of what lies in the one inbox that is being filled."""
    rows = []
    for path in app.ws.uploads.glob("*/names.jsonl"):
        with suppress(FileNotFoundError):  # it is being removed
            rows += [json.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    assert len({row["name"] for row in rows}) == len(rows)
    return {row["name"]: row["file"] for row in rows}


def until(page: Page, true: Callable[[], object]) -> None:
    """Wait, and let the browser go on meanwhile: what holds its requests runs in this thread."""
    end = time.monotonic() + 120
    while not true():
        assert time.monotonic() < end, "it did not come about in two minutes"
        page.wait_for_timeout(50)


def imported(page: Page, app: App, name: str, n: int) -> tuple[str, ...]:
    """The labels of the dataset, once it is there."""
    until(page, lambda: [dataset for dataset in list_datasets(app.ws, LOCAL_OWNER) if dataset.name == name])
    version = newest(app)[1]
    assert newest(app)[0].name == name and len({item.sha for item in version.items}) == n
    return version.labels


def break_off(page: Page, app: App, selector: str, path: Path, requests: int) -> Dam:
    """Begin an upload and hold it after some requests."""
    page.goto(app.url)
    dam = Dam(page, requests)
    page.locator(selector).set_input_files(path)
    until(page, lambda: dam.left == 0)
    return dam


def test_a_folder_goes_on_after_the_tab_was_reloaded(page: Page, app: App, tmp_path: Path) -> None:
    folder = write_tree(tmp_path / "pets", classes({"cats": 400, "dogs": 400}))
    dam = break_off(page, app, FOLDER, folder, 3)
    until(page, lambda: len(arrived(app)) == 300)
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto("about:blank")
    dam.open()
    page.goto(app.url)
    expect(page.locator(".up .before")).to_contain_text("300 files of “pets” have arrived. Choose the same folder again to go on.")
    requests = bringing(page)
    page.locator(FOLDER).set_input_files(folder)
    imported(page, app, "pets", 800)
    assert len(requests) == 5, "what has arrived is not sent twice"


def test_a_folder_goes_on_after_the_server_was_killed_and_began_anew(page: Page, app: App, tmp_path: Path,
                                                                   crash_and_restart: Callable[[str], None]) -> None:
    folder = write_tree(tmp_path / "birds", classes({"owls": 150, "wrens": 151}))
    dam = break_off(page, app, FOLDER, folder, 1)
    until(page, lambda: len(arrived(app)) == 100)
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto("about:blank")
    crash_and_restart(app.url)
    dam.open()
    page.goto(app.url)
    expect(page.locator(".up .before")).to_contain_text("100 files of “birds”")
    requests = bringing(page)
    page.locator(FOLDER).set_input_files(folder)
    imported(page, app, "birds", 301)
    assert len(requests) == 3


def test_a_large_zip_goes_on_in_the_middle(page: Page, app: App, tmp_path: Path, crash_and_restart: Callable[[str], None]) -> None:
    archive = zipped(tmp_path / "large shapes.zip", {**shapes(), "discs/ballast.bin": bytes(2 * PIECE_BYTES + 5)})
    assert archive.stat().st_size > 2 * PIECE_BYTES
    dam = break_off(page, app, FILES, archive, 1)
    until(page, lambda: [json.loads(path.read_bytes())["have"] for path in app.ws.uploads.glob("*/files/*.json")] == [PIECE_BYTES])
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto("about:blank")
    crash_and_restart(app.url)
    dam.open()
    page.goto(app.url)
    expect(page.locator(".up .before")).to_contain_text("8.4 MB of “large shapes.zip” have arrived. Choose the same file again")
    requests = bringing(page)
    page.locator(FILES).set_input_files(archive)
    imported(page, app, "large shapes", 24)
    assert len(requests) == 2


def test_another_folder_begins_anew_and_nothing_mixes(page: Page, app: App, tmp_path: Path) -> None:
    dam = break_off(page, app, FOLDER, write_tree(tmp_path / "fish", classes({"carps": 100, "pikes": 100})), 1)
    until(page, lambda: len(arrived(app)) == 100)
    button(page, "Cancel upload").click()
    dam.open()
    expect(page.locator(".up .before")).to_contain_text("100 files of “fish”")
    page.locator(FOLDER).set_input_files(write_tree(tmp_path / "trees", shapes("oaks", "elms")))
    assert imported(page, app, "trees", 24) == ("elms", "oaks")


def test_what_arrived_can_be_forgotten(page: Page, app: App, tmp_path: Path) -> None:
    dam = break_off(page, app, FOLDER, write_tree(tmp_path / "cars", classes({"red": 100, "blue": 100})), 1)
    until(page, lambda: len(arrived(app)) == 100)
    button(page, "Cancel upload").click()
    dam.open()
    button(page, "Discard this upload").click()
    expect(page.locator(".up .before")).to_have_count(0)
    until(page, lambda: not arrived(app))
    page.reload()
    expect(button(page, "Choose folder")).to_be_visible(timeout=SLOW_MS)
    expect(page.locator(".up .before")).to_have_count(0)
