"""Every page as the browser shows it: wide and narrow, light and dark, in both languages."""
from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from core.data.versions import load_dataset, spec_of
from core.owners import LOCAL_OWNER
from core.specs import to_json
from core.workspace import Workspace, write_atomic
from pages.ui.state import Draft
from tests.browser.conftest import idle
from tests.browser.journey import App, serve
from tests.pages.prepared import ENDED, FAILED, HOSTILE_RUN, PETS, VAL_ONLY, furnish

ADDRESSES = {
    "": ".up .folder", "data": ".ig .cell img", "model": ".fm .row", "train": ".st-key-card-chosen-instant",
    f"train?run={ENDED}": ".lc .js-plotly-plot", f"train?run={FAILED}": ".lc .js-plotly-plot", f"results?run={ENDED}": ".js-plotly-plot",
    f"results?run={HOSTILE_RUN}": ".js-plotly-plot", f"try_it?run={ENDED}": ".pi .strip button", f"export?run={ENDED}": ".graft-download",
    f"compare?runs={ENDED},{VAL_ONLY},{HOSTILE_RUN}": ".js-plotly-plot",
    "runs": "[data-testid=stDataFrame] canvas", "settings": "[data-testid=stTextInput]"}
"""Every page, with what it draws last."""
WIDTHS = (800, 1440)
"""Narrow first: what was laid out for a wide window may take its time to shrink."""
REST_MS = 5_000
TOO_WIDE = """() => {
    const main = document.querySelector('[data-testid=stMain]'), edge = main.getBoundingClientRect().right + 1;
    const clips = e => ['auto', 'scroll', 'hidden', 'clip'].includes(getComputedStyle(e).overflowX);
    const scrolls = e => e && e !== main && (clips(e) || scrolls(e.parentElement));
    const out = [...main.querySelectorAll('*')].filter(e => e.getClientRects().length && e.getBoundingClientRect().right > edge
        && !scrolls(e.parentElement)).map(e => e.outerHTML.slice(0, 160));
    const page = document.documentElement.scrollWidth - innerWidth, inside = main.scrollWidth - main.clientWidth;
    const said = (what, px) => px > 0 ? [`${what} is ${px} px too wide`] : [];
    return [...said('the document', page), ...said('the main part', inside), ...out];
}"""


@pytest.fixture(scope="module")
def app(serve_app: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> App:
    ws = Workspace.open(tmp_path_factory.mktemp("every") / "workspace")
    furnish(ws)
    write_atomic(ws.draft(LOCAL_OWNER), to_json(Draft(data=spec_of(ws, load_dataset(ws, PETS, LOCAL_OWNER)))))
    return serve(serve_app, ws.root)


def too_wide(page: Page) -> list[str]:
    """What sticks out to the right, once the page has come to rest."""
    try:
        page.wait_for_function(f"({TOO_WIDE})().length === 0", timeout=REST_MS)
        return []
    except PlaywrightTimeout:
        return page.evaluate(TOO_WIDE)


@pytest.mark.parametrize("scheme, language", [("light", "English"), ("dark", "简体中文")])
def test_nothing_sticks_out_and_the_browser_has_no_complaint(page: Page, app: App, console: list[str], scheme: str, language: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(app.url)
    page.get_by_role("radio", name=language).or_(page.get_by_role("button", name=language, exact=True)).click()
    idle(page)
    found = {}
    for address, last in ADDRESSES.items():
        page.set_viewport_size({"width": WIDTHS[0], "height": 900})
        page.goto(f"{app.url}/{address}")
        page.locator(last).first.wait_for()
        idle(page)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            found |= {(address, width): parts for parts in [too_wide(page)] if parts}
        assert page.locator(".stApp").evaluate("app => getComputedStyle(app).colorScheme") == scheme
    assert (found, console) == ({}, [])


def test_a_late_request_of_the_page_before_does_not_clear_this_one(page: Page, app: App) -> None:
    """As on a slow machine: the browser asks for the sidebar of one page, and the server hears it after the switch to another."""
    late: list[bytes] = []
    finished: list[bool] = []
    server: list[WebSocketRoute] = []

    def relay(socket: WebSocketRoute) -> None:
        server.append(socket.connect_to_server())
        server[0].on_message(down(socket))
        socket.on_message(up)

    def up(message: str | bytes) -> None:
        asked = BackMsg.FromString(message) if isinstance(message, bytes) else BackMsg()
        if not finished and asked.rerun_script.is_auto_rerun:
            late.append(message)
        else:
            server[0].send(message)

    def down(socket: WebSocketRoute) -> Callable[[str | bytes], None]:
        def pass_on(message: str | bytes) -> None:
            socket.send(message)
            if finished and isinstance(message, bytes) and ForwardMsg.FromString(message).WhichOneof("type") == "script_finished":
                finished.append(True)
        return pass_on

    page.route_web_socket(re.compile("/_stcore/stream"), relay)
    page.goto(f"{app.url}/settings")
    while not late:
        page.wait_for_timeout(50)
    page.get_by_test_id("stSidebarNav").get_by_role("link").nth(1).click()
    page.locator(".ig .cell img").first.wait_for()
    idle(page)
    finished.append(False)
    server[0].send(late[0])
    while len(finished) < 3:  # at the latest then the request has been dealt with: it came before those of this page
        page.wait_for_timeout(50)
    expect(page.locator(".ig .cell img").first).to_be_visible()
    expect(page.locator("[data-testid=stMain] h1")).to_be_visible()
