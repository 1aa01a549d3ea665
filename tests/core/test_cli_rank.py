"""`python -m core rank`: models for one's data, best first."""
from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.cli import main, rank
from core.jobs import advice
from core.jobs.advice import Advice
from core.jobs.side_jobs import carry_out
from core.models.catalog import CATALOG
from core.training.advice.findings import TOO_LARGE, AdviceKind, Ask, Fit, Looking, Ranking, Score
from core.workspace import Workspace
from tests.core.jobs.side import left
from tests.core.training.advice.texts import WORDS

MODELS = ("graft-words-lstm", "graft-words")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    source, path = random.Random(0), tmp_path / "mail.csv"
    rows = [f"{' '.join(source.sample(words, 4))} {i},{label}" for label, words in WORDS.items() for i in range(20)]
    path.write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    return path


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[Ask]:
    """Looks that are begun are carried out at once, in this process; what was asked."""
    asks = list[Ask]()

    def start(ws: Workspace, kind: AdviceKind, ask: Ask, owner: str) -> None:
        asks.append(ask)
        folder = advice._folder(ws, kind, ask)
        left(folder, ask)
        carry_out(advice.JOB, ws, folder, advice.look)
    monkeypatch.setattr(advice, "start", start)
    return asks


def call(capsys: pytest.CaptureFixture[str], *words: object, code: int = 0) -> tuple[Any, str]:
    capsys.readouterr()
    assert main(["rank", *map(str, words)]) == code
    out, err = capsys.readouterr()
    return json.loads(out.splitlines()[-1]) if "--json" in words else None, out + err


def test_models_are_ranked_from_a_terminal(ws: Workspace, table: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "core", "rank", "--data", str(table), "--models", *MODELS, "--json"],
                          capture_output=True, text=True, timeout=280)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert (answer["metric"], answer["higher_is_better"], answer["n"], answer["untried"]) == ("accuracy", True, 34, [])
    assert {row["key"] for row in answer["models"]} == set(MODELS)
    for row in answer["models"]:
        assert row["low"] <= row["score"] <= row["high"] and row["score"] > 0.8 and row["item_seconds"] > 0 and row["parameters"] > 0


def test_without_names_all_that_are_on_this_machine_are_looked_at(ws: Workspace, table: Path, here: list[Ask],
                                                                 capsys: pytest.CaptureFixture[str]) -> None:
    answer, _ = call(capsys, "--data", table, "--budget", 0, "--json")
    texts = [row.key for row in CATALOG.values() if row.task == "text"]
    assert set(here[0].models) == set(MODELS) and here[0].budget_s == 0.0
    assert {row["key"] for row in answer["models"]} == set(MODELS)
    assert [row["key"] for row in answer["untried"]] == [key for key in texts if key not in MODELS]
    assert all("not on this machine" in row["reason"] for row in answer["untried"])


def test_readers_get_a_line_a_model_and_the_reasons(ws: Workspace, table: Path, capsys: pytest.CaptureFixture[str],
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    fits = (Fit("graft-words", Score(0.91, 0.88, 0.94), -0.12, 0.0123, 9), Fit("graft-words-lstm", Score(0.5, None, None), -0.5, 0.1, 9))
    found = Ranking(fits, 480, (("bert-base-uncased", None), ("gpt2", TOO_LARGE)), whole=True)
    monkeypatch.setattr(advice, "start", lambda *_: None)
    monkeypatch.setattr(advice, "status", lambda *_: Advice("done", Looking(2, 2), found))
    _, text = call(capsys, "--data", table)
    lines = text.splitlines()
    assert " 1. graft-words          accuracy 0.910 (0.880 to 0.940)   LogME -0.12   12.3 ms an item" in lines
    assert " 2. graft-words-lstm     accuracy 0.500   LogME -0.50   100 ms an item" in lines
    assert f"not tried: bert-base-uncased: {rank.LATE}" in lines
    assert "not tried: gpt2: Memory ran out. This machine has too little memory for this model. Choose a smaller model." in lines


def test_where_there_is_no_time_all_are_named(ws: Workspace, table: Path, here: list[Ask], capsys: pytest.CaptureFixture[str]) -> None:
    answer, _ = call(capsys, "--data", table, "--models", *MODELS, "--budget", 1e-9, "--json")
    assert answer["models"] == [] and {(row["key"], row["reason"]) for row in answer["untried"]} == {(key, rank.LATE) for key in MODELS}


@pytest.mark.parametrize(("words", "says"), [
    (("--models", "graft-wrods"), "The nearest names are: graft-words"), (("--models", "graft-resnet10"), "made for another kind of data")])
def test_a_model_that_does_not_fit_is_explained(ws: Workspace, table: Path, here: list[Ask], capsys: pytest.CaptureFixture[str],
                                                words: tuple[str, ...], says: str) -> None:
    _, text = call(capsys, "--data", table, *words, code=1)
    assert says in text and not here


def test_a_look_that_failed_gives_its_reason(ws: Workspace, table: Path, here: list[Ask], capsys: pytest.CaptureFixture[str]) -> None:
    few = table.with_name("few.csv")
    few.write_text("\n".join(table.read_text("utf-8").splitlines()[:1] + table.read_text("utf-8").splitlines()[17:25]), "utf-8")
    answer, _ = call(capsys, "--data", few, "--models", *MODELS, "--json", code=1)
    assert answer["error"]["title"] == "There are too few items to compare models by."


def test_an_interruption_ends_the_look(ws: Workspace, table: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    ended = list[Ask]()

    def ctrl_c(*_: object) -> Advice:
        raise KeyboardInterrupt
    monkeypatch.setattr(advice, "start", lambda *_: None)
    monkeypatch.setattr(advice, "status", ctrl_c)
    monkeypatch.setattr(advice, "cancel", lambda ws, kind, ask: ended.append(ask))
    call(capsys, "--data", table, "--models", *MODELS, code=130)
    assert [ask.models for ask in ended] == [MODELS]


@pytest.mark.parametrize("budget", ["-1", "nan", "inf", "soon"])
def test_what_is_no_number_of_seconds_is_refused(table: Path, budget: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["rank", "--data", str(table), "--budget", budget])
    assert "--budget" in capsys.readouterr().err
