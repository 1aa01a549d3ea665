"""The main job with texts, in a real browser: messages, training, answers to texts of one's own, the model taken home."""
from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core.bundle.load import load_bundle
from core.data.samples.sets import SAMPLES
from tests.browser.journey import SLOW_MS, App, bars, button, download, serve, wait_for_try_it

LABELS = SAMPLES["messages"].labels


@pytest.fixture(scope="module")
def app(serve_app: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> App:
    return serve(serve_app, tmp_path_factory.mktemp("texts") / "workspace")


def ask(page: Page, text: str) -> None:
    """The first answer waits for a process that imports its libraries: what is looked for next has the time that takes."""
    page.get_by_label("Your text").fill(text)
    page.keyboard.press("Control+Enter")


def test_messages_are_learned_tried_and_taken_home(page: Page, app: App, console: list[str], tmp_path: Path) -> None:
    page.goto(app.url)
    button(page, "Try with messages").click()
    expect(button(page, "Start training")).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_text("Graft Words").first).to_be_visible()
    button(page, "Start training").click()
    run = wait_for_try_it(page, app)

    ask(page, "Where can I park my bike?")
    answer = bars(page)
    assert set(answer["labels"]) == set(LABELS) and sum(answer["x"]) == pytest.approx(1, abs=1e-3)
    ask(page, "Where can I park my bike?\n<b>The heating</b> is broken again!\n谢谢你们")
    expect(page.get_by_role("button", name="Download as CSV")).to_be_visible(timeout=SLOW_MS)

    download(page).save_as(tmp_path / "model.zip")
    with zipfile.ZipFile(tmp_path / "model.zip") as bundle:
        names = {Path(name).name for name in bundle.namelist()}
    assert {"model.safetensors", "bundle.json", "predict.py", "tokenizer.json", "README.md"} <= names
    loaded = load_bundle(tmp_path / "model.zip")
    shares = dict(zip(loaded.labels, loaded.predict(["Where can I park my bike?"])[0]))
    assert [shares[label] for label in answer["labels"]] == pytest.approx(answer["x"], abs=1e-5)

    page.goto(f"{app.url}/results?run={run.id}")
    expect(page.get_by_text("Worst mistakes")).to_be_visible(timeout=SLOW_MS)
    report = json.loads((app.ws.run(run.id) / "report.json").read_bytes())
    expect(page.get_by_text(f"{report['k']} of {report['n']} right", exact=False)).to_be_visible()
    assert console == []
