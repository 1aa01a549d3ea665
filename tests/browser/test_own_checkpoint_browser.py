"""A checkpoint file of one's own, uploaded on the Model page: it becomes a card, or is told which network it is of."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Locator, Page, expect
from torchvision.models import squeezenet1_0

from core.models.own import file_rows
from core.owners import LOCAL_OWNER
from core.specs import from_json
from pages.ui.state import Draft
from tests.browser.conftest import idle
from tests.browser.journey import SLOW_MS, App, button, serve


@pytest.fixture(scope="module")
def app(serve_app: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> App:
    return serve(serve_app, tmp_path_factory.mktemp("checkpoints") / "workspace")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As a program of somebody's has saved it."""
    path = tmp_path_factory.mktemp("brought") / "leaves.pth"
    state = squeezenet1_0(num_classes=2).state_dict()
    torch.save({"epoch": 3, "state_dict": {f"model.{name}": tensor for name, tensor in state.items()}}, path)
    return path


def bring(page: Page, app: App, file: Path, architecture: str = "") -> None:
    page.goto(f"{app.url}/model")
    page.get_by_text("Add a checkpoint file").click()
    if architecture:
        field = page.get_by_role("combobox", name="Architecture")
        field.click()
        field.press_sequentially(architecture)
        field.press("Enter")
        idle(page)
    page.locator(".up .files-input").set_input_files(file)


def card(page: Page, stands: str, title: str) -> Locator:
    return page.locator(f"[class*=st-key-card-{stands}-]", has=page.get_by_text(title, exact=True))


def test_an_uploaded_file_is_a_card_that_can_be_chosen(page: Page, app: App, checkpoint: Path, console: list[str]) -> None:
    bring(page, app, checkpoint, "SqueezeNet 1.0")
    expect(card(page, "chosen", "leaves")).to_contain_text("your weights for SqueezeNet 1.0", timeout=SLOW_MS)
    button(card(page, "open", "Graft ResNet-10"), "Choose").click()
    expect(card(page, "chosen", "Graft ResNet-10")).to_be_visible()
    button(card(page, "open", "leaves"), "Choose").click()
    expect(card(page, "chosen", "leaves")).to_be_visible()
    [row] = file_rows(app.ws).values()
    assert from_json(Draft, app.ws.draft(LOCAL_OWNER).read_bytes()).model == row.key and row.base == "squeezenet1_0"
    assert console == [] and not list(app.ws.uploads.glob("*/files"))


def test_a_file_of_another_network_is_told_what_it_looks_like_and_used_as_that(page: Page, app: App, checkpoint: Path) -> None:
    bring(page, app, checkpoint.rename(checkpoint.with_name("needles.pth")), "ResNet-18")
    alert = page.get_by_test_id("stAlert").filter(has_text="does not fit ResNet-18")
    expect(alert).to_contain_text("This looks like SqueezeNet 1.0: choose that architecture.", timeout=SLOW_MS)
    button(page, "Use it as SqueezeNet 1.0").click()
    expect(card(page, "chosen", "needles")).to_be_visible(timeout=SLOW_MS)
    expect(alert).to_have_count(0)
