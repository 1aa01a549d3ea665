"""A reader's own pictures, by the real upload in a real browser: a folder, a zip, thousands of files, and everything that can be wrong."""
from __future__ import annotations

import io
import random
import re
import zipfile
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Locator, Page, expect

from core.data.versions import Dataset, Version, list_datasets, load_version, spec_of
from core.owners import LOCAL_OWNER
from pages.ui.charts import short
from tests.browser.journey import SLOW_MS, App, bars, button, serve, wait_for_try_it
from tests.core.data.picture_files import classes, write_tree

FOLDER, ZIP = ".up .folder-input", ".up .files-input"
NO_PICTURE = "It is text, not a picture."
HOSTILE = ("![t](x.png)", "<img src=x onerror=alert(1)>", "**bold** $x$ :red[y]")


@pytest.fixture(scope="module")
def app(serve_app: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> App:
    return serve(serve_app, tmp_path_factory.mktemp("own") / "workspace")


def drawn(shape: str, seed: int) -> bytes:
    """A disc or a box in some colour and place, as a JPEG."""
    chance = random.Random(f"{shape} {seed}")
    image = Image.new("RGB", (64, 48), tuple(chance.randrange(180, 256) for _ in range(3)))
    x, y, side = chance.randrange(4, 30), chance.randrange(4, 16), chance.randrange(16, 28)
    pen, colour = ImageDraw.Draw(image), tuple(chance.randrange(0, 120) for _ in range(3))
    (pen.ellipse if shape == "disc" else pen.rectangle)((x, y, x + side, y + side), fill=colour)
    out = io.BytesIO()
    image.save(out, "JPEG")
    return out.getvalue()


def shapes(disc: str = "discs", box: str = "boxes", n: int = 12) -> dict[str, bytes]:
    return {f"{folder}/{number:02d}.jpg": drawn(shape, number) for folder, shape in ((disc, "disc"), (box, "box")) for number in range(n)}


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def bring(page: Page, app: App, selector: str, path: Path) -> None:
    page.goto(app.url)
    page.locator(selector).set_input_files(path)


def data_page(page: Page, name: str, n: int, labels: int) -> None:
    """The page that opens when the import has ended, and what it says has arrived."""
    expect(page.get_by_text(f"{name} · {n:,} pictures, {labels} labels")).to_be_visible(timeout=SLOW_MS)
    assert re.search(r"/data$", page.url)


def newest(app: App) -> tuple[Dataset, Version]:
    dataset = list_datasets(app.ws, LOCAL_OWNER)[0]
    return dataset, load_version(app.ws, spec_of(app.ws, dataset))


def cells(table: Locator) -> list[list[str]]:
    """Rows of a table that Streamlit draws on a canvas, from the one it keeps for screen readers."""
    rows = table.locator("canvas table tbody tr")
    rows.first.wait_for(state="attached")
    return [row.locator("td").all_text_contents() for row in rows.all()]


def test_a_folder_is_taken_and_an_unreadable_file_is_named(page: Page, app: App, tmp_path: Path, console: list[str]) -> None:
    folder = write_tree(tmp_path / "shapes", {**shapes(), "discs/notes.jpg": b"only text in here"})
    bring(page, app, FOLDER, folder)
    data_page(page, "shapes", 24, 2)
    dataset, version = newest(app)
    assert dataset.name == "shapes" and version.labels == ("boxes", "discs")
    assert [(r.name, r.reason) for r in version.rejected] == [("discs/notes.jpg", NO_PICTURE)]
    assert [row[-5] for row in cells(page.get_by_test_id("stDataFrame").first)] == ["boxes", "discs"]
    expect(page.locator(".ig .cell")).to_have_count(24)
    expect(page.locator(".ig .cell img").first).to_have_js_property("complete", True)
    assert page.locator(".ig .cell img").first.evaluate("image => image.naturalWidth") > 0
    button(page, "See which").click()
    assert cells(page.get_by_test_id("stPopoverBody")) == [["discs/notes.jpg", NO_PICTURE]]
    assert console == []


def test_a_model_learns_from_the_readers_own_folder(page: Page, app: App, tmp_path: Path) -> None:
    bring(page, app, FOLDER, write_tree(tmp_path / "own shapes", shapes(n=14)))
    data_page(page, "own shapes", 28, 2)
    button(page, "Next: model").click()
    button(page, "Next: train").click()
    button(page, "Start training").click()
    wait_for_try_it(page, app)
    page.locator(".pi input[type=file]").set_input_files({"name": "mine.jpg", "mimeType": "image/jpeg", "buffer": drawn("disc", 999)})
    assert set(bars(page)["labels"]) == {"discs", "boxes"}
    page.locator(".pi input[type=file]").set_input_files({"name": "no.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"})
    expect(page.get_by_test_id("stAlert")).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_text("Traceback")).to_have_count(0)
    expect(page.get_by_role("link", name="Download model")).to_be_visible()


def test_a_zip_is_taken_with_its_own_splits(page: Page, app: App, tmp_path: Path) -> None:
    files = {f"{side}/{name}": data for side, numbers in (("train", range(8)), ("val", range(8, 10)), ("test", range(10, 12)))
             for name, data in shapes().items() if int(Path(name).stem) in numbers}
    bring(page, app, ZIP, zipped(tmp_path / "split shapes.zip", files))
    data_page(page, "split shapes", 24, 2)
    page.get_by_role("radio", name="Split and groups").or_(button(page, "Split and groups")).first.click()
    expect(page.get_by_text("The split came with your files and was kept.")).to_be_visible()
    assert {side: sum(n.values()) for side, n in newest(app)[1].counts().items()} == {"train": 16, "val": 4, "test": 4}


def test_hostile_names_are_shown_letter_by_letter(page: Page, app: App, tmp_path: Path, console: list[str]) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: pytest.fail("a name ran as a script"))
    files = {f"{name}/{number}.jpg": drawn("disc", 100 * i + number) for i, name in enumerate(HOSTILE) for number in range(6)}
    bring(page, app, ZIP, zipped(tmp_path / "![t](evil).zip", files))
    data_page(page, "![t](evil)", 18, 3)
    assert sorted(newest(app)[1].labels) == sorted(HOSTILE)
    for name in HOSTILE:
        expect(page.locator("[data-testid=stMain] button[role=radio]", has_text=name)).to_be_visible()  # the filter by label
        expect(page.locator(".ig .cell b", has_text=name).first).to_be_visible()
    button(page, "Next: model").click()
    button(page, "Next: train").click()
    button(page, "Start training").click()
    wait_for_try_it(page, app)
    for sample in page.locator(".pi .strip button").all():
        sample.click()
        page.locator("[data-testid=stMain] h3").wait_for(timeout=SLOW_MS)
        assert any(name in page.locator("[data-testid=stMain] h3").inner_text() for name in HOSTILE)
    page.goto(page.url.replace("/try_it", "/results"))
    page.wait_for_function("document.querySelector('.js-plotly-plot')?.data?.[0]?.type === 'heatmap'", timeout=SLOW_MS)
    shown = page.locator(".js-plotly-plot").first.text_content() or ""
    assert [name for name in HOSTILE if unescape(short(name)) not in shown] == []
    assert not page.locator("[data-testid=stMain] img[src='x'], [data-testid=stMain] img[src*='x.png']").count()
    assert [url for url in asked if not url.startswith(app.url) and not url.startswith(("data:", "blob:"))] == []
    assert console == []


def test_one_label_alone_is_explained_and_leaves_nothing(page: Page, app: App, tmp_path: Path) -> None:
    before = [dataset.id for dataset in list_datasets(app.ws, LOCAL_OWNER)], kept(app)
    bring(page, app, FOLDER, write_tree(tmp_path / "one", {name: data for name, data in shapes("lonely", "x").items() if "lonely" in name}))
    alert = page.get_by_test_id("stAlert")
    expect(alert).to_contain_text("Only one label: add a second folder", timeout=SLOW_MS)
    expect(alert).to_contain_text("lonely")
    expect(page.locator(".up").get_by_role("button", name="Choose folder")).to_be_visible()  # at once again
    assert ([dataset.id for dataset in list_datasets(app.ws, LOCAL_OWNER)], kept(app)) == before


def kept(app: App) -> set[str]:
    """Every picture in the workspace, whether in a dataset or left behind by an upload."""
    folders = (app.ws.blobs, app.ws.thumbs, *app.ws.uploads.glob("*/files"), *app.ws.uploads.glob("*/staged"))
    return {str(path) for folder in folders for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


def test_thousands_of_files_arrive_whole(page: Page, app: App, tmp_path: Path) -> None:
    n = 2_500
    folder = write_tree(tmp_path / "many", classes({"cats": n // 2, "dogs": n // 2}))
    bring(page, app, FOLDER, folder)
    data_page(page, "many", n, 2)
    assert len({item.sha for item in newest(app)[1].items}) == n
