"""Results, Try it and Take home of a run that read texts."""
from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.data.texts import write_texts
from core.data.versions import Item, Version, create_dataset
from core.errors import UserError
from core.evaluation.judge import evaluate
from core.evaluation.report import Report, write_report
from core.jobs.predictor_client import Prediction, PredictorClient
from core.jobs.runs import submit
from core.models.catalog import find
from core.owners import LOCAL_OWNER
from core.specs import ModelSpec, SplitName, TrainConfig
from core.tasks.registry import TASKS
from core.training.presets import preset_plan
from core.workspace import Workspace
from pages.ui import try_texts
from tests.pages.conftest import Visit
from tests.pages.prepared import HOSTILE
from tests.pages.seen import html, markdown, said, trouble

RUN = "textrun"
LABELS = ("好评", "bad")
TEXTS = {"train": ["a", "b"], "test": ["a fine\nbook", *HOSTILE, "x" * 5000], "val": []}
MODEL = TASKS["text"].default_model


@pytest.fixture
def ws(ws: Workspace) -> Workspace:
    """With a run that has ended; nothing was trained, and what predicts is a double."""
    items, texts = [], {}
    sides: tuple[SplitName, ...] = ("train", "test")
    for side in sides:
        for i, text in enumerate(TEXTS[side]):
            sha = hashlib.sha256(text.encode()).hexdigest()
            texts[sha] = text
            items.append(Item(sha, f"{side}.csv:{i + 2}", i % 2, side, length=len(text)))
    data = create_dataset(ws, "messages", "messages", LOCAL_OWNER, Version(LABELS, tuple(items), task="text"))
    write_texts(ws.dataset("messages") / "texts.parquet", texts)
    submit(ws, LOCAL_OWNER, data, ModelSpec(MODEL), preset_plan(find(MODEL), "instant"), TrainConfig("custom", epochs=1), RUN)
    test = [item for item in items if item.split == "test"]
    wrong = [[0.1, 0.9] if item.label == 0 else [0.8, 0.2] for item in test]
    write_report(ws.run(RUN) / "report.json", evaluate(wrong, [item.label for item in test], LABELS, shas=[item.sha for item in test],
                                                       names=[item.name for item in test]))
    (ws.run(RUN) / "best").mkdir()
    (ws.run(RUN) / "best" / "tokenizer.json").write_text("{}", encoding="utf-8")
    (ws.run(RUN) / "best" / "bundle.json").write_text(json.dumps({"task": "text", "architecture": {"builder": "transformers"},
                                                                          "base": {"licence": "Apache-2.0"}}), encoding="utf-8")
    (ws.run(RUN) / "bundle.zip").write_bytes(b"zip")
    return ws


class Asked:
    """Stands in for the process that predicts: of each text, how much of it is capital letters."""

    def __init__(self) -> None:
        self.requests: list[list[str]] = []

    def predict_texts(self, bundle: Path, texts: Sequence[str]) -> Prediction:
        self.requests.append(list(texts))
        shares = [sum(letter.isupper() for letter in text) / len(text) for text in texts]
        return Prediction(LABELS, tuple((share, 1 - share) for share in shares), 0.01)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    double = Asked()
    monkeypatch.setattr(PredictorClient, "predict_texts", lambda self, bundle, texts: double.predict_texts(bundle, texts))
    return double


def written(page: AppTest, text: str) -> AppTest:
    return page.text_area[0].set_value(text).run()


def table(page: AppTest) -> list[list[object]]:
    return page.dataframe[0].value.to_numpy().tolist()


def test_before_anything_is_written_the_way_is_shown(ws: Workspace, visit: Visit, asked: Asked) -> None:
    page = visit("try_it.py", run=RUN)
    assert "Write a text, or click a sample." in said(page) and trouble(page) == [] and asked.requests == []
    assert "camera" not in said(page) and "Download model" in html(page)


def test_one_text_is_answered_in_full(ws: Workspace, visit: Visit, asked: Asked) -> None:
    page = written(visit("try_it.py", run=RUN), "AAAAAAAb\n")
    assert "### 好评  :gray[88 %]" in markdown(page) and asked.requests == [["AAAAAAAb"]] and not page.dataframe
    assert "### bad  :gray[60 %]" in markdown(written(page, "AAbbb"))


def test_lines_are_texts_and_become_a_table(ws: Workspace, visit: Visit, asked: Asked) -> None:
    page = written(visit("try_it.py", run=RUN), "AAAA\n\n  \naaaa\n" + HOSTILE[0])
    rows = table(page)
    assert asked.requests == [["AAAA", "aaaa", HOSTILE[0]]]
    assert [row[:2] for row in rows] == [["AAAA", "好评"], ["aaaa", "bad"], [HOSTILE[0], "bad"]] and rows[0][2] == 100
    assert HOSTILE[0] not in markdown(page) and trouble(page) == []
    page.toggle[0].set_value(True).run()
    assert asked.requests[-1] == ["AAAA\n\n  \naaaa\n" + HOSTILE[0]] and not page.dataframe


def test_many_lines_are_asked_about_in_parts_and_the_rest_is_named(ws: Workspace, visit: Visit, asked: Asked,
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(try_texts, "MOST_LINES", 70)
    page = written(visit("try_it.py", run=RUN), "\n".join(f"line {i}" for i in range(100)))
    assert [len(part) for part in asked.requests] == [32, 32, 6] and len(table(page)) == 70
    assert "The first 70 of 100 lines are answered." in said(page)
    page.run()
    assert len(asked.requests) == 3, "what was answered is not asked again"


def judged(ws: Workspace, objective: str, answers: list[list[float]], truths: list, labels: tuple[str, ...] = LABELS,
           unit: str = "") -> Report:
    """The run's report, as if it had another objective."""
    report = evaluate(answers, truths, labels, objective_key=objective, unit=unit, names=TEXTS["test"][:len(truths)])
    write_report(ws.run(RUN) / "report.json", report)
    return report


def lines_of(made: bytes) -> list[str]:
    return made.decode("utf-8-sig").splitlines()


def test_a_weak_answer_is_called_unsure_in_a_table_too(ws: Workspace, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    judged(ws, "single_label", [[0.9, 0.1, 0.0]], [0], ("a", "b", "c"))
    monkeypatch.setattr(PredictorClient, "predict_texts", lambda self, bundle, texts: Prediction(
        ("a", "b", "c"), tuple((0.4, 0.35, 0.25) for _ in texts), 0.0))
    page = written(visit("try_it.py", run=RUN), "one")
    assert "### Not sure" in markdown(page) and trouble(page) == []
    assert table(written(page, "one\ntwo"))[0][:2] == ["one", "Not sure: a?"]


def test_the_download_is_safe_to_open_in_a_spreadsheet(ws: Workspace) -> None:
    report = judged(ws, "single_label", [[0.9, 0.1]], [0], ("=evil", "b"))
    made = try_texts.answers_csv(report, ["=1+1", "two, \"three\"", "\ud800"], [(0.9, 0.1), (0.25, 0.75), (0.5, 0.5)])
    assert lines_of(made) == ["Text,Label,Probability (%),'=evil,b", "'=1+1,'=evil,90,0.900000,0.100000",
                              '"two, ""three""",b,75,0.250000,0.750000', "?,'=evil,50,0.500000,0.500000"]


def test_several_labels_are_given_or_none(ws: Workspace, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"both": (0.9, 0.6), "none": (0.1, 0.2), TEXTS["test"][0]: (0.8, 0.1)}
    monkeypatch.setattr(PredictorClient, "predict_texts", lambda self, bundle, texts: Prediction(LABELS, tuple(said[text] for text in texts), 0.0))
    report = judged(ws, "multi_label", [[0.9, 0.6], [0.1, 0.2], [0.9, 0.1]], [[0, 1], [1, 1], [0, 1]])
    page = written(visit("try_it.py", run=RUN), "both")
    assert "### 好评, bad" in markdown(page)
    assert "### None of the labels" in markdown(written(page, "none"))
    assert table(written(page, "both\nnone")) == [["both", "好评, bad"], ["none", ""]]
    [card] = [button for button in page.button if ".sample." in button.key and "fine" in button.label]
    assert "Right: it is 好评" in markdown(page.button(key=card.key).click().run())
    assert lines_of(try_texts.answers_csv(report, ["none"], [(0.1, 0.2)])) == ["Text,Labels,好评,bad", "none,,0.100000,0.200000"]


def test_a_number_is_said_with_its_unit(ws: Workspace, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PredictorClient, "predict_texts", lambda self, bundle, texts: Prediction(
        ("price",), tuple((12345.678 + i,) for i, _ in enumerate(texts)), 0.0))
    judged(ws, "regression", [[1.0], [2.0], [9.0]], [1.5, 2.0, 3.0], ("price",), "€*")
    page = written(visit("try_it.py", run=RUN), "one")
    assert "### 12,350 €\\*" in markdown(page) and trouble(page) == []
    assert table(written(page, "one\ntwo")) == [["one", pytest.approx(12345.678)], ["two", pytest.approx(12346.678)]]


@pytest.mark.parametrize("objective, answers, truths, says", [
    ("multi_label", [[0.9, 0.6], [0.1, 0.2]], [[0, 1], [1, 1]], ["not found: 好评, bad", "wrongly given: 好评"]),
    ("regression", [[1.0], [9.0]], [1.5, 3.0], ["answered 9 kg · really 3 kg", "answered 1 kg · really 1.5 kg"]),
    ("binary", [[0.2, 0.8], [0.6, 0.4]], [0, 1], ["answered bad (80 %) · really 好评"]),
])
def test_mistakes_of_every_objective_are_put_into_words(ws: Workspace, objective: str, answers: list, truths: list, says: list[str]) -> None:
    def page() -> None:
        from core.evaluation.report import read_report
        from core.specs import DataSpec
        from pages.ui import mistakes, state

        report = read_report(state.workspace().run("textrun") / "report.json")
        mistakes.worst(DataSpec("messages", "none", "text"), report)
    judged(ws, objective, answers, truths, LABELS if objective != "regression" else ("price",), "kg" if objective == "regression" else "")
    shown = AppTest.from_function(page, default_timeout=60).run()
    assert not shown.exception and all(words in html(shown) for words in says)


def test_samples_are_texts_it_never_learned_from_and_a_click_asks_about_one(ws: Workspace, visit: Visit, asked: Asked) -> None:
    page = visit("try_it.py", run=RUN)
    cards = [button for button in page.button if ".sample." in button.key]
    assert len(cards) == len(TEXTS["test"]) and not [name for name in HOSTILE if any(name in card.label for card in cards)]
    assert max(len(card.label) for card in cards) < 400, "a long text is shortened"
    for card in cards:
        page.button(key=card.key).click().run()
    assert sorted(one for [one] in asked.requests) == sorted(TEXTS["test"]), "with its line breaks, and never a text of training"
    assert page.text_area[0].value == asked.requests[-1][0] and trouble(page) == []
    assert ("Right: it is" in said(page)) != ("Wrong: it is" in said(page))
    assert "it is" not in said(written(page, "something else")), "what a text of one's own bears is not known"


def test_a_text_that_cannot_be_answered_is_explained(ws: Workspace, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: PredictorClient, bundle: Path, texts: Sequence[str]) -> Prediction:
        raise UserError("This text can't be read.", "It is no text.", "Try another one.", position=1)
    monkeypatch.setattr(PredictorClient, "predict_texts", refuse)
    page = written(visit("try_it.py", run=RUN), "one")
    assert not page.exception and "This text can't be read" in page.error[0].value and "Download model" in html(page)


def test_the_worst_mistakes_are_texts_letter_by_letter(ws: Workspace, visit: Visit) -> None:
    page = visit("results.py", run=RUN)
    assert html(page).count("<blockquote>") == len(TEXTS["test"]) and "a fine\nbook" in html(page)
    assert "<img src=x" not in html(page) and "&lt;img src=x" in html(page) and not [name for name in HOSTILE if name in markdown(page)]
    assert "x" * 401 not in html(page) and "answered bad (90 %) · really 好评" in html(page) and trouble(page) == []


def test_take_home_names_the_files_and_commands_of_its_kind(ws: Workspace, visit: Visit) -> None:
    plain = said(visit("export.py", run=RUN)).replace("\\", "")
    for part in ("tokenizer.json", "torch, tokenizers, safetensors, transformers", "pip install torch tokenizers safetensors transformers",
                 'python predict.py "a text"', "how texts are read"):
        assert part in plain
    assert "picture" not in plain and "config.json" not in plain


@pytest.mark.parametrize("page", ["results.py", "try_it.py", "export.py"])
def test_chinese_readers_find_every_word(ws: Workspace, visit: Visit, asked: Asked, page: str) -> None:
    shown = visit(page, run=RUN, locale="zh-CN")
    assert trouble(shown) == [] and not any(word in markdown(shown) for word in ("Write a text", "Samples", "how texts", "Worst"))
