"""What was downloaded works on a machine that has never heard of Graft, and says the same."""
from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from importlib.metadata import distribution, packages_distributions
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from core.bundle import predict
from core.bundle.kinds import KINDS
from core.bundle.reading import batch_of, open_tokenizer, read
from core.bundle.write import zip_bundle
from core.models.blocks import State
from tests.core.bundle.insects import LABELS, PREPROCESS, encoded, photo
from tests.core.bundle.messages import MESSAGES, made

ALONE = """
import runpy, sys
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder
known = {"__main__", "__mp_main__", *sys.argv[1].split(","), *sys.stdlib_module_names}

def allowed(name):
    top = name.partition(".")[0]
    return top in known or top.startswith("_sysconfigdata")  # of Python itself, named for the machine

class Allowed:
    find_distributions = PathFinder.find_distributions

    @staticmethod
    def find_spec(name, path=None, target=None):
        return PathFinder.find_spec(name, path, target) if allowed(name) else None

for name in [name for name in sys.modules if not allowed(name)]:
    del sys.modules[name]
sys.meta_path[:] = [BuiltinImporter, FrozenImporter, Allowed]
for name in ("core", "streamlit", "pandas", "sklearn"):
    try:
        __import__(name)
    except ModuleNotFoundError:
        continue
    raise SystemExit(name + " could be imported: this test would prove nothing")
del sys.argv[:2]
sys.argv.insert(0, "predict.py")
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def needed(libraries: Sequence[str]) -> set[str]:
    """Import names of the libraries and of all that they require, extras left out."""
    def plain(name: str) -> str:
        return re.sub(r"[-_.]+", "-", name).lower()

    waiting, found = list(libraries), set()
    while waiting:
        name = plain(waiting.pop())
        if name in found:
            continue
        try:
            wanted = distribution(name).requires or []
        except ModuleNotFoundError:
            continue  # required on other systems only
        found.add(name)
        waiting += [re.match(r"[\w.-]+", line)[0] for line in wanted if "extra ==" not in line]
    return {module for module, names in packages_distributions().items() if found & {plain(name) for name in names}}


def test_the_unzipped_bundle_alone_gives_the_probabilities_of_the_app(bundle: Path, module: nn.Module, tmp_path: Path) -> None:
    home = tmp_path / "taken home"
    home.mkdir()
    with zipfile.ZipFile(zip_bundle(bundle, tmp_path / "bundle.zip")) as archive:
        archive.extractall(home)
    pictures = {"a photo.jpg": encoded(photo(1, (900, 700)), "JPEG"), "猫.png": encoded(photo(2).convert("RGBA"), "PNG"),
                "wide.gif": encoded(photo(3, (300, 40)).quantize(), "GIF")}
    for name, data in pictures.items():
        (home / name).write_bytes(data)
    said = ran_alone(home, KINDS["image"].libraries, *pictures)
    here = torch.stack([in_app(module, data) for data in pictures.values()])
    there = torch.tensor([answer["probabilities"] for answer in said["predictions"]])
    assert here.std(0).max() > 0.1, "the same answer to every picture would prove little"
    assert (here - there).abs().max() <= 1e-5
    assert [answer["file"] for answer in said["predictions"]] == list(pictures) and tuple(said["labels"]) == LABELS


def ran_alone(home: Path, libraries: Sequence[str], *arguments: str) -> dict[str, Any]:
    """What the program in `home` prints as JSON where nothing but these libraries can be imported."""
    run = subprocess.run([sys.executable, "-I", "-X", "utf8", "-c", ALONE, ",".join(sorted(needed(libraries))), *arguments, "--json"], cwd=home,
                         capture_output=True, encoding="utf-8", timeout=240)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.parametrize("key", ["words", "bert"])
def test_what_reads_texts_needs_no_more_than_its_readme_says(key: str, tmp_path: Path) -> None:
    """Networks of word vectors do without transformers, which could not be imported here."""
    network, home = made(key, tmp_path), tmp_path / "taken home"
    home.mkdir()
    with zipfile.ZipFile(zip_bundle(network.write(tmp_path / "best"), tmp_path / "bundle.zip")) as archive:
        archive.extractall(home)
    texts = [text for text in MESSAGES if not text.startswith("-")]
    said = ran_alone(home, KINDS["text"].installs(network.architecture), *texts)
    rows = read(open_tokenizer(network.preprocess.tokenizer), texts, network.preprocess)
    with torch.inference_mode():
        here = torch.cat([network.network.run(State(*batch_of([row]))).x.softmax(1) for row in rows])
    there = torch.tensor([answer["probabilities"] for answer in said["predictions"]])
    assert (here - there).abs().max() <= 1e-5 and [answer["text"] for answer in said["predictions"]] == texts


def in_app(module: nn.Module, data: bytes) -> torch.Tensor:
    """As training and evaluation see it: from the stored square of the picture, by the network in memory."""
    square = predict.square(predict.open_picture(data, PREPROCESS.resize_size), PREPROCESS)
    with torch.inference_mode():
        return module(predict.normalise(predict.centre(square[None], PREPROCESS), PREPROCESS)).softmax(1)[0]


def test_without_torch_it_says_what_to_install(bundle: Path) -> None:
    code = "import sys, runpy; sys.modules['torch'] = None; sys.argv = ['predict.py', 'x.jpg']; runpy.run_path(%r, run_name='__main__')"
    run = subprocess.run([sys.executable, "-I", "-c", code % str(bundle / "predict.py")], capture_output=True, text=True, timeout=60)
    assert run.returncode == 1 and "Traceback" not in run.stderr
    assert "import of torch halted" in run.stderr and "pip install torch torchvision pillow safetensors" in run.stderr


def picture(folder: Path, name: str = "photo.png") -> str:
    (folder / name).write_bytes(encoded(photo(1), "PNG"))
    return str(folder / name)


def test_it_prints_the_most_likely_labels_first(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = picture(tmp_path)
    assert predict.main([file, "--top", "2", "--model", str(bundle)]) == 0
    title, first, second = capsys.readouterr().out.splitlines()
    row = predict.predict(predict.load(bundle), [file])[0]
    ranked = sorted(zip(row, LABELS), reverse=True)
    assert title == file
    assert ranked[0][1] in first and f"{ranked[0][0]:.1%}" in first and ranked[1][1] in second
    assert first.count("#") == round(30 * ranked[0][0])


def test_one_bad_picture_does_not_spoil_the_others(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    files = [str(tmp_path / "bad.jpg"), picture(tmp_path), str(tmp_path / "none.jpg")]
    assert predict.main([*files, "--json", "--model", str(bundle)]) == 1
    bad, good, none = json.loads(capsys.readouterr().out)["predictions"]
    assert "It is no JPEG" in bad["error"] and none["error"] == "There is no such file."
    assert good["label"] == LABELS[max(range(4), key=good["probabilities"].__getitem__)]
    assert predict.main([files[0], "--model", str(bundle)]) == 1
    assert "can't be read: It is no JPEG" in capsys.readouterr().out


def test_a_folder_without_a_model_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert predict.main([picture(tmp_path), "--model", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "The model can't be loaded. bundle.json is missing.\n"


def test_names_can_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    predict._show({"file": "\x1b[2Jx.png", "probabilities": [0.9, 0.1]}, {"labels": ["a\x1b]0;b", "猫"]}, 2)
    out = capsys.readouterr().out
    assert "\x1b" not in out and out.splitlines()[0] == "?[2Jx.png"


def test_many_pictures_are_answered_one_by_one_in_order(bundle: Path) -> None:
    model, pictures = predict.load(bundle), [photo(i) for i in range(2 * predict.BATCH + 1)]
    together = torch.tensor(predict.predict(model, pictures))
    alone = torch.tensor([predict.predict(model, [image])[0] for image in pictures])
    assert together.shape == (len(pictures), len(LABELS))
    assert (together - alone).abs().max() < 1e-5
    torch.testing.assert_close(together.sum(1), torch.ones(len(pictures)))
    assert predict.predict(model, []) == []
