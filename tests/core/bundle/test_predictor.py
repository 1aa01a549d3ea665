from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.bundle import predict, predict_text
from core.bundle.predictor import Bundles, answer
from tests.core.bundle import messages
from tests.core.bundle.insects import LABELS, encoded, photo, trained, write_to
from tests.core.bundle.messages import made


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    for i in range(2):
        (tmp_path / f"{i}.png").write_bytes(encoded(photo(i), "PNG"))
    return [str(tmp_path / f"{i}.png") for i in range(2)]


def asked(bundle: Path, files: list, bundles: Bundles | None = None) -> dict:
    return answer(bundles or Bundles(), {"id": 7, "op": "predict", "bundle": str(bundle), "items": files})


def test_the_answer_holds_one_row_an_item(bundle: Path, files: list[str]) -> None:
    said = asked(bundle, files)
    assert (said["id"], said["labels"]) == (7, LABELS) and said["seconds"] > 0
    assert said["probabilities"] == predict.predict(predict.load(bundle), files)


def test_texts_are_answered_as_they_are(tmp_path: Path) -> None:
    folder, bundles = made("words", tmp_path).write(tmp_path / "best"), Bundles()
    texts = ["buy now", "", "\ud800 odd", "猫 " * 500]
    said = asked(folder, texts, bundles)
    assert said["probabilities"] == predict_text.predict(predict_text.load(folder), texts) and said["labels"] == messages.LABELS
    error = asked(folder, ["fine", None], bundles)["error"]
    assert (error["title"], error["cause"], error["params"]) == ("This text can't be read.", "It is no text.", {"position": 2})


def test_an_unreadable_picture_is_an_error_with_its_position(bundle: Path, files: list[str]) -> None:
    Path(files[1]).write_bytes(b"GIF89a")
    error = asked(bundle, files)["error"]
    assert error["title"] == "This picture can't be read." and error["params"]["position"] == 2
    assert error["cause"] == "It is no JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC picture."


def test_a_damaged_bundle_is_an_error(bundle: Path, files: list[str], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
    (copy / "bundle.json").write_text("{", encoding="utf-8")
    error = asked(copy, files)["error"]
    assert error["title"] == "This model can't be loaded."
    assert (error["cause"], error["params"]) == ("{name} is damaged.", {"name": "bundle.json"})
    assert asked(tmp_path / "none", files)["error"]["title"] == "This model is not here."


def test_a_request_that_makes_no_sense_is_answered_too() -> None:
    assert answer(Bundles(), {"id": 3})["error"]["title"] == "The prediction failed."


def test_a_bundle_is_read_once_until_it_changes(bundle: Path, tmp_path: Path) -> None:
    copy, bundles = Path(shutil.copytree(bundle, tmp_path / "copy")), Bundles()
    first = bundles.get(copy)
    assert bundles.get(copy) is first
    write_to(copy, trained(), labels=("w", "x", "y", "z"))
    os.utime(copy / "bundle.json", ns=(1, 1))
    assert bundles.get(copy).labels == ("w", "x", "y", "z")


def test_only_the_last_few_bundles_stay_in_memory(bundle: Path, tmp_path: Path) -> None:
    bundles, copies = Bundles(most=2), [Path(shutil.copytree(bundle, tmp_path / str(i))) for i in range(3)]
    first, second, third = (bundles.get(copy) for copy in copies)
    assert bundles.get(copies[2]) is third and bundles.get(copies[1]) is second
    assert bundles.get(copies[0]) is not first


def test_the_process_speaks_json_lines_and_ends_with_its_input(bundle: Path, files: list[str], root: Path) -> None:
    lines = "".join(json.dumps({"id": i, "op": "predict", "bundle": str(bundle), "items": files}) + "\n" for i in (1, 2))
    run = subprocess.run([sys.executable, "-m", "core.bundle.predictor"], cwd=root, input=lines, capture_output=True, text=True,
                         timeout=240)
    ready, *answers = map(json.loads, run.stdout.splitlines())
    assert run.returncode == 0 and ready == {"ready": True}
    assert [said["id"] for said in answers] == [1, 2] and answers[0]["probabilities"] == answers[1]["probabilities"]
