"""The data page in a real browser: items are selected and corrected, labels renamed, problems settled, and everything undone."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core.data.edit import MOVED_ONE
from core.data.versions import Version, list_datasets, load_version, spec_of
from core.owners import LOCAL_OWNER
from tests.browser.conftest import idle
from tests.browser.journey import SLOW_MS, App, button, serve
from tests.core.data.picture_files import classes, jpeg, write_tree


@pytest.fixture(scope="module")
def app(serve_app: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> App:
    return serve(serve_app, tmp_path_factory.mktemp("data page") / "workspace")


def current(app: App) -> Version:
    dataset = list_datasets(app.ws, LOCAL_OWNER)[0]
    return load_version(app.ws, spec_of(app.ws, dataset))


def bring(page: Page, app: App, folder: Path) -> None:
    """A folder through the real import; ends on the Data page."""
    page.goto(app.url)
    page.locator(".up .folder-input").set_input_files(folder)
    expect(page.get_by_role("heading", name="Health")).to_be_visible(timeout=SLOW_MS)
    idle(page)


def counts(app: App) -> dict[str, int]:
    version = current(app)
    return {label: sum(item.label == i for item in version.items) for i, label in enumerate(version.labels)}


def test_selected_items_get_another_label_and_undo_gives_the_old_one_back(page: Page, app: App, tmp_path: Path, console: list[str]) -> None:
    bring(page, app, write_tree(tmp_path / "pets", classes({"cat": 12, "dog": 12})))
    cells = page.locator(".ig .cell")
    expect(cells).to_have_count(24)
    cells.nth(0).click()
    cells.nth(2).click(modifiers=["Shift"])
    expect(page.locator(".ig .acts strong")).to_have_text("3 selected")
    page.locator(".ig .acts input").fill("hen")
    page.locator(".ig .acts input").press("Enter")
    expect(page.get_by_text("24 pictures, 3 labels")).to_be_visible()
    assert counts(app)["hen"] == 3
    button(page, "Undo").click()
    expect(page.get_by_text("24 pictures, 2 labels")).to_be_visible()
    assert counts(app) == {"cat": 12, "dog": 12}
    assert console == []


def test_selected_items_are_removed_with_the_keyboard(page: Page, app: App, tmp_path: Path) -> None:
    bring(page, app, write_tree(tmp_path / "more pets", {name: data for name, data in classes({"cow": 12, "pig": 12}).items()}))
    first = page.locator(".ig .cell").first
    first.focus()
    page.keyboard.press("Space")
    expect(first).to_have_attribute("aria-pressed", "true")
    page.locator(".ig .acts").get_by_role("button", name="Remove").press("Enter")
    expect(page.get_by_text("23 pictures, 2 labels")).to_be_visible()
    tested = len(current(app).split("test"))
    page.locator(".ig .cell").filter(has_not_text="test").first.click()
    page.locator(".ig .acts select").select_option("test")
    expect(page.get_by_text(MOVED_ONE["test"]).first).to_be_visible()
    assert len(current(app).split("test")) == tested + 1


def test_copies_on_both_sides_hold_the_training_until_they_are_settled(page: Page, app: App, tmp_path: Path) -> None:
    files = classes({"train/ant": 12, "train/bee": 12, "val/ant": 4, "val/bee": 4, "test/ant": 4, "test/bee": 4})
    files |= {"test/ant/copy.jpg": files["train/ant/0.jpg"], "test/bee/new.jpg": jpeg(991)}
    bring(page, app, write_tree(tmp_path / "insects", files))
    page.get_by_role("link", name="Train").click()
    expect(page.get_by_role("button", name="Start training")).to_be_disabled()
    button(page, "Settle it on the Data page").click()
    expect(page.locator(".ig .cell")).to_have_count(2)
    page.locator(".st-key-data-health-near-copies-across-splits").get_by_role("button").first.click()
    expect(page.get_by_text("41 pictures, 2 labels")).to_be_visible()
    page.get_by_role("link", name="Train").click()
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()


def test_what_is_let_stand_is_known_to_the_version(page: Page, app: App, tmp_path: Path) -> None:
    files = classes({"train/ape": 12, "train/elk": 12, "test/ape": 4, "test/elk": 4})
    files |= {"test/ape/copy.jpg": files["train/ape/0.jpg"]}
    bring(page, app, write_tree(tmp_path / "animals", files))
    button(page, "Let them stand").click()
    button(page, "I know, train anyway").click()
    expect(page.get_by_text("Near-copies on both sides of the split, accepted: 1")).to_be_visible()
    page.get_by_role("link", name="Train").click()
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()
    assert current(app).overruled > 0


def test_names_are_shown_letter_by_letter(page: Page, app: App, tmp_path: Path, console: list[str]) -> None:
    bring(page, app, write_tree(tmp_path / "names", classes({"<img src=x onerror=document.title=1>": 6, "**b** :red[x]": 6})))
    expect(page.locator(".ig .cell b").first).to_contain_text("<img")
    assert page.locator(".ig .cell b img").count() == 0 and page.title() != "1" and console == []
