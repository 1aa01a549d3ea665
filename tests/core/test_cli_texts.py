"""The command line with a bundle that reads texts."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.bundle import predict_text
from core.bundle.write import zip_bundle
from core.cli import main
from core.workspace import Workspace
from tests.core.bundle.messages import LABELS, MESSAGES, made
from tests.core.data.picture_files import jpeg, write_tree


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    return zip_bundle(made("words", folder).write(folder / "best"), folder / "out.zip")


def call(capsys: pytest.CaptureFixture[str], *words: object, code: int = 0) -> dict[str, Any]:
    assert main([*map(str, words), "--json"]) == code
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_texts_are_predicted_as_their_bundle_does_it(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "more.txt").write_text("good film\n\n好书\n", encoding="utf-8")
    answer, texts = call(capsys, "predict", bundle, "buy now", "", "--file", tmp_path / "more.txt"), ["buy now", "", "good film", "好书"]
    expected = predict_text.predict(predict_text.load(bundle.parent / "best"), texts)
    assert answer["labels"] == list(LABELS) and [row["text"] for row in answer["predictions"]] == texts
    assert [row["probabilities"] for row in answer["predictions"]] == [pytest.approx(row, abs=1e-6) for row in expected]
    assert main(["predict", str(bundle), "the cat"]) == 0
    assert capsys.readouterr().out.startswith("the cat: ")


def test_what_can_not_be_asked_is_explained(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "gbk.txt").write_bytes("好书".encode("gbk"))
    for words, title in (((), "There is nothing to ask the model about."), (("--file", tmp_path / "none.txt"), "This file is not there."),
                         (("--file", tmp_path / "gbk.txt"), "This file can't be read.")):
        assert call(capsys, "predict", bundle, *words, code=1)["error"]["title"] == title


def test_it_is_measured_on_a_table(bundle: Path, ws: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f'"{text or "nothing"} {i}",{LABELS[i % 3]}' for i in range(3) for text in MESSAGES]
    (tmp_path / "x.csv").write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    answer = call(capsys, "evaluate", bundle, "--data", tmp_path / "x.csv")
    assert answer["n"] == 21 and answer["split"] == "test" and 0 <= answer["score"] <= 1


def test_pictures_are_not_asked_of_what_reads_texts(bundle: Path, ws: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_tree(tmp_path / "pictures", {f"{label}/{i}.jpg": jpeg(50 * k + i) for k, label in enumerate(("a", "b")) for i in range(4)})
    error = call(capsys, "evaluate", bundle, "--data", folder, code=1)["error"]
    assert error["title"] == "The model and the data are of different kinds." and "texts" in error["message"]
