"""The main job as a newcomer does it, in a real browser: examples, training that is watched, an answer, the model taken home."""
from __future__ import annotations

import json
import re
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from psutil import Process
from safetensors import safe_open

from core.data.samples.sets import SAMPLES
from core.events import Changed, Done, Resumed, Saved, Started
from core.jobs.life import LIVING, state_of
from core.jobs.processes import ProcessId
from core.models.catalog import DEFAULT, find
from core.specs import from_json
from core.training.presets import PlanKind, groups, plan_for
from tests.browser.conftest import idle
from tests.browser.journey import (
    SLOW_MS,
    App,
    bars,
    button,
    download,
    points,
    reached,
    serve,
    set_epochs,
    take_flowers,
    wait_for_try_it,
    wait_until_further,
)

LABELS = SAMPLES["flowers"].labels
ROW = find(DEFAULT)


@pytest.fixture(scope="module")
def app(serve_app: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> App:
    return serve(serve_app, tmp_path_factory.mktemp("journey") / "workspace")


def counted(kind: PlanKind) -> tuple[int, int]:
    """Trained and all parameters of the built-in network with a new head for five labels, from the catalog alone."""
    trained = set(plan_for(ROW, kind).trained())
    head = len(LABELS) * (ROW.feature_width + 1)
    trunk = [block for block in ROW.blocks if block.group != groups(ROW)[-1]]
    return sum(block.parameters for block in trunk if block.name in trained) + head, sum(block.parameters for block in trunk) + head


def choose_balanced(page: Page) -> None:
    page.locator(".st-key-card-open-balanced").get_by_role("button", name="Choose").click()
    expect(page.locator(".st-key-card-chosen-balanced")).to_be_visible()


def test_four_clicks_lead_from_nothing_to_the_model(page: Page, app: App, console: list[str]) -> None:
    page.add_init_script("window.clicks = 0; addEventListener('click', event => { if (event.isTrusted) window.clicks += 1; }, true)")
    take_flowers(page, app)
    expect(page.locator(".st-key-card-chosen-instant")).to_be_visible()
    button(page, "Start training").click()
    wait_for_try_it(page, app)
    page.locator(".pi .strip button").first.click()
    bars(page)
    taken = download(page)
    assert zipfile.is_zipfile(taken.path()) and page.evaluate("window.clicks") == 4
    assert app.newest_run().config.preset == "instant" and console == []


def test_the_whole_journey_is_watched_tried_and_taken_home(page: Page, app: App, tmp_path: Path, console: list[str]) -> None:
    take_flowers(page, app)
    choose_balanced(page)
    button(page, "Start training").click()
    page.wait_for_url(re.compile(r"/train\?run=\w+$"))
    run = app.run_in(page)

    wait_until_further(page, 0)
    first, ends = points(page), wait_until_further(page, 0, trace=1)
    wait_until_further(page, reached(page))
    assert 0 < first < points(page) and page.url.endswith(f"/train?run={run.id}")  # on the page of the run, before it led on
    assert wait_for_try_it(page, app) == run
    log = app.log(run)
    started, done = next(e for e in log if isinstance(e, Started)), next(e for e in log if isinstance(e, Done))
    assert first < started.steps_per_epoch * started.epochs and ends < done.epochs  # there was more to come at each look
    assert (started.trainable_parameters, started.parameters) == counted("last-stage")

    page.locator(".pi .strip button").first.click()
    answer = bars(page)
    assert set(answer["labels"]) == set(LABELS) and answer["x"] == sorted(answer["x"], reverse=True)
    assert sum(answer["x"]) == pytest.approx(1, abs=1e-3) and answer["text"][0].endswith("%")

    taken = download(page)
    assert taken.suggested_filename == f"{run.name}.zip"
    taken.save_as(tmp_path / "model.zip")
    with zipfile.ZipFile(tmp_path / "model.zip") as bundle:
        bundle.extractall(tmp_path / "model")
    home = tmp_path / "model"
    assert {"model.safetensors", "bundle.json", "predict.py", "README.md"} <= {file.name for file in home.iterdir()}
    assert list(LABELS) == json.loads((home / "bundle.json").read_text(encoding="utf-8"))["labels"]
    with safe_open(home / "model.safetensors", "numpy") as weights:
        sizes = [weights.get_slice(name).get_shape() for name in weights.keys()]
    assert [len(LABELS), ROW.feature_width] in sizes and "which of 5 labels" in (home / "README.md").read_text(encoding="utf-8")
    compile((home / "predict.py").read_text(encoding="utf-8"), "predict.py", "exec")
    assert console == []


def test_the_freeze_map_counts_what_core_counts(page: Page, app: App) -> None:
    take_flowers(page, app)
    page.goto(f"{app.url}/model")
    root = page.locator(".fm")
    facts = root.locator(".facts > div", has=page.get_by_text("What trains", exact=True)).locator("dd")
    for chip, kind in (("Last stage", "last-stage"), ("Everything", "all"), ("Head only", "head"), ("Last stage", "last-stage")):
        root.get_by_role("button", name=chip, exact=True).click()
        trained, everything = counted(kind)
        expect(root).to_have_attribute("data-trainable", str(trained))
        share = 100 * trained / everything
        expect(facts.nth(0)).to_have_text(f"{share:.3g} %" if share >= 1 else f"{share:.2g} %")
        expect(facts.nth(1)).to_have_attribute("title", f"{trained:,} of {everything:,} parameters")
    idle(page)
    page.get_by_role("button", name="Next: train").click()
    expect(page.get_by_role("button", name="Trains stage 4 to head")).to_be_visible()


def test_a_run_outlives_a_reload_a_second_tab_and_the_server(page: Page, app: App, crash_and_restart: Callable[[str], None]) -> None:
    take_flowers(page, app)
    choose_balanced(page)
    set_epochs(page, 1000)
    button(page, "Start training").click()
    before = wait_until_further(page, 0)
    run, address = app.run_in(page), page.url
    worker = from_json(ProcessId, (app.ws.run(run.id) / "worker.json").read_bytes())

    page.reload()
    assert page.url == address
    before = wait_until_further(page, before)
    second = page.context.new_page()
    second.goto(address)
    wait_until_further(second, before)
    second.close()  # closing a tab ends nothing

    crash_and_restart(app.url)
    before = wait_until_further(page, reached(page))  # the page that stayed open finds the new server by itself
    page.reload()
    assert page.url == address
    before = wait_until_further(page, before)
    assert from_json(ProcessId, (app.ws.run(run.id) / "worker.json").read_bytes()) == worker and state_of(app.ws.run(run.id)) == "running"

    button(page, "Stop and keep").click()
    wait_for_try_it(page, app)
    assert state_of(app.ws.run(run.id)) == "stopped"
    assert next(e for e in app.log(run) if isinstance(e, Done)).epochs < 1000
    page.locator(".pi .strip button").first.click()
    assert set(bars(page)["labels"]) == set(LABELS)
    assert zipfile.is_zipfile(download(page).path())


def test_a_discarded_run_leaves_no_model_and_can_be_taken_back(page: Page, app: App) -> None:
    take_flowers(page, app)
    choose_balanced(page)
    set_epochs(page, 1000)
    button(page, "Start training").click()
    before = wait_until_further(page, 0)
    run = app.run_in(page)
    page.get_by_role("button", name="⋯").click()
    button(page, "Discard this run (undo: 7 days)").click()
    expect(page.get_by_text("This run was discarded.")).to_be_visible(timeout=SLOW_MS)
    expect(button(page, "Stop and keep")).to_have_count(0)
    assert page.url.endswith(f"/train?run={run.id}") and state_of(app.ws.run(run.id)) == "discarded"
    assert not (app.ws.run(run.id) / "bundle.zip").exists() and not (app.ws.run(run.id) / "best").exists()
    button(page, "Take it back").click()
    wait_until_further(page, before)
    button(page, "Stop and keep").click()
    wait_for_try_it(page, app)


def test_a_run_is_paused_resumed_and_outlives_its_worker(page: Page, app: App) -> None:
    take_flowers(page, app)
    choose_balanced(page)
    set_epochs(page, 1000)
    button(page, "Start training").click()
    wait_until_further(page, 0)
    run, folder = app.run_in(page), app.ws.run(app.run_in(page).id)
    button(page, "Pause").click()
    expect(page.get_by_text("Paused. The machine is free for other runs.")).to_be_visible(timeout=SLOW_MS)
    assert state_of(folder) == "paused"
    saved = next(event for event in reversed(app.log(run)) if isinstance(event, Saved))
    expect(page.get_by_text(f"it is saved at epoch {saved.epoch + 1}, step {saved.step}")).to_be_visible()
    page.reload()
    before = wait_until_further(page, 0)
    button(page, "Resume").click()
    wait_until_further(page, before)
    assert [event.step for event in app.log(run) if isinstance(event, Resumed)] == [saved.step]

    for told in (None, "Its process was ended from outside."):  # it is resumed by itself once, then by its owner
        worker = from_json(ProcessId, (folder / "worker.json").read_bytes())
        Process(worker.pid).kill()
        if told:
            expect(page.get_by_text(f"Interrupted: {told}")).to_be_visible(timeout=SLOW_MS)
            button(page, "Resume").click()
        deadline = time.monotonic() + SLOW_MS / 1000
        while state_of(folder) not in LIVING or from_json(ProcessId, (folder / "worker.json").read_bytes()) == worker:
            assert time.monotonic() < deadline, app.log(run)[-1]
            page.wait_for_timeout(100)
        expect(button(page, "Pause")).to_be_visible(timeout=SLOW_MS)
    button(page, "Stop and keep").click()
    wait_for_try_it(page, app)
    states = [event.state for event in app.log(run) if isinstance(event, Changed)]
    assert states.count("interrupted") == 2 and states.count("paused") == 1 and states[-1] == "stopped"
