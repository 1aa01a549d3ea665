"""The freeze map under a real pointer and keyboard: what is drawn, what is counted, and what reaches Python."""
from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

APP = Path(__file__).parent / "apps" / "freeze_map_app.py"
PARAMETERS = [9_536, 147_968, 525_568, 2_099_712, 8_393_728, 2_565]
STEM, STAGE_1, STAGE_2, STAGE_3, STAGE_4, HEAD = range(6)

Open = Callable[..., "Map"]


@pytest.fixture(scope="module")
def url(serve_app: Callable[..., str]) -> str:
    return serve_app(APP)


@pytest.fixture
def open_map(page: Page, url: str) -> Open:
    return lambda query="": Map(page, f"{url}/?{query}")


class Map:
    """What a reader finds on the page."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        page.goto(address)
        self.root, self.rows, self.knob = page.locator(".fm"), page.locator(".fm .row:not([hidden])"), page.locator(".fm .knob")
        self.rail, self.say = page.locator(".fm .rail"), page.locator(".fm .say")
        expect(page.get_by_text("Python sees")).to_be_visible(timeout=30_000)
        self.rows.first.wait_for()

    def chip(self, name: str) -> Locator:
        return self.root.get_by_role("button", name=name, exact=True)

    def big(self, name: str) -> Locator:
        return self.root.locator(".facts > div", has=self.page.locator("dt", has_text=re.compile(name))).locator(".big")

    def trains(self, *indices: int) -> None:
        """These rows train and no others: on the rows, in the sum, and in Python."""
        for i in range(self.rows.count()):
            expect(self.rows.nth(i)).to_have_attribute("aria-selected", str(i in indices).lower())
        expect(self.root).to_have_attribute("data-trainable", str(sum(PARAMETERS[i] for i in indices)))
        states = ["trained" if i in indices else "frozen" for i in range(len(PARAMETERS))]
        expect(self.page.get_by_text("Python sees")).to_have_text("Python sees: " + ", ".join(states))


def test_a_click_changes_the_figures_and_reaches_python(open_map: Open) -> None:
    map_ = open_map()
    map_.trains(HEAD)
    expect(map_.big("What trains")).to_have_text("0.023 %")
    map_.rows.nth(STAGE_3).click()
    expect(map_.big("What trains")).to_have_text("18.8 %")
    expect(map_.root).to_contain_text("2.1M of 11.2M parameters")
    expect(map_.root.get_by_title("2,102,277 of 11,179,077 parameters")).to_be_visible()
    map_.trains(STAGE_3, HEAD)
    map_.rows.nth(STAGE_3).click()
    map_.trains(HEAD)


def test_presets(open_map: Open) -> None:
    map_ = open_map()
    for name, percent, per_epoch, once, rows in (
            ("Everything", "100 %", "21 s", "–", range(6)), ("Last stage", "75.1 %", "4.4 s", "5.5 s", (STAGE_4, HEAD)),
            ("Head only", "0.023 %", "< 0.1 s", "7.1 s", (HEAD,))):
        map_.chip(name).click()
        expect(map_.chip(name)).to_have_attribute("aria-pressed", "true")
        expect(map_.root.locator("[aria-pressed=true]")).to_have_count(1)
        expect(map_.big("What trains")).to_have_text(percent)
        expect(map_.big("Epoch of 280 items")).to_have_text(per_epoch)
        expect(map_.big("Paid for once")).to_have_text(once)
        map_.trains(*rows)


def test_shift_click_paints_the_range(open_map: Open) -> None:
    map_ = open_map()
    map_.rows.nth(STAGE_4).click()
    map_.rows.nth(STAGE_1).click(modifiers=["Shift"])
    map_.trains(STAGE_1, STAGE_2, STAGE_3, STAGE_4, HEAD)
    map_.rows.nth(STAGE_2).click()
    map_.rows.nth(HEAD).click(modifiers=["Shift"], force=True)
    map_.trains(STAGE_1, HEAD)


def test_keyboard_on_the_rows(page: Page, open_map: Open) -> None:
    map_ = open_map()
    map_.rows.nth(STEM).focus()
    for key in ("ArrowDown", "ArrowDown", "Space"):
        page.keyboard.press(key)
    map_.trains(STAGE_2, HEAD)
    for key in ("Shift+ArrowDown", "Shift+ArrowDown"):
        page.keyboard.press(key)
    map_.trains(STAGE_2, STAGE_3, STAGE_4, HEAD)
    expect(map_.rows.nth(STAGE_4)).to_be_focused()
    for key in ("f", "Home", "t", "End", "f"):
        page.keyboard.press(key)
    map_.trains(STEM, STAGE_2, STAGE_3, HEAD)


def test_keyboard_on_the_boundary(page: Page, open_map: Open) -> None:
    map_ = open_map()
    map_.rail.focus()
    expect(map_.rail).to_have_attribute("aria-valuetext", "9 of 10 blocks frozen")
    for key in ("ArrowUp", "ArrowUp"):
        page.keyboard.press(key)
    map_.trains(STAGE_3, STAGE_4, HEAD)
    expect(map_.rail).to_have_attribute("aria-valuetext", "5 of 10 blocks frozen")
    page.keyboard.press("Home")
    map_.trains(*range(6))
    page.keyboard.press("End")
    page.keyboard.press("ArrowDown")
    map_.trains(HEAD)


def test_dragging_the_knob(page: Page, open_map: Open) -> None:
    map_ = open_map()
    knob, target = map_.knob.bounding_box(), map_.rows.nth(STAGE_2).bounding_box()
    assert knob and target
    page.mouse.move(knob["x"] + 15, knob["y"] + 15)
    page.mouse.down()
    page.mouse.move(knob["x"] + 15, target["y"] + 2, steps=8)
    expect(map_.root).to_have_attribute("data-trainable", str(sum(PARAMETERS[STAGE_2:])))
    page.mouse.move(knob["x"] + 300, knob["y"] + 400, steps=4)
    expect(map_.root).to_have_attribute("data-trainable", str(PARAMETERS[HEAD]))
    page.mouse.move(knob["x"] + 15, target["y"] + 2, steps=4)
    page.mouse.up()
    map_.trains(STAGE_2, STAGE_3, STAGE_4, HEAD)
    map_.chip("Undo").click()
    map_.trains(HEAD)


def test_undo_goes_back_step_by_step(page: Page, open_map: Open) -> None:
    map_ = open_map()
    expect(map_.chip("Undo")).to_be_hidden()
    map_.rows.nth(STAGE_1).click()
    map_.chip("Everything").click()
    map_.chip("Everything").click()
    map_.chip("Undo").click()
    map_.trains(STAGE_1, HEAD)
    map_.rows.nth(STEM).focus()
    page.keyboard.press("Control+z")
    map_.trains(HEAD)
    expect(map_.chip("Undo")).to_be_hidden()


def test_the_new_head_always_trains(open_map: Open) -> None:
    map_ = open_map()
    map_.rows.nth(HEAD).click(force=True)
    expect(map_.say).to_have_text("The head is new: it always trains.")
    map_.trains(HEAD)
    map_.rows.nth(STAGE_4).click()
    expect(map_.say).to_contain_text("The last blocks adapt")
    map_.trains(STAGE_4, HEAD)


def test_a_frozen_block_behind_a_trained_one_is_explained(open_map: Open) -> None:
    map_ = open_map()
    map_.rows.nth(STEM).click()
    expect(map_.say).to_contain_text("can't be stored")
    expect(map_.big("Paid for once")).to_have_text("–")
    expect(map_.root.locator("[aria-pressed=true]")).to_have_count(0)


def test_adapters_by_letter_brush_and_chip(page: Page, open_map: Open) -> None:
    map_ = open_map("adapters=1")
    fully, adapter = (map_.root.get_by_role("radio", name=name) for name in ("fully", "by an adapter"))

    def sees(*states: str) -> None:
        expect(page.get_by_text("Python sees")).to_have_text("Python sees: " + ", ".join(states))

    expect(fully).to_be_checked()
    map_.rows.nth(STAGE_4).focus()
    page.keyboard.press("l")
    sees("frozen", "frozen", "frozen", "frozen", "lora", "trained")
    expect(map_.root).to_have_attribute("data-trainable", str(8 * 18_944 + 2_565))
    expect(map_.rows.nth(STAGE_4)).to_have_attribute("aria-label", "stage 4: 8,393,728 parameters, thin adapter")
    expect(map_.say).to_contain_text("thin adapters beside it learn")
    expect(map_.big("Epoch of 280 items")).to_have_text("2.8 s")
    expect(map_.big("Paid for once")).to_have_text("5.5 s")
    map_.rows.nth(STAGE_4).click()
    sees("frozen", "frozen", "frozen", "frozen", "trained", "trained")
    map_.root.get_by_text("by an adapter").click()
    map_.rows.nth(STAGE_2).click()
    map_.rows.nth(STAGE_3).click(modifiers=["Shift"])
    sees("frozen", "frozen", "lora", "lora", "trained", "trained")
    map_.rows.nth(STAGE_2).click()
    sees("frozen", "frozen", "frozen", "lora", "trained", "trained")
    map_.rail.focus()
    page.keyboard.press("Home")
    sees("frozen", "lora", "lora", "lora", "trained", "trained")
    map_.rows.nth(STEM).click()
    expect(map_.say).to_have_text("This part has no layer beside which a thin adapter could stand.")
    map_.chip("Adapters").click()
    expect(map_.chip("Adapters")).to_have_attribute("aria-pressed", "true")
    expect(map_.root.locator("[aria-pressed=true]")).to_have_count(1)
    sees("frozen", "lora", "lora", "lora", "lora", "trained")
    adapter.focus()
    page.keyboard.press("ArrowLeft")
    expect(fully).to_be_checked()
    map_.rows.nth(STAGE_1).click()
    sees("frozen", "trained", "lora", "lora", "lora", "trained")
    map_.chip("Undo").click()
    map_.chip("Everything").click()
    map_.trains(*range(6))


def test_gradual_unfreezing_gives_a_range_of_seconds(open_map: Open) -> None:
    map_ = open_map("gradual=1")
    expect(map_.big("Epoch of 280 items")).to_have_text("< 0.1 → 9.2 s")
    expect(map_.big("Paid for once")).to_have_text("7.1 s")
    expect(map_.rows.nth(STAGE_3).locator(".when i")).to_have_attribute("style", re.compile("left: 40%"))
    expect(map_.rows.nth(STAGE_3).get_by_role("slider")).to_have_attribute("aria-valuetext", "joins in epoch 5 of 10")
    map_.chip("Everything").click()
    expect(map_.big("Paid for once")).to_have_text("7.1 s")
    expect(map_.root).to_contain_text("for the first epochs only")


def test_figures_that_follow_the_plan_leave_focus_and_history(page: Page, open_map: Open) -> None:
    map_ = open_map("slow=0")
    map_.rows.nth(STAGE_4).focus()
    page.keyboard.press("Space")
    map_.trains(STAGE_4, HEAD)
    expect(map_.rows.nth(STAGE_4)).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Space")
    map_.trains(STAGE_3, STAGE_4, HEAD)
    map_.chip("Undo").click()
    map_.chip("Undo").click()
    map_.trains(HEAD)


@pytest.mark.parametrize("target, expected", [(STAGE_2, (STAGE_2, STAGE_3, STAGE_4, HEAD)), (STAGE_4, (STAGE_4, HEAD))])
def test_a_drag_outlasts_new_figures(page: Page, open_map: Open, target: int, expected: tuple[int, ...]) -> None:
    """Also one that ends where it began."""
    map_ = open_map("slow=1")
    place = map_.rows.nth(target).bounding_box()
    assert place
    map_.rows.nth(STAGE_4).click()
    map_.knob.hover()
    page.mouse.down()
    expect(page.get_by_text("Python sees")).to_have_text("Python sees: " + ", ".join(["frozen"] * 4 + ["trained"] * 2))
    page.mouse.move(place["x"], place["y"] + 2, steps=4)
    page.mouse.up()
    map_.trains(*expected)


def test_unknown_seconds_are_a_dash(open_map: Open) -> None:
    map_ = open_map("unknown=1")
    expect(map_.big("Each epoch")).to_have_text("–")
    expect(map_.big("Paid for once")).to_have_text("–")
    expect(map_.root).to_contain_text("not yet measured on this machine")


def test_names_are_shown_as_text(page: Page, open_map: Open) -> None:
    map_ = open_map("model=hostile")
    map_.rows.first.click()
    expect(map_.rows.nth(0).locator(".name")).to_have_text("<img src=x onerror=\"window.attacked=1\">" * 3 + "<b>note</b>")
    expect(map_.rows.nth(1).locator(".name")).to_have_text("{a} **bold** $x$")
    expect(map_.rows.nth(1)).to_have_attribute("aria-label", "{a} **bold** $x$: 20 parameters, frozen")
    expect(map_.rows.nth(2).locator(".name")).to_have_text("<script>window.attacked=1</script>")
    expect(map_.root.locator("img, script, .note b")).to_have_count(0)
    assert page.evaluate("window.attacked") is None


def test_a_disabled_map_ignores_pointer_and_keys(page: Page, open_map: Open) -> None:
    map_ = open_map("off=1")
    map_.rows.nth(STAGE_4).click(force=True)
    map_.rows.nth(STEM).focus()
    page.keyboard.press("Space")
    page.keyboard.press("t")
    box = map_.rail.bounding_box()
    assert box
    page.mouse.click(box["x"] + 15, box["y"] + 20)
    expect(map_.chip("Everything")).to_be_hidden()
    map_.trains(HEAD)


def test_another_language_keeps_the_edit_and_its_history(page: Page, open_map: Open) -> None:
    map_ = open_map()
    map_.rows.nth(STAGE_4).click()
    map_.trains(STAGE_4, HEAD)
    page.get_by_text("Chinese").click()
    expect(map_.chip("全部")).to_be_visible()
    expect(map_.root).to_contain_text("840万 / 1120万 个参数")
    map_.trains(STAGE_4, HEAD)
    map_.chip("撤销").click()
    map_.trains(HEAD)


def test_a_new_revision_shows_the_given_plan_again(page: Page, open_map: Open) -> None:
    map_ = open_map()
    map_.chip("Everything").click()
    map_.trains(*range(6))
    page.get_by_role("button", name="Start over").click()
    map_.trains(HEAD)
    expect(map_.chip("Undo")).to_be_hidden()
    map_.rows.nth(STAGE_4).click()
    map_.trains(STAGE_4, HEAD)


def test_a_stage_opens_to_its_blocks_by_keys_and_one_of_them_is_frozen(page: Page, open_map: Open) -> None:
    map_ = open_map()
    map_.chip("Last stage").click()
    map_.rows.nth(STAGE_4).focus()
    expect(map_.rows.nth(STAGE_4)).to_have_attribute("aria-expanded", "false")
    for key in ("ArrowRight", "ArrowRight", "f"):
        page.keyboard.press(key)
    expect(map_.rows).to_have_count(8)
    expect(map_.rows.nth(STAGE_4 + 1)).to_be_focused()
    expect(map_.rows.nth(STAGE_4)).to_have_attribute("aria-label", "stage 4: 8,393,728 parameters, part trains")
    expect(map_.rows.nth(STAGE_4).locator(".brick.split i.frozen, .brick.split i.trained")).to_have_count(2)
    expect(map_.root).to_have_attribute("data-trainable", str(4_720_640 + PARAMETERS[HEAD]))
    expect(page.get_by_text("Exactly")).to_contain_text("frozen 1 0 0; trained 0.3 0 0; trained 1 0 0")
    map_.rail.focus()
    page.keyboard.press("ArrowUp")
    expect(map_.rail).to_have_attribute("aria-valuetext", "7 of 10 blocks frozen")
    page.keyboard.press("ArrowDown")
    expect(map_.rail).to_have_attribute("aria-valuetext", "8 of 10 blocks frozen")
    map_.rows.nth(STAGE_4 + 2).focus()
    page.keyboard.press("ArrowLeft")
    expect(map_.rows.nth(STAGE_4)).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(map_.rows).to_have_count(6)


def test_schedule_rates_and_pulls_are_edited_and_remembered(page: Page, open_map: Open) -> None:
    map_, exactly = open_map(), page.get_by_text("Exactly")
    handle, rate, pull = (map_.rows.nth(STAGE_4).get_by_role(role, name=re.compile(name)) for role, name in
                          (("slider", "epoch"), ("spinbutton", "rate"), ("spinbutton", "pull")))
    map_.rows.nth(STAGE_3).click()
    map_.rows.nth(STAGE_4).click()
    expect(handle).to_be_hidden()
    map_.root.get_by_role("button", name="When and how fast").click()
    map_.chip("Gradually").click()
    map_.chip("Discriminative rates").click()
    expect(exactly).to_contain_text("trained 0.115 4 0; trained 0.115 4 0; trained 0.3 2 0; trained 0.3 2 0; trained 1 0 0")
    line, at = map_.rows.nth(STAGE_4).locator(".when").bounding_box(), handle.bounding_box()
    assert line and at
    page.mouse.move(at["x"] + 12, at["y"] + 12)
    page.mouse.down()
    page.mouse.move(line["x"] + 0.71 * line["width"], at["y"] + 12, steps=3)
    page.mouse.up()
    expect(handle).to_have_attribute("aria-valuetext", "joins in epoch 8 of 10")
    handle.focus()
    page.keyboard.press("ArrowLeft")
    rate.focus()
    page.keyboard.press("ArrowDown")
    pull.focus()
    for _ in range(3):
        page.keyboard.press("ArrowUp")
    expect(exactly).to_contain_text("trained 0.115 4 0; trained 0.1 6 0.01; trained 0.1 6 0.01; trained 1 0 0")
    map_.chip("Undo").click()
    expect(pull).to_have_attribute("aria-valuenow", "0.001")
    page.reload()
    map_.rows.nth(STAGE_4).click()
    expect(handle).to_be_visible()


def test_after_a_run_the_bricks_say_how_far_they_moved_and_what_was_predicted(open_map: Open) -> None:
    map_ = open_map("off=1&changed=1&probes=1")
    expect(map_.rows.nth(STEM)).to_have_attribute("aria-label", "stem: did not move")
    expect(map_.rows.nth(HEAD)).to_have_attribute("aria-label", "head: new")
    expect(map_.rows.nth(STAGE_1)).to_contain_text("moved 0.25 %")
    expect(map_.big("A mean epoch took")).to_have_text("3 s")
    expect(map_.root.locator(".facts")).to_contain_text("predicted 2.5 s: it was 20 % more")
    expect(map_.root.locator(".facts")).to_contain_text("predicted 6 s: just so")
    expect(map_.root.locator(".facts")).to_contain_text("predicted 450 MB: it was 8.9 % less")
    expect(map_.root.locator(".probe")).to_have_text(["62 % (55–69)", "91 % (88–94)"])
    map_.root.get_by_role("button", name="Show the blocks of stage 3").click()
    expect(map_.root.locator(".probe")).to_have_text(["62 % (55–69)", "88 % (83–92)", "91 % (88–94)"])


@pytest.mark.parametrize("width", [800, 1440])
@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_nothing_is_cut_off(page: Page, open_map: Open, width: int, language: str) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    map_ = open_map(f"lang={language}&gradual=1&adapters=1&probes=1")
    cut = map_.root.evaluate("""root => [...root.querySelectorAll('*')].filter(e => getComputedStyle(e).display !== 'inline')
        .filter(e => e.children.length === 0 && e.scrollWidth > e.clientWidth + 1).map(e => e.textContent)""")
    assert cut == []
    outside = map_.root.evaluate("""root => { const edge = root.getBoundingClientRect().right + 1;
        return [...root.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > edge).map(e => e.className); }""")
    assert outside == []
