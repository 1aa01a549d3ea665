"""A reader's steps through the app, and what is on disk behind them."""
from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Download, Locator, Page, expect

from core import events
from core.jobs.runs import list_runs, load_run
from core.owners import LOCAL_OWNER
from core.specs import RunSpec
from core.workspace import Workspace
from tests.browser.conftest import idle

APP = Path(__file__).parents[2] / "app.py"
SLOW_MS = 120_000
"""For what trains, imports or starts a process: on a busy machine it takes its time."""


@dataclass(frozen=True, slots=True)
class App:
    url: str
    ws: Workspace

    def newest_run(self) -> RunSpec:
        return list_runs(self.ws, LOCAL_OWNER)[0]

    def run_in(self, page: Page) -> RunSpec:
        return load_run(self.ws, page.url.rpartition("run=")[2], LOCAL_OWNER)

    def log(self, run: RunSpec) -> list[events.Event]:
        return events.read(self.ws.run(run.id) / "events.jsonl")


def serve(serve_app: Callable[..., str], home: Path) -> App:
    return App(serve_app(APP, env={"GRAFT_HOME": str(home)}), Workspace.open(home))


def button(page: Page | Locator, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def take_flowers(page: Page, app: App) -> None:
    """Start with the sample set; ends on Train."""
    page.goto(app.url)
    button(page, "Try with flowers").click()
    expect(button(page, "Start training")).to_be_visible(timeout=SLOW_MS)


def set_epochs(page: Page, n: int) -> None:
    """More epochs than a test can wait for, and none that ends the rest, so that a run lasts until it is told to end."""
    idle(page)  # a choice of preset replaces the fields
    field = page.get_by_label("Epochs", exact=True)
    if not field.is_visible():
        page.get_by_text("Advanced settings").click()
    for name, value in (("Epochs", n), ("Stop after this many epochs without gain", 0)):
        field = page.get_by_label(name, exact=True)
        field.fill(str(value))
        field.press("Enter")
        idle(page)
    expect(page.get_by_text(f"each of up to {n} epochs")).to_be_visible()


def points(page: Page, trace: int = 0) -> int:
    """How many points the loss chart has; 0 while there is no chart."""
    return page.evaluate(f"{_x(trace)}?.length ?? 0")


def reached(page: Page, trace: int = 0) -> float:
    """The epoch up to which the loss chart is drawn. It only rises, while long runs lose every second point now and then."""
    return page.evaluate(f"{_x(trace)}?.at(-1) ?? 0")


def wait_until_further(page: Page, than: float, trace: int = 0) -> float:
    page.wait_for_function(f"({_x(trace)}?.at(-1) ?? 0) > {than}", timeout=SLOW_MS)
    return reached(page, trace)


def _x(trace: int) -> str:
    return f"document.querySelector('.lc .js-plotly-plot')?.data?.[{trace}]?.x"


def wait_for_try_it(page: Page, app: App) -> RunSpec:
    """Training has ended and led on by itself; a run that failed is not waited for."""
    page.wait_for_function("location.pathname.endsWith('/try_it') || document.querySelector('[data-testid=stAlertContentError]')", timeout=SLOW_MS)
    run = app.run_in(page)
    assert page.url.endswith(f"/try_it?run={run.id}"), app.log(run)[-1]
    return run


def bars(page: Page) -> dict[str, Any]:
    """The bar chart of an answer as Plotly has it: labels by their place, shares, texts."""
    page.wait_for_function("document.querySelector('.js-plotly-plot')?.data?.[0]?.type === 'bar'", timeout=SLOW_MS)
    return json.loads(page.evaluate("""() => {
        const { data: [bar], layout } = document.querySelector('.js-plotly-plot');
        return JSON.stringify({ x: Array.from(bar.x), text: Array.from(bar.text), labels: Array.from(layout.yaxis.ticktext) });
    }"""))


def download(page: Page) -> Download:
    with page.expect_download(timeout=SLOW_MS) as begun:
        page.get_by_role("link", name="Download model").click()
    return begun.value
