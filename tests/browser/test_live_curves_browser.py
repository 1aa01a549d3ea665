"""The live curves in a real browser: fed by a log that grows, as a worker would write it."""
from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, WebSocket, WebSocketRoute, expect

from core.events import Done, EpochEnd, Event, Notice, Preparing, Started, Step, encode
from core.owners import LOCAL_OWNER
from core.specs import DataSpec, FreezePlan, ModelSpec, RunSpec, TrainConfig, to_json
from core.workspace import Workspace, new_id, write_atomic

APP = Path(__file__).parent / "apps" / "live_curves_app.py"
PER_EPOCH = 4
STARTED = Started(200, 50, 50, 5, 2565, 4_900_000, 20, PER_EPOCH, "cpu")
LOSS, SCORE = 0, 1
TRAIN, VAL, BEST = 0, 1, 2


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("live")


@pytest.fixture(scope="module")
def url(serve_app: Callable[..., str], home: Path) -> str:
    return serve_app(APP, env={"GRAFT_HOME": str(home)})


@pytest.fixture
def log(home: Path) -> Path:
    ws = Workspace.open(home)
    run = RunSpec(new_id(), "flowers-3", LOCAL_OWNER, time.time(), DataSpec("set1", "1"), ModelSpec("m"), FreezePlan(()), TrainConfig())
    write_atomic(ws.run(run.id) / "run.json", to_json(run))
    return ws.run(run.id) / "events.jsonl"


def put(log: Path, *events: Event) -> None:
    with log.open("ab") as file:
        file.write(b"".join(map(encode, events)))


def step(number: int, t: float | None = None, loss: float | None = None) -> Step:
    return Step((number - 1) // PER_EPOCH + 1, number, loss or 2.0 / number, min(1.0, 0.2 + number / 100), 1e-3, t=t or time.time())


def epoch(number: int, t: float | None = None, score: float | None = None, best: bool = True, left: int | None = 5) -> list[Event]:
    """An epoch with its steps; its validation score rises by 2 % an epoch."""
    last = number * PER_EPOCH
    return [*(step(n, t) for n in range(last - PER_EPOCH + 1, last + 1)),
            EpochEnd(number, last, 2.0 / last, 0.5, 2.2 / last, 0.5 + number / 50 if score is None else score, best, left,
                     t=t or time.time())]


def visit(page: Page, url: str, log: Path, **query: object) -> None:
    page.goto(f"{url}/?run={log.parent.name}" + "".join(f"&{key}={value}" for key, value in query.items()))
    page.wait_for_function("document.querySelectorAll('.lc .js-plotly-plot').length === 2")


def plot(page: Page, chart: int, what: str) -> Any:
    return page.evaluate(f"JSON.parse(JSON.stringify(document.querySelectorAll('.lc .js-plotly-plot')[{chart}].{what}))")


def wait_for_points(page: Page, count: int, trace: int = TRAIN) -> None:
    page.wait_for_function(f"document.querySelectorAll('.lc .js-plotly-plot')[1].data?.[{trace}]?.x.length === {count}")


def cell(page: Page, label: str) -> Locator:
    return page.locator(".lc-cell", has=page.get_by_text(label, exact=True))


def drag_zoom(page: Page, chart: int = LOSS) -> None:
    box = page.locator(".lc-plot .nsewdrag").nth(chart).bounding_box()
    assert box
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.7 * box["height"], steps=5)
    page.mouse.up()


def test_curves_grow_while_the_run_learns(page: Page, url: str, log: Path) -> None:
    put(log, STARTED, *epoch(1))
    visit(page, url, log)
    wait_for_points(page, PER_EPOCH)
    put(log, *epoch(2), step(9))
    wait_for_points(page, 2 * PER_EPOCH + 1)
    assert plot(page, LOSS, "data[0].x") == [n / PER_EPOCH for n in range(1, 10)]
    assert plot(page, LOSS, "data[0].y")[-1] == pytest.approx(2 / 9)
    assert plot(page, SCORE, "data[1].x") == [1, 2] and plot(page, SCORE, "data[1].y") == [0.52, 0.54]
    assert plot(page, SCORE, "data[2].x") == [2]  # the ring


def test_the_ring_stays_at_the_best_epoch(page: Page, url: str, log: Path) -> None:
    put(log, STARTED, *epoch(1), *epoch(2, score=0.3, best=False, left=4))
    visit(page, url, log, patience=5)
    wait_for_points(page, 2, VAL)
    assert plot(page, SCORE, "data[2].x") == [1] and plot(page, LOSS, "data[2].y") == plot(page, LOSS, "data[1].y")[:1]
    expect(cell(page, "Best so far")).to_contain_text("52 %")
    expect(cell(page, "Best so far")).to_contain_text(re.compile(r"\(39–65\)\s*Accuracy, epoch 1"))
    expect(cell(page, "Patience")).to_contain_text("●●●●○Stops after 4 more epochs without gain")


def test_the_readers_zoom_survives_updates_and_reruns(page: Page, url: str, log: Path) -> None:
    put(log, STARTED, *(event for n in range(1, 6) for event in epoch(n)))
    visit(page, url, log)
    wait_for_points(page, 5, VAL)
    button = page.get_by_role("button", name="Show the whole run")
    expect(button).to_be_hidden()
    drag_zoom(page)
    expect(button).to_be_visible()
    x, y = plot(page, LOSS, "layout.xaxis.range"), plot(page, LOSS, "layout.yaxis.range")
    assert 1 < x[0] < x[1] < 6 and plot(page, SCORE, "layout.xaxis.range") == x
    put(log, *(event for n in range(6, 12) for event in epoch(n)), step(45, loss=40.0))  # beyond both axes as they were
    wait_for_points(page, 45)
    page.get_by_role("button", name="rerun").click()
    put(log, step(46))
    wait_for_points(page, 46)
    assert (plot(page, LOSS, "layout.xaxis.range"), plot(page, LOSS, "layout.yaxis.range")) == (x, y)
    button.click()
    assert plot(page, LOSS, "layout.xaxis.range") == [0, 20] and plot(page, LOSS, "layout.yaxis.range")[1] > 39
    expect(button).to_be_hidden()


def test_the_range_of_an_axis_never_shrinks(page: Page, url: str, log: Path) -> None:
    put(log, STARTED, step(1, loss=3.3))
    visit(page, url, log)
    wait_for_points(page, 1)
    before = plot(page, LOSS, "layout.yaxis.range")
    put(log, *(step(n, loss=0.01) for n in range(2, 48)))
    wait_for_points(page, 47)
    assert plot(page, LOSS, "layout.yaxis.range") == before and before[0] == 0
    assert plot(page, LOSS, "layout.xaxis.range") == [0, 20]


def test_progress_is_told_from_reading_to_the_end(page: Page, url: str, log: Path) -> None:
    visit(page, url, log)
    phase, now = page.locator(".lc-phase"), time.time()
    expect(phase).to_have_text("Getting ready")
    put(log, Preparing("reading", 20, 300))
    expect(phase).to_have_text("Reading the items: 20 of 300")
    put(log, STARTED, Preparing("storing", 180, 300))
    expect(phase).to_have_text("Computing the frozen part once: 180 of 300")
    put(log, *(event for n in range(1, 11) for event in epoch(n, now + 6 * n)))
    expect(phase).to_have_text("Running")
    expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "50")
    expect(cell(page, "Epoch")).to_contain_text("10 of 20")
    expect(cell(page, "Time")).to_have_text("Time1 minleft (estimate)")
    expect(page).to_have_title("50 % · flowers-3")
    put(log, *(event for n in range(11, 21) for event in epoch(n, now + 6 * n)))
    expect(phase).to_have_text("Finishing: the best epoch is tested and packed")
    put(log, Done(20, 20, 0.9, 63.0))
    expect(phase).to_have_text("Done")
    expect(page).to_have_title("Scratch")


def test_python_is_told_once_that_the_run_has_ended(page: Page, url: str, log: Path) -> None:
    put(log, STARTED, *epoch(1))
    visit(page, url, log)
    expect(page.get_by_text("Python was told 0 times")).to_be_visible()
    put(log, Done(1, 1, 0.52, 3.0))
    expect(page.get_by_text("Python was told 1 times: done")).to_be_visible()
    page.get_by_role("button", name="rerun").click()
    page.wait_for_timeout(1500)
    expect(page.get_by_text("Python was told 1 times: done")).to_be_visible()


def test_python_that_still_draws_an_ended_run_as_running_is_not_told_for_ever(page: Page, url: str, log: Path) -> None:
    put(log, STARTED, *epoch(1), Done(1, 1, 0.52, 3.0))
    visit(page, url, log, stubborn=1)
    expect(page.get_by_text("Python was told 4 times: done")).to_be_visible(timeout=30_000)
    page.wait_for_timeout(4000)
    expect(page.get_by_text("Python was told 4 times: done")).to_be_visible()


def test_an_ended_run_shows_its_whole_history_and_keeps_no_socket(page: Page, url: str, log: Path) -> None:
    sockets: list[Any] = []
    page.on("websocket", lambda socket: sockets.append(socket) if "/graft/live/" in socket.url else None)
    put(log, STARTED, *epoch(1), *epoch(2), Done(2, 2, 0.54, 3.0, early=True))
    visit(page, url, log, status="ended")
    wait_for_points(page, 2, VAL)
    expect(page.locator(".lc-phase")).to_have_text("Done: stopped by itself, further epochs brought no gain")
    page.wait_for_timeout(1500)
    assert len(sockets) == 1 and sockets[0].is_closed()
    expect(page.get_by_text("Python was told 0 times")).to_be_visible()
    assert plot(page, LOSS, "layout.xaxis.range") == [0, 2]  # no empty space for epochs that never come


def test_an_interrupted_run_keeps_no_socket(page: Page, url: str, log: Path) -> None:
    sockets: list[Any] = []
    page.on("websocket", lambda socket: sockets.append(socket) if "/graft/live/" in socket.url else None)
    put(log, STARTED, *epoch(1))
    visit(page, url, log, status="interrupted")
    wait_for_points(page, 1, VAL)
    page.wait_for_timeout(1500)
    assert len(sockets) == 1 and sockets[0].is_closed()
    expect(page.locator(".lc-phase")).to_have_text("Not running")


def test_the_last_events_are_fetched_when_python_knows_of_the_end_first(page: Page, url: str, log: Path) -> None:
    held: list[WebSocketRoute] = []

    def first_is_held_back(route: WebSocketRoute) -> None:
        server = route.connect_to_server()
        if not held:
            server.on_message(lambda text: None if '"done"' in str(text) else route.send(text))
            server.on_close(lambda code, reason: None)
        held.append(route)

    page.route_web_socket(re.compile(r"/graft/live/"), first_is_held_back)
    put(log, STARTED, *epoch(1))
    visit(page, url, log)
    wait_for_points(page, 1, VAL)
    put(log, *epoch(2), Done(2, 2, 0.54, 3.0))
    page.get_by_text("ended", exact=True).click()
    expect(page.locator(".lc-phase")).to_have_text("Done")
    assert plot(page, SCORE, "data[1].x") == [1, 2] and len(held) == 2


def test_a_lost_connection_is_told_and_taken_up_where_it_broke(page: Page, url: str, log: Path) -> None:
    opened: list[WebSocketRoute] = []
    gate = {"open": True}

    def through(route: WebSocketRoute) -> None:
        opened.append(route)
        if gate["open"]:
            route.connect_to_server()
        else:
            route.close()

    page.route_web_socket(re.compile(r"/graft/live/"), through)
    put(log, STARTED, *epoch(1))
    visit(page, url, log)
    wait_for_points(page, PER_EPOCH)
    gate["open"] = False
    opened[-1].close()
    put(log, *epoch(2))
    lost = page.get_by_text("Reconnecting. Training goes on.")
    expect(lost).to_be_visible()
    gate["open"] = True
    wait_for_points(page, 2 * PER_EPOCH)
    expect(lost).to_be_hidden()
    assert plot(page, LOSS, "data[0].x") == [n / PER_EPOCH for n in range(1, 9)]
    assert "from=0" not in opened[-1].url


def test_repeated_steps_of_a_resumed_run_replace_the_old_ones(page: Page, url: str, log: Path) -> None:
    put(log, STARTED, *epoch(1), *epoch(2), step(9), step(10))
    visit(page, url, log)
    wait_for_points(page, 10)
    put(log, STARTED, step(7, loss=9.0), step(8, loss=9.0))
    wait_for_points(page, 8)
    assert plot(page, LOSS, "data[0].y")[-2:] == [9, 9] and plot(page, LOSS, "data[1].x") == [1]


def test_sentences_are_text_and_older_ones_stay_at_hand(page: Page, url: str, log: Path) -> None:
    put(log, STARTED, Notice("First."), Notice("<img src=x onerror=document.title='broken'>{name}", {"name": "<b>x</b>"}))
    visit(page, url, log)
    expect(page.locator(".lc [role=status]")).to_have_text("<img src=x onerror=document.title='broken'><b>x</b>")
    page.get_by_text("Earlier messages").click()
    expect(page.locator(".lc-earlier li")).to_have_text(["First."])
    assert page.locator(".lc img, .lc-say b").count() == 0


def test_the_curves_can_be_read_as_a_table(page: Page, url: str, log: Path) -> None:
    put(log, STARTED, *epoch(1), *epoch(2))
    visit(page, url, log)
    page.get_by_text("Figures of every epoch").first.click()
    rows = page.locator(".lc-table tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_have_text(re.compile("2.*0.250.*0.275.*50 %.*54 %"))
    expect(page.locator(".lc-table tr.lc-best th")).to_have_text(["2"])
    put(log, *epoch(3))
    expect(rows).to_have_count(3)
    frame = page.locator(".lc-frame").first
    summary = page.locator(f"#{frame.get_attribute('aria-describedby')}")
    expect(summary).to_have_text("After epoch 3: the training loss went from 0.500 to 0.167. The validation loss went from 0.550 to 0.183. "
                                 "Best Accuracy: 56 %, in epoch 3.")


def test_one_pointer_reads_both_charts(page: Page, url: str, log: Path) -> None:
    put(log, STARTED, *epoch(1), *epoch(2), *epoch(3))
    visit(page, url, log)
    wait_for_points(page, 3, VAL)
    box = page.locator(".lc-plot .nsewdrag").nth(LOSS).bounding_box()
    assert box
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.5 * box["height"])
    for chart in (LOSS, SCORE):
        expect(page.locator(".lc-plot").nth(chart).locator(".hoverlayer .legendtext").first).to_contain_text("training")
    page.mouse.move(5, 5)
    expect(page.locator(".lc-plot .hoverlayer .legendtext")).to_have_count(0)


def test_colours_follow_the_theme(page: Page, url: str, log: Path) -> None:
    put(log, STARTED, *epoch(1))
    visit(page, url, log)
    wait_for_points(page, 1, VAL)
    assert plot(page, LOSS, "data[1].line.color") == "#a34700"
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.querySelector('.lc .js-plotly-plot').data[1].line.color === '#ffb454'")
    assert plot(page, LOSS, "data[1].x") == [1]


def test_a_narrow_page_stacks_the_charts(page: Page, url: str, log: Path) -> None:
    put(log, STARTED, *epoch(1))
    visit(page, url, log)
    wide = [page.locator(".lc-panel").nth(i).bounding_box() for i in (0, 1)]
    page.set_viewport_size({"width": 640, "height": 900})
    page.wait_for_function("""() => {
        const [above, below] = [...document.querySelectorAll('.lc .main-svg:first-child')].map(node => node.getBoundingClientRect());
        return below.top > above.bottom && above.width > 450;
    }""")
    assert wide[0] and wide[1] and wide[0]["y"] == wide[1]["y"]


def test_leaving_closes_the_socket_and_gives_the_title_back(page: Page, url: str, log: Path) -> None:
    sockets: list[Any] = []
    page.on("websocket", lambda socket: sockets.append(socket) if "/graft/live/" in socket.url else None)
    put(log, STARTED, *epoch(1))
    visit(page, url, log)
    expect(page).to_have_title("5 % · flowers-3")
    page.get_by_text("shown", exact=True).click()
    expect(page.locator(".lc")).to_have_count(0)
    expect(page).to_have_title("Scratch")
    page.wait_for_timeout(500)
    assert len(sockets) == 1 and sockets[0].is_closed()


def test_a_chart_that_is_slow_to_draw_is_drawn_less_often(page: Page, url: str, log: Path) -> None:
    """Else a long run, with its thousands of points, would leave the page no time to answer a click."""
    messages: list[str | bytes] = []

    def follow(socket: WebSocket) -> None:
        if "/graft/live/" in socket.url:
            socket.on("framereceived", lambda message: messages.append(message))
    page.on("websocket", follow)
    put(log, STARTED, *epoch(1))
    visit(page, url, log)
    wait_for_points(page, PER_EPOCH)
    page.evaluate("""() => {
        const quick = Plotly.extendTraces;
        window.draws = 0;
        Plotly.extendTraces = (...given) => {
            for (const end = performance.now() + 150; performance.now() < end;);
            window.draws += 1;
            return quick(...given);
        };
    }""")
    messages.clear()
    for number in range(PER_EPOCH + 1, PER_EPOCH + 25):
        put(log, step(number))
        page.wait_for_timeout(120)  # so that each is a message of its own
    wait_for_points(page, PER_EPOCH + 24)
    assert page.evaluate("window.draws") < len(messages) > 10  # there are two charts
