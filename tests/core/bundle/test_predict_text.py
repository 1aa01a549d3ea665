"""What a bundle that reads texts answers: as the network in memory, whatever the text is."""
from __future__ import annotations

import json
import random
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.bundle import predict_text
from core.bundle.kinds import KINDS, kind_in
from core.bundle.load import load_bundle
from core.bundle.reading import batch_of, open_tokenizer, read
from core.bundle.write import parity, zip_bundle
from core.errors import ModelError
from core.models.blocks import State
from tests.core.bundle.messages import ARCHITECTURES, LABELS, LONG, MESSAGES, Made, made

KEYS = list(ARCHITECTURES)


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    folder = tmp_path_factory.mktemp("tokenizers")
    return {key: made(key, folder) for key in KEYS}


@pytest.fixture(scope="module")
def bundles(networks: dict[str, Made], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """To be read only."""
    return {key: network.write(tmp_path_factory.mktemp("bundles") / key) for key, network in networks.items()}


def in_memory(network: Made, texts: list[str]) -> torch.Tensor:
    """As training and evaluation see it: read from the run's own tokenizer, through the blocks, each text alone."""
    rows = read(open_tokenizer(network.preprocess.tokenizer), texts, network.preprocess)
    with torch.inference_mode():
        return torch.cat([network.network.run(State(*batch_of([row]), network.preprocess.window)).x.softmax(1) for row in rows])


@pytest.mark.parametrize("long_texts", ["start", "ends", "windows"])
@pytest.mark.parametrize("key", KEYS)
def test_the_bundle_answers_as_the_network_in_memory(networks: dict[str, Made], tmp_path: Path, key: str, long_texts: str) -> None:
    if ARCHITECTURES[key]["builder"] == "words" and long_texts == "windows":
        pytest.skip("networks of word vectors read no windows")
    network, texts = networks[key].reads(long_texts=long_texts), [*MESSAGES, LONG, LONG[::-1], LONG[:150]]
    here = in_memory(network, texts)
    there = torch.tensor(predict_text.predict(predict_text.load(network.write(tmp_path / "best")), texts))
    assert here.std(0).max() > 0.02, "the same answer to every text would prove little"
    assert (here - there).abs().max() <= 1e-5


@pytest.mark.parametrize("key", KEYS)
def test_parity_is_measured_for_texts_too(networks: dict[str, Made], bundles: dict[str, Path], key: str) -> None:
    assert parity(bundles[key], networks[key].network, [*MESSAGES, LONG]) <= 1e-6


def test_parity_sees_a_network_that_changed(bundles: dict[str, Path], tmp_path: Path) -> None:
    other = made("bert", tmp_path).network.train()
    with torch.no_grad():
        other.model.classifier.bias[0] += 0.5
    assert parity(bundles["bert"], other, MESSAGES) > 1e-3
    assert other.model.training


def test_folder_and_zip_give_the_same_model_and_the_app_knows_its_kind(bundles: dict[str, Path], tmp_path: Path) -> None:
    for key in ("bert", "words"):
        folder, zipped = load_bundle(bundles[key]), load_bundle(zip_bundle(bundles[key], tmp_path / f"{key}.zip"))
        assert folder.kind is zipped.kind is KINDS["text"] and folder.labels == LABELS
        assert folder.predict(MESSAGES) == zipped.predict(MESSAGES) == predict_text.predict(predict_text.load(bundles[key]), MESSAGES)


def test_a_bundle_holds_exactly_its_files(bundles: dict[str, Path]) -> None:
    common = {"README.md", "LICENSE.txt", "bundle.json", "model.safetensors", "predict.py", "tokenizer.json"}
    for key, more in (("bert", {"config.json", "tokenizer_config.json"}), ("mean of bert", set()), ("words", set())):
        names = {path.name for path in bundles[key].iterdir()}
        assert names == common | more == set(kind_in(bundles[key])[0].files(bundles[key]))


def test_the_same_bundle_is_the_same_zip(networks: dict[str, Made], bundles: dict[str, Path], tmp_path: Path) -> None:
    first = zip_bundle(bundles["bert"], tmp_path / "1.zip")
    second = zip_bundle(networks["bert"].write(tmp_path / "again"), tmp_path / "2.zip")
    assert first.read_bytes() == second.read_bytes()
    assert set(zipfile.ZipFile(first).namelist()) == {path.name for path in bundles["bert"].iterdir()}


def test_the_tokenizer_neither_cuts_nor_pads_and_no_path_travels(networks: dict[str, Made], bundles: dict[str, Path]) -> None:
    saved = json.loads((bundles["bert"] / "tokenizer.json").read_text(encoding="utf-8"))
    assert saved["truncation"] is None and saved["padding"] is None
    text = (bundles["bert"] / "bundle.json").read_text(encoding="utf-8")
    assert json.loads(text)["preprocess"]["tokenizer"] == "tokenizer.json" and str(Path(networks["bert"].preprocess.tokenizer).parent) not in text


@pytest.mark.parametrize("key", ["bert", "gpt2", "words"])
def test_whatever_is_a_text_gets_an_answer(bundles: dict[str, Path], key: str) -> None:
    odd = ["", " ", "\n\t", "\x00", "\ud800", "a\udfffb", "\U0001F408\u200d\u2b1b", "e\u0301" * 50, "\u202egnp.exe", "\ufeff", "[SEP] [CLS]",
           "\u0e33" * 300, "a" * 100_000]
    model = predict_text.load(bundles[key])
    for text, row in zip(odd, predict_text.predict(model, odd)):
        assert sum(row) == pytest.approx(1, abs=1e-5) and min(row) >= 0, repr(text[:20])


def test_a_megabyte_of_text_is_read_as_far_as_it_counts(bundles: dict[str, Path]) -> None:
    model = predict_text.load(bundles["bert"])
    start = "the cat sat on the mat. " * 40
    assert predict_text.predict(model, [start * 1200]) == predict_text.predict(model, [start])


@pytest.mark.parametrize("thing", [None, 3, b"bytes"])
def test_what_is_no_text_is_refused(bundles: dict[str, Path], thing: object) -> None:
    with pytest.raises(predict_text.TextError, match="It is no text"):
        predict_text.predict(predict_text.load(bundles["words"]), ["a", thing])


@pytest.mark.parametrize("key", ["roberta", "gpt2", "words and LSTM"])
def test_many_texts_are_answered_in_order_as_each_alone(bundles: dict[str, Path], key: str) -> None:
    pick, model = random.Random(1), predict_text.load(bundles[key])
    texts = [" ".join(pick.choices("the cat sat buy good 猫 ! zebra".split(), k=pick.randrange(40))) for _ in range(70)]
    together = torch.tensor(predict_text.predict(model, texts))
    alone = torch.tensor([predict_text.predict(model, [text])[0] for text in texts])
    assert (together - alone).abs().max() < 1e-5
    assert predict_text.predict(model, []) == []


def test_a_batch_is_never_larger_than_what_is_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict_text, "BATCH_TOKENS", 100)
    rows = [[1] * n for n in (90, 3, 300, 4, 30, 30, 30, 30, *[2] * 40)]
    batches = list(predict_text._batches(rows))
    assert sorted(i for batch in batches for i in batch) == list(range(len(rows)))
    for batch in batches:
        longest = max(len(rows[i]) for i in batch)
        assert len(batch) <= predict_text.BATCH_TEXTS and (len(batch) == 1 or len(batch) * longest <= 100)


# ---- bundles that can't be ----

def broken(bundle: Path, folder: Path, /, **changed: bytes | None) -> Path:
    copy = Path(shutil.copytree(bundle, folder / "copy"))
    for stem, data in changed.items():
        path = next(path for path in copy.iterdir() if path.stem == stem)
        path.write_bytes(data) if data is not None else path.unlink()
    return copy


def about(bundle: Path, /, **changes: object) -> bytes:
    return json.dumps({**json.loads((bundle / "bundle.json").read_text(encoding="utf-8")), **changes}).encode()


def test_a_tokenizer_that_is_missing_or_damaged_is_named(bundles: dict[str, Path], tmp_path: Path) -> None:
    for data, said in ((None, "tokenizer.json is missing"), (b"{", "tokenizer.json is damaged"), (b"{}", "tokenizer.json is damaged")):
        with pytest.raises(ModelError, match=said):
            load_bundle(broken(bundles["bert"], tmp_path / said.replace(" ", "") / str(data), tokenizer=data))


def test_a_zip_without_its_tokenizer_is_explained(bundles: dict[str, Path], tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for name in ("bundle.json", "model.safetensors"):
            archive.write(bundles["words"] / name, name)
    with pytest.raises(ModelError, match="tokenizer.json is missing"):
        load_bundle(tmp_path / "x.zip")


@pytest.mark.parametrize("changes, said", [
    ({"format": 99}, "format 99"), ({"task": "smell"}, "bundle.json is damaged"), ({"task": ["text"]}, "bundle.json is damaged"),
    ({"activation": "eval"}, "bundle.json is damaged"), ({"preprocess": {}}, "bundle.json is damaged"),
    ({"architecture": {"builder": "os.system"}}, "bundle.json is damaged"), ({"architecture": {}}, "bundle.json is damaged"),
    ({"architecture": {**ARCHITECTURES["bert"], "config": {"model_type": "none"}}}, "bundle.json is damaged"),
    ({"architecture": {**ARCHITECTURES["bert"], "config": {**ARCHITECTURES["bert"]["config"], "attn_implementation": "evil/kernel"}}},
     "bundle.json is damaged"),
    ({"architecture": ARCHITECTURES["roberta"]}, "weights do not fit"), ({"architecture": ARCHITECTURES["words"]}, "weights do not fit"),
])
def test_a_bundle_that_can_not_be_is_explained(bundles: dict[str, Path], tmp_path: Path, changes: dict, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        load_bundle(broken(bundles["bert"], tmp_path, bundle=about(bundles["bert"], **changes)))


def test_weights_of_another_size_are_explained(bundles: dict[str, Path], tmp_path: Path) -> None:
    copy = broken(bundles["bert"], tmp_path)
    state = load_file(copy / "model.safetensors")
    save_file(state | {"classifier.bias": torch.zeros(9)}, copy / "model.safetensors")
    with pytest.raises(ModelError, match="weights do not fit"):
        load_bundle(copy)


# ---- the command line ----

def test_it_prints_the_most_likely_labels_first(bundles: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert predict_text.main(["buy now!", "--top", "2", "--model", str(bundles["bert"])]) == 0
    title, first, second = capsys.readouterr().out.splitlines()
    row = predict_text.predict(predict_text.load(bundles["bert"]), ["buy now!"])[0]
    ranked = sorted(zip(row, LABELS), reverse=True)
    assert title == "buy now!" and ranked[0][1] in first and f"{ranked[0][0]:.1%}" in first and ranked[1][1] in second


def test_a_file_gives_a_text_a_line(bundles: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "texts.txt").write_bytes("\ufeffthe cat\r\n\r\n好\n  \nlast\u2028one".encode())
    assert predict_text.main(["first", "--file", str(tmp_path / "texts.txt"), "--json", "--model", str(bundles["words"])]) == 0
    said = json.loads(capsys.readouterr().out)
    texts = [answer["text"] for answer in said["predictions"]]
    assert [text.strip() for text in texts] == ["first", "the cat", "好", "last\u2028one"] and said["labels"] == list(LABELS)
    expected = predict_text.predict(predict_text.load(bundles["words"]), texts)
    assert [answer["probabilities"] for answer in said["predictions"]] == expected
    assert all(answer["label"] == LABELS[max(range(3), key=answer["probabilities"].__getitem__)] for answer in said["predictions"])


def test_a_file_that_is_no_text_and_a_folder_without_a_model_are_explained(bundles: dict[str, Path], tmp_path: Path,
                                                                            capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "gbk.txt").write_bytes("好书".encode("gbk"))
    assert predict_text.main(["--file", str(tmp_path / "gbk.txt"), "--model", str(bundles["words"])]) == 1
    assert "It is not in UTF-8" in capsys.readouterr().err
    assert predict_text.main(["--file", str(tmp_path / "none.txt"), "--model", str(bundles["words"])]) == 1
    assert "none.txt" in capsys.readouterr().err
    assert predict_text.main(["a", "--model", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "The model can't be loaded. bundle.json is missing.\n"
    with pytest.raises(SystemExit, match="2"):
        predict_text.main(["--model", str(bundles["words"])])


def test_texts_can_not_steer_the_terminal_and_long_ones_are_shortened(bundles: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert predict_text.main(["\x1b[2J" + "x " * 500, "--model", str(bundles["words"])]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out and len(out.splitlines()[0]) == predict_text.SHOWN_CHARACTERS


# ---- words ----

def test_the_readme_says_how_to_run_it_and_what_pip_installs(networks: dict[str, Made], bundles: dict[str, Path], tmp_path: Path) -> None:
    bert, words = ((bundles[key] / "README.md").read_text(encoding="utf-8") for key in ("bert", "words"))
    assert "pip install torch tokenizers safetensors transformers\npython predict.py \"a text\"" in bert
    assert "pip install torch tokenizers safetensors\npython" in words
    for text in (bert, words):
        assert "reads a text and says which of 3 labels" in text and "at most 24 tokens" in text and "picture" not in text
        assert "2. b\\*e\\|e\n3. 好评\n" in text and "# Messages \\<b\\>\n" in text
    assert "pipeline(\"text-classification\"" in bert and "reads the start alone" not in bert and "can't open this folder by itself" in words
    ends = networks["bert"].reads(long_texts="ends").write(tmp_path / "ends") / "README.md"
    assert "more than 24 tokens this way reads the start alone" in ends.read_text(encoding="utf-8")


def test_the_licence_speaks_of_texts(bundles: dict[str, Path]) -> None:
    text = (bundles["bert"] / "LICENSE.txt").read_text(encoding="utf-8")
    assert "learned from your texts" in text and "picture" not in text
