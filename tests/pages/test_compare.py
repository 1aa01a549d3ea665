"""The page that puts runs beside one another."""
from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core import events
from core.data.versions import add_version, load_version
from core.evaluation.compare import UNUSED, Difference
from core.evaluation.judge import evaluate
from core.evaluation.report import Report, write_report
from core.jobs.runs import load_run, submit
from core.models.catalog import DEFAULT, find
from core.models.from_runs import key_of
from core.owners import LOCAL_OWNER
from core.specs import Augmentation, DataSpec, HeadPlan, ModelSpec, RunSpec, TrainConfig, from_json, to_json
from core.training.presets import preset_plan
from core.workspace import Workspace, write_atomic
from pages.ui import compare_chart, setting_words
from pages.ui.compare_chart import COLOURS, Line, curves_figure
from pages.ui.state import Draft
from pages.ui.text import md
from tests.pages.conftest import Visit
from tests.pages.prepared import HOSTILE, PETS, SOMEBODY, add_dataset
from tests.pages.seen import html, markdown, said, trouble

LABELS = ("cat", "dog")
N = 60


def sha(i: int) -> str:
    return f"{i:064x}"


def report(wrong: Sequence[int], n: int = N, labels: tuple[str, ...] = LABELS, **more: Any) -> Report:
    truths = [i % 2 for i in range(n)]
    answers = np.eye(len(labels))[[(truth + (i in wrong)) % 2 for i, truth in enumerate(truths)]]
    return evaluate(answers.tolist(), truths, labels, shas=[sha(i) for i in range(n)], **more)


def numbers(error: float, n: int = N) -> Report:
    return evaluate([[i + error * (-1) ** i] for i in range(n)], [float(i) for i in range(n)], ("weight",), objective_key="regression",
                    shas=[sha(i) for i in range(n)], unit="kg")


@pytest.fixture
def pets(ws: Workspace) -> DataSpec:
    return add_dataset(ws, PETS, LABELS, {"train": 3, "val": 1, "test": 1}, name="pets")


@pytest.fixture
def add(ws: Workspace, pets: DataSpec) -> Callable[..., RunSpec]:
    def add_run(key: str, report: Report | None = None, *, name: str = "", owner: str = LOCAL_OWNER, data: DataSpec = pets,
                **config: Any) -> RunSpec:
        """A run with this result; nothing has been trained."""
        plan = preset_plan(find(DEFAULT), "balanced")
        run = submit(ws, owner, data, ModelSpec(DEFAULT), plan, TrainConfig("custom", **{"epochs": 2, "input_size": 64, **config}), key)
        if name:
            write_atomic(ws.run(key) / "run.json", to_json(replace(run, name=name)))
        if report:
            write_report(ws.run(key) / "report.json", report)
            log = [events.EpochEnd(1, 5, 0.9, 0.5, 0.95, 0.4, True, None), events.EpochEnd(2, 10, 0.6, 0.8, 0.7, report.score, True, None),
                   events.Done(2, 2, report.score, 42.0)]
            with (ws.run(key) / "events.jsonl").open("ab") as file:
                file.write(b"".join(map(events.encode, log)))
        return load_run(ws, key, owner)
    return add_run


@pytest.fixture
def compare(visit: Visit) -> Callable[..., AppTest]:
    def open_page(*keys: str, locale: str = "en-US") -> AppTest:
        page = visit("compare.py", locale=locale)
        page.query_params["runs"] = ",".join(keys)
        return page.run()
    return open_page


class TestAddress:
    @pytest.mark.parametrize("keys", [(), ("onerun",), ("onerun", "onerun"), tuple(f"run{i}" for i in range(7)), ("", "", "")])
    def test_what_is_no_two_to_six_runs_leads_to_the_list(self, add, compare, keys: tuple[str, ...]) -> None:
        add("onerun", report(()))
        page = compare(*keys)
        assert "Choose two to six runs" in html(page) and trouble(page) == [] and not page.info
        assert page.button(key="compare.choose").label == "Choose runs"

    def test_unknown_runs_and_those_of_others_are_counted_and_not_told_apart(self, ws: Workspace, add, compare) -> None:
        theirs = add_dataset(ws, "theirs", LABELS, {"train": 3, "val": 1, "test": 1}, owner=SOMEBODY)
        add("their1", report(()), data=theirs, owner=SOMEBODY, name="a secret")
        add("mine1", report(()))
        page = compare("mine1", "their1", "gone1", "../../secret")
        assert [info.value for info in page.info] == ["Not here, not yours, or damaged: 3 of these 4 runs."]
        assert "nothing left to compare" in html(page) and trouble(page) == [] and "a secret" not in said(page)

    def test_the_others_are_compared_all_the_same(self, add, compare) -> None:
        add("mine1", report(())), add("mine2", report(()))
        page = compare("mine1", "gone1", "mine2")
        assert len(page.info) == 1 and "do equally well" in markdown(page) and trouble(page) == []

    @pytest.mark.parametrize("file", ["run.json", "report.json"])
    def test_one_of_which_a_file_is_damaged_is_left_out(self, ws: Workspace, add, compare, file: str) -> None:
        add("mine1", report(())), add("mine2", report(())), add("mine3", report(()))
        (ws.run("mine2") / file).write_text('{"type": "nothing"}\n', encoding="utf-8")
        page = compare("mine1", "mine2", "mine3")
        assert "1 of these 3 runs" in page.info[0].value and "do equally well" in markdown(page) and trouble(page) == []

    def test_going_back_finds_the_runs_again(self, add, compare) -> None:
        add("mine1", report(())), add("mine2", report(()))
        page = compare("mine1", "mine2")
        del page.query_params["runs"]
        page.run()
        assert "do equally well" in markdown(page) and page.query_params["runs"] in ("mine1,mine2", ["mine1,mine2"])


class TestVerdicts:
    def test_the_best_is_named_with_how_much_better_it_is(self, add, compare) -> None:
        add("mine1", report(range(20)), name="plain-one"), add("mine2", report(range(2)), name="better")
        page = compare("mine1", "mine2")
        found = markdown(page).replace("\\", "")
        assert "Best score] **better**" in found
        assert "**better** is 30 points better than **plain-one** (18 to 42): surely, by their answers to the same 60 items." in found
        assert "percentage points of Accuracy" in found and "Holm" not in found, "there is only one comparison"

    def test_what_could_be_luck_is_called_so_and_its_range_holds_nothing(self, add, compare) -> None:
        add("mine1", report((0, 1, 2)), name="one"), add("mine2", report((5, 6)), name="two")
        found = markdown(compare("mine1", "mine2"))
        assert "**two** is 2 points better than **one** (−5 to 8) on the same 60 items: the difference could be luck" in found

    def test_of_three_the_others_are_compared_too_and_the_correction_is_named(self, add, compare) -> None:
        add("mine1", report(range(20))), add("mine2", report(())), add("mine3", report(range(30)))
        page = compare("mine1", "mine2", "mine3")
        assert len([text for text in page.markdown if "better than" in text.value]) == 3
        assert "The others among themselves" in said(page) and "Holm's correction" in said(page)

    def test_a_number_has_its_unit(self, add, compare) -> None:
        add("mine1", numbers(3.0), name="one"), add("mine2", numbers(1.0), name="two")
        found = markdown(compare("mine1", "mine2"))
        assert "**two** is 2 kg better than **one** (2 to 2): surely" in found and "Measured by Mean error" in found

    @pytest.mark.parametrize(("other", "why"), [
        (report((), labels=("cat", "cow")), "they know different labels"),
        (report((), split="val"), "one was judged by test items"),
        (report((), 8), "8 items were asked of both, and it takes 10 to tell"),
        (numbers(1.0), r"they were asked different things (One label an item; A number)")])
    def test_what_cannot_be_compared_is_said_with_the_reason(self, add, compare, other: Report, why: str) -> None:
        add("mine1", report(range(5))), add("mine2", other)
        page = compare("mine1", "mine2")
        assert f"can't be compared: {why}" in markdown(page) and "luck" not in markdown(page) and trouble(page) == []

    def test_items_that_one_has_learned_from_are_said_to_be_left_out(self, ws: Workspace, pets: DataSpec, add, compare) -> None:
        """The second run has another split of the same data."""
        version = load_version(ws, pets)
        items = tuple(replace(item, sha=sha(i), split="train") for i, item in enumerate(version.items[:6]))
        version = replace(version, items=(*items, *version.items[6:]))
        other = add_version(ws, pets.dataset, LOCAL_OWNER, version, "Split again without groups")
        add("mine1", report(range(20)), name="one"), add("mine2", report(()), data=other, name="two")
        page = compare("mine1", "mine2")
        assert "on the same 54 items" in markdown(page) or "to the same 54 items" in markdown(page)
        assert "Left out: 6 items that one of the two has learned from" in markdown(page)
        assert "pets, 10 · Split again without groups" in html(page) and "pets, 10 · as it was brought" in html(page)

    def test_without_its_data_a_run_is_not_compared(self, ws: Workspace, pets: DataSpec, add, compare) -> None:
        add("mine1", report(range(20))), add("mine2", report(()))
        for path in ws.dataset(pets.dataset).glob("*.json"):
            path.unlink()
        page = compare("mine1", "mine2")
        assert "the data of one is gone" in markdown(page) and "not here any more" in html(page) and trouble(page) == []

    def test_validation_items_are_said_to_have_chosen(self, add, compare) -> None:
        add("mine1", report(range(20), split="val")), add("mine2", report((), split="val"))
        assert "these are validation items, which chose the best epoch" in said(compare("mine1", "mine2"))

    def test_where_none_can_be_compared_none_is_the_best(self, add, compare) -> None:
        add("mine1", report(range(5))), add("mine2", report((), labels=("cat", "cow"))), add("mine3", numbers(1.0))
        page = compare("mine1", "mine2", "mine3")
        assert len([text for text in page.markdown if "can't be compared" in text.value]) == 3
        assert "Best score" not in said(page) and trouble(page) == []

    def test_a_run_without_a_result_has_no_verdict(self, add, compare) -> None:
        add("mine1", report(range(9))), add("mine2"), add("mine3")
        page = compare("mine1", "mine2", "mine3")
        assert "queued" in html(page) and "better than" not in said(page) and trouble(page) == []
        alone = compare("mine2", "mine3")
        assert trouble(alone) == [] and "compare.rerun" not in [button.key for button in alone.button]


def test_the_table_says_what_each_run_is_and_the_settings_only_what_differs(add, compare) -> None:
    add("mine1", report(range(5)), name="one", seed=4), add("mine2", report(()), name="two", learning_rate=0.01)
    found = html(compare("mine1", "mine2"))
    for cell in ('<a href="results?run=mine1" target="_self">one</a>', "92 % (82–96)", "40 s", "stage 4 to head", "Graft ResNet-10",
                 "pets, 10"):
        assert cell in found, cell
    rows = found[found.index('<th scope="row">Learning rate'):]
    assert "<td>0.003</td><td>0.01</td>" in rows and '<th scope="row">Seed</th><td>4</td><td>0</td>' in rows
    assert "Batch size" not in found and "Epochs" not in found


def test_runs_with_the_same_settings_are_said_to_have_them(add, compare) -> None:
    add("mine1", report(())), add("mine2", report(()))
    assert "these runs have the same settings" in said(compare("mine1", "mine2"))


def test_the_best_is_prepared_again_with_its_settings(ws: Workspace, add, compare) -> None:
    add("mine1", report(range(9)), seed=1), add("mine2", report(()), seed=2, batch_size=16)
    page = compare("mine1", "mine2")
    page.button(key="compare.rerun").click().run()
    best, draft = load_run(ws, "mine2", LOCAL_OWNER), from_json(Draft, ws.draft(LOCAL_OWNER).read_bytes())
    assert (draft.data, draft.model, draft.plan, draft.config) == (best.data, best.model.key, best.plan, best.config)
    assert page.title[0].value == "Train" and trouble(page) == []


def test_loss_and_training_are_drawn_when_asked_for(add, compare) -> None:
    add("mine1", report(range(9))), add("mine2", report(()))
    page = compare("mine1", "mine2")

    def traces() -> list[dict[str, Any]]:
        return json.loads(page.get("plotly_chart")[0].proto.spec)["data"]  # type: ignore[attr-defined]
    assert len(traces()) == 4, "a curve and the epoch that was kept, of each"
    page.toggle(key="compare.training").set_value(True).run()
    page.button_group(key="compare.what").set_value("loss").run()
    assert len(traces()) == 6 and trouble(page) == []


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_hostile_names_are_shown_letter_by_letter(add, compare, locale: str) -> None:
    for i, name in enumerate(HOSTILE):
        add(f"mine{i}", report(range(i)), name=name)
    page = compare(*(f"mine{i}" for i in range(len(HOSTILE))), locale=locale)
    assert trouble(page) == [] and [name for name in HOSTILE if name in markdown(page)] == []
    assert "<img src=x" not in html(page) and md(HOSTILE[0]) in markdown(page)
    assert "$x$" not in page.get("plotly_chart")[0].proto.spec  # type: ignore[attr-defined]


class TestSettingWords:
    KEYS = ("data", "objective", "model", "trains", "from_epoch", "lr_scale", "anchor", "batch_norm",
            *(f"head.{field.name}" for field in fields(HeadPlan)),
            *(field.name for field in fields(TrainConfig) if field.name != "augmentation"),
            *(f"augmentation.{field.name}" for field in fields(Augmentation)))

    def test_every_setting_has_a_label_and_there_is_no_other(self) -> None:
        assert sorted(setting_words.LABELS) == sorted(self.KEYS)

    def test_what_is_called_the_same_is_no_difference(self, add) -> None:
        runs = [add("mine1"), add("mine2")]
        rows = [Difference("trains", ((("a", "trained"),), (("b", "trained"),))), Difference("seed", (1, 2))]
        assert setting_words.worded(rows, runs) == [("Seed", ["1", "2"])]

    @pytest.mark.parametrize(("key", "value", "text"), [
        ("learning_rate", 0.0003, "0.0003"), ("augmentation.shift", 0.08, "8"), ("augmentation.flip", True, "on"),
        ("class_weights", False, "off"),
        ("patience", 0, "never"), ("patience", 5, "5"), ("input_size", None, "the model's own"), ("max_tokens", 128, "128"),
        ("optimizer", "lbfgs", "L-BFGS"), ("schedule", "step", "in steps"), ("augmentation.fill", "edge", "the edge colour"),
        ("head.kind", "mlp", "hidden layer before it"), ("head.pooling", "max", "largest number of all places"),
        ("batch_norm", "keep", "stay as the source has them"), ("long_texts", "ends", "the start and the end"),
        ("method", "contrastive", "pairs, then labels"), ("precision", "auto", "the faster one here"), ("precision", "bf16", "bf16"),
        ("preset", "few", "Few examples"), ("objective", "binary", "Yes or no"), ("anchor", (), "none"), ("momentum", UNUSED, "–"),
        ("lr_scale", (("stage 3, block 1", 0.1), ("stage 4, block 1", 0.1), ("stem", 0.5)), "stage 3 to stage 4: 0.1, stem: 0.5"),
        ("from_epoch", (), "all from the start")])
    def test_values_in_words(self, add, key: str, value: Any, text: str) -> None:
        assert setting_words.value_text(key, value, add("mine1")) == text

    def test_a_model_that_is_gone_has_its_blocks_by_name(self, add) -> None:
        run = replace(add("mine1"), model=ModelSpec(key_of("gonerun")))
        assert setting_words.value_text("lr_scale", (("stage 4, block 1", 0.1),), run) == "stage 4, block 1: 0.1"
        assert setting_words.value_text("trains", (("head", "trained"),), run) == "–"


class TestChart:
    NAMES = ("one", "<b>two</b> %{x} $y$")
    LINES = [Line(name, place, [1, 2, 3], [0.4, None, 0.8], [0.5, 0.7, 0.9], 3) for place, name in enumerate(NAMES)]

    def test_each_run_has_a_curve_and_a_ring_where_it_was_kept(self) -> None:
        figure = curves_figure(self.LINES, "Accuracy", True, False, "light")
        curve, ring = figure.data[:2]
        assert (list(curve.x), list(curve.y)) == ([1, 2, 3], [0.4, None, 0.8]) and (list(ring.x), list(ring.y)) == ([3], [0.8])
        assert figure.layout.yaxis.tickformat == ".3~%"

    def test_training_is_dotted_in_the_colour_of_its_run(self) -> None:
        dotted = [trace for trace in curves_figure(self.LINES, "loss", False, True, "dark").data if trace.line.dash == "dot"]
        assert [list(trace.y) for trace in dotted] == [[0.5, 0.7, 0.9]] * 2
        assert [trace.line.color for trace in dotted] == list(COLOURS["dark"][:2])

    def test_names_are_no_tags_and_no_templates(self) -> None:
        text = json.dumps(json.loads(curves_figure(self.LINES, "<i>kg</i>", False, True, "light").to_json()), ensure_ascii=False)
        assert "<b>two" not in text and "<i>kg" not in text and "$" not in text
        assert not any("two" in (trace.hovertemplate or "") for trace in curves_figure(self.LINES, "", False, False, "light").data)

    def test_a_mark_of_its_own_for_every_colour(self) -> None:
        assert [len(compare_chart.MARKS), len(COLOURS["light"]), len(COLOURS["dark"])] == [6, 6, 6]
        assert len({symbol for symbol, _drawing in compare_chart.MARKS}) == 6
        assert len({compare_chart.swatch(place, theme) for theme in COLOURS for place in range(6)}) == 12

    @pytest.mark.parametrize(("theme", "paper"), [("light", "#fbfbfe"), ("dark", "#111119")])
    def test_colours_stand_out_and_stay_apart_for_the_colour_blind(self, theme, paper: str) -> None:
        """Simulated by Machado et al. 2009, at full strength; distances in CIELAB."""
        colours = [_linear(colour) for colour in COLOURS[theme]]
        assert min(_contrast(colour, _linear(paper)) for colour in colours) >= 3
        for sight, matrix in SIGHT.items():
            seen = [_lab(np.clip(matrix @ colour, 0, 1)) for colour in colours]
            assert min(math.dist(a, b) for a, b in combinations(seen, 2)) > 20, sight


SIGHT = {"all cones": np.eye(3),
         "no red": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
         "no green": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
         "no blue": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]])}
XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])


def _linear(colour: str) -> np.ndarray:
    parts = np.array([int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def _lab(linear: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116 for value in XYZ @ linear / [0.95047, 1, 1.08883])
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _contrast(one: np.ndarray, other: np.ndarray) -> float:
    bright, dark = sorted((float(XYZ[1] @ one), float(XYZ[1] @ other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)
