"""A label at a time in a real browser: files and a camera of its own, what a reload leaves, and the dataset that comes of it."""
from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from core.data.versions import Version, list_datasets
from core.owners import LOCAL_OWNER
from core.workspace import Workspace
from tests.browser.conftest import idle
from tests.browser.journey import SLOW_MS, App, button, serve
from tests.browser.test_own_data import drawn, newest
from tests.browser.test_upload_browser import until

PAGE = Path(__file__).parent / "apps" / "collect_app.py"
NAME = "Name of this label"


@pytest.fixture(scope="module")
def server(serve_app: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> App:
    home = tmp_path_factory.mktemp("collect") / "workspace"
    return App(serve_app(PAGE, env={"GRAFT_HOME": str(home)}), Workspace.open(home))


@pytest.fixture
def app(server: App) -> App:
    """One server for all tests, which takes seconds to start; what the test before left behind goes."""
    for folder in (server.ws.uploads, server.ws.datasets, server.ws.drafts):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(exist_ok=True)
    return server


@pytest.fixture
def cards(page: Page, app: App) -> Locator:
    page.goto(app.url)
    cards = page.locator(".co .card")
    expect(cards).to_have_count(2, timeout=SLOW_MS)
    return cards


def pictures(shape: str, n: int, first: int = 0) -> list[dict[str, object]]:
    return [{"name": f"{shape} {i}.jpg", "mimeType": "image/jpeg", "buffer": drawn(shape, i)} for i in range(first, first + n)]


def arrived(app: App) -> list[str]:
    return [json.loads(line)["name"] for path in app.ws.uploads.glob("*/names.jsonl") for line in path.read_text("utf-8").splitlines()]


def counted(card: Locator) -> int:
    return int(re.sub(r"\D", "", card.locator(".tally").inner_text()) or 0)


def imported(page: Page, app: App) -> Version:
    expect(page.get_by_text("The import has begun.")).to_be_visible(timeout=SLOW_MS)
    until(page, lambda: list_datasets(app.ws, LOCAL_OWNER))
    return newest(app)[1]


def test_files_of_two_labels_become_a_dataset_with_the_names_given_last(page: Page, app: App, cards: Locator, console: list[str]) -> None:
    use = button(page, "Use these pictures")
    expect(use).to_be_disabled()
    cards.nth(0).locator(".files-input").set_input_files(pictures("disc", 6))
    cards.nth(1).locator(".files-input").set_input_files([*pictures("box", 5), {"name": "a.txt", "mimeType": "text/plain", "buffer": b"x"}])
    expect(cards.nth(1).locator(".note")).to_have_text("Not pictures, so left out: 1")
    expect(use).to_be_enabled()
    cards.nth(0).get_by_label(NAME).fill("round <b>/ ones")
    cards.nth(1).get_by_label(NAME).fill("round <b>/ ones")
    expect(use).to_be_disabled()
    expect(page.get_by_text("Two labels are called “round <b>/ ones”.")).to_be_visible()
    cards.nth(1).get_by_label(NAME).fill("盒子")
    use.click()
    version = imported(page, app)
    assert version.labels == ("round <b>∕ ones", "盒子") and newest(app)[0].name == "round <b>/ ones, 盒子"
    assert sorted(item.name for item in version.items if item.label == 1) == [f"盒子/box {i}.jpg" for i in range(5)]
    assert len(version.items) == 11 and version.rejected == () and console == []


def drop(page: Page, card: Locator, files: list[dict[str, object]]) -> None:
    """Files let go over a card."""
    brought = [[file["name"], base64.b64encode(file["buffer"]).decode(), file.get("modified", 1)] for file in files]  # type: ignore[arg-type]
    held = page.evaluate_handle("""files => {
        const held = new DataTransfer();
        for (const [name, data, lastModified] of files)
            held.items.add(new File([Uint8Array.from(atob(data), c => c.charCodeAt(0))], name, { type: 'image/jpeg', lastModified }));
        return held;
    }""", brought)
    for event in ("dragenter", "dragover", "drop"):
        card.dispatch_event(event, {"dataTransfer": held})


def test_pictures_dropped_on_a_card_belong_to_its_label(page: Page, app: App, cards: Locator) -> None:
    drop(page, cards.nth(1), pictures("box", 4))
    expect(cards.nth(1).locator(".tally")).to_have_text("4 pictures")
    drop(page, cards.nth(0), pictures("disc", 3))
    drop(page, cards.nth(0), pictures("disc", 3))  # the same again adds nothing
    expect(cards.nth(0).locator(".tally")).to_have_text("3 pictures")
    button(page, "Use these pictures").click()
    version = imported(page, app)
    assert [sum(item.label == i for item in version.items) for i in range(2)] == [3, 4]


def test_pictures_of_one_name_and_size_are_two_when_they_are_of_different_times(page: Page, app: App, cards: Locator) -> None:
    one, other = ({"name": "IMG_1.bmp", "buffer": bytes([n]) * 500, "modified": n} for n in (1, 2))
    for file in (one, other, one, other):
        drop(page, cards.nth(0), [file])
    expect(cards.nth(0).locator(".tally")).to_have_text("2 pictures")
    until(page, lambda: len(arrived(app)) == 2)
    assert sorted(name.split("/")[1] for name in arrived(app)) == ["IMG_1 (2).bmp", "IMG_1.bmp"]


def test_a_long_name_is_cut_between_characters(page: Page, app: App, cards: Locator) -> None:
    drop(page, cards.nth(0), [{"name": "😀" * 300 + "a.bmp", "buffer": b"x"}])
    until(page, lambda: arrived(app))
    assert arrived(app)[0].split("/")[1] == "😀" * 195 + "a.bmp"


def test_the_camera_records_while_the_button_is_held(page: Page, app: App, cards: Locator) -> None:
    for card, key in ((cards.nth(0), ""), (cards.nth(1), " ")):
        card.get_by_role("button", name="Use camera").click()
        hold = card.get_by_role("button", name="Hold to record")
        expect(hold).to_be_focused()
        page.wait_for_timeout(1000)
        assert counted(card) == 0, "nothing is recorded before the button is held"
        box = hold.bounding_box()
        assert box and box["height"] >= 44
        if key:
            page.keyboard.down(key)
        else:
            page.mouse.move(box["x"] + 20, box["y"] + 20)
            page.mouse.down()
        until(page, lambda: counted(card) >= 8)
        page.keyboard.up(key) if key else page.mouse.up()
        expect(hold).to_be_visible()
        page.wait_for_timeout(400)
        n = counted(card)
        page.wait_for_timeout(600)
        assert counted(card) == n, "recording ends when the button is let go"
    expect(cards.nth(0).locator("video")).to_have_count(0)  # the second card took the camera
    first = cards.nth(0).locator(".thumb").first
    n = counted(cards.nth(0))
    first.click()
    assert counted(cards.nth(0)) == n - 1
    total = counted(cards.nth(0)) + counted(cards.nth(1))
    until(page, lambda: len(arrived(app)) == total)
    button(page, "Use these pictures").click()
    version = imported(page, app)
    assert version.labels == ("Label 1", "Label 2") and len(version.items) + len(version.rejected) == total
    assert {(item.width, item.height) for item in version.items} == {(320, 320)}


def test_what_arrived_outlives_a_reload_and_can_be_dropped(page: Page, app: App, cards: Locator) -> None:
    cards.nth(0).locator(".files-input").set_input_files(pictures("disc", 4))
    cards.nth(0).get_by_label(NAME).fill("discs")
    until(page, lambda: len(arrived(app)) == 4)
    page.reload()
    expect(cards.nth(0).get_by_label(NAME)).to_have_value("discs")
    expect(cards.nth(0).locator(".tally")).to_have_text("4 pictures")
    expect(cards.nth(1).locator(".tally")).to_have_text("No pictures yet")
    cards.nth(0).locator(".files-input").set_input_files(pictures("disc", 5))
    expect(cards.nth(0).locator(".tally")).to_have_text("5 pictures")
    until(page, lambda: len(arrived(app)) == 5)
    button(page, "Start over").click()
    button(page, "Really remove all pictures?").click()
    expect(cards.nth(0).locator(".tally")).to_have_text("No pictures yet")
    until(page, lambda: not arrived(app))
    cards.nth(0).locator(".files-input").set_input_files(pictures("box", 2))
    until(page, lambda: len(arrived(app)) == 2)


def test_a_rerun_of_the_page_changes_nothing_and_a_class_goes_with_its_pictures(page: Page, app: App, cards: Locator) -> None:
    button(page, "+ Add a label").click()
    expect(cards).to_have_count(3)
    for i, shape in enumerate(("disc", "box", "disc")):
        cards.nth(i).locator(".files-input").set_input_files(pictures(shape, 3, first=10 * i))
    until(page, lambda: len(arrived(app)) == 9)
    button(page, "rerun").click()
    idle(page)
    expect(cards.nth(2).locator(".thumb")).to_have_count(3)
    for _ in range(2):  # leaves and comes back
        page.get_by_text("shown").click()
        idle(page)
    expect(cards.nth(2).locator(".thumb")).to_have_count(3)
    button(page, "Remove Label 2 with its pictures").click()
    expect(cards).to_have_count(2)
    until(page, lambda: len(arrived(app)) == 6)
    button(page, "Use these pictures").click()
    assert imported(page, app).labels == ("Label 1", "Label 3")


def test_an_import_that_cannot_begin_leaves_the_pictures_in_their_cards(page: Page, app: App, cards: Locator) -> None:
    for i, shape in enumerate(("disc", "box")):
        cards.nth(i).locator(".files-input").set_input_files(pictures(shape, 3))
        cards.nth(i).get_by_label(NAME).fill(shape)
    expect(button(page, "Use these pictures")).to_be_enabled(timeout=SLOW_MS)
    (upload,) = app.ws.uploads.iterdir()
    (upload / "import.log").mkdir()  # in the way of the log
    first = cards.nth(0).element_handle()
    button(page, "Use these pictures").click()
    until(page, lambda: not page.evaluate("card => card.isConnected", first))
    expect(cards.nth(1).locator(".tally")).to_have_text("3 pictures", timeout=SLOW_MS)
    expect(cards.nth(1).get_by_label(NAME)).to_have_value("box")
    (upload / "import.log").rmdir()
    button(page, "Use these pictures").click()
    assert imported(page, app).labels == ("box", "disc")


def test_a_camera_that_is_refused_is_explained(page: Page, app: App, cards: Locator) -> None:
    for name, said in (("NotAllowedError", "does not let this page use the camera"), ("NotFoundError", "No camera was found")):
        page.evaluate("name => { navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', name); }; }", name)
        cards.nth(0).get_by_role("button", name="Use camera").click()
        expect(cards.nth(0).locator(".note")).to_contain_text(said)
        expect(cards.nth(0).get_by_role("button", name="Use camera")).to_be_visible()


def test_a_server_that_is_away_for_a_while_loses_nothing(page: Page, app: App, cards: Locator,
                                                         crash_and_restart: Callable[[str], None]) -> None:
    page.route("**/graft/upload*", lambda route: route.abort())
    cards.nth(0).locator(".files-input").set_input_files(pictures("disc", 3))
    expect(page.get_by_text("The connection broke off. Trying again …")).to_be_visible()
    crash_and_restart(app.url)
    page.unroute("**/graft/upload*")
    until(page, lambda: len(arrived(app)) == 3)


def test_from_the_start_page_the_cards_lead_to_the_data_page(page: Page, serve_app: Callable[..., str], tmp_path: Path) -> None:
    app = serve(serve_app, tmp_path / "workspace")
    page.goto(app.url)
    page.get_by_role("radio", name="Label by label").click()
    cards = page.locator(".co .card")
    for i, (name, shape) in enumerate((("discs", "disc"), ("boxes", "box"))):
        cards.nth(i).get_by_label(NAME).fill(name)
        cards.nth(i).locator(".files-input").set_input_files(pictures(shape, 8))
    button(page, "Use these pictures").click()
    page.wait_for_url("**/data", timeout=SLOW_MS)
    expect(page.get_by_text("discs, boxes").first).to_be_visible(timeout=SLOW_MS)
    assert newest(app)[1].labels == ("boxes", "discs")
