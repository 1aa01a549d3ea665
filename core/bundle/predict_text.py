"""Predict the labels of texts with the network in this folder.

    python predict.py "a text" "another text" [--file texts.txt] [--top 3] [--json]

Needs Python 3.10 or newer, torch, tokenizers and safetensors, and where README.md says so transformers; nothing is fetched from a network.
`--file` names a UTF-8 file with a text on each line. From Python:

    import predict
    model = predict.load("folder of the bundle")
    probabilities = predict.predict(model, ["a text"])      # one list a text, in the order of model.labels

Reading is part of the network: every text is cut into tokens and shortened exactly as it was in training.
"""
from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

try:
    import safetensors  # noqa: F401  (the weights are read with it)
    import torch
    from tokenizers import Tokenizer
    from torch import Tensor, nn
except ImportError as missing:
    if __name__ != "__main__":
        raise
    sys.exit(f"This can't start: {missing}. Install what it needs:  pip install torch tokenizers safetensors")

from core.bundle.answers import ACTIVATIONS, answer_lines, answer_of, printable  # replaced by its source in a bundle
from core.bundle.reading import batch_of, open_tokenizer, read  # replaced by its source in a bundle
from core.bundle.unpack import BundleError, Refusal, described, restored  # replaced by its source in a bundle
from core.models.texts.architecture import logits_of, rebuild  # replaced by its source in a bundle
from core.models.words.architecture import rebuild_words  # replaced by its source in a bundle

BATCH_TEXTS = 16
BATCH_TOKENS = 8192
"""So much is read at once, padding included."""
SHOWN_CHARACTERS = 70


class TextError(Refusal):
    """A text that can't be used."""


@dataclass(frozen=True)
class Model:
    """A network in eval mode with all that is needed to ask it. `about` is the whole of bundle.json."""
    module: nn.Module
    tokenizer: Tokenizer
    labels: tuple[str, ...]
    preprocess: Mapping[str, Any]
    activation: str
    about: Mapping[str, Any]

    @property
    def window(self) -> int:
        """Tokens that are read together, where a text is read window by window; else 0."""
        return self.preprocess["max_tokens"] if self.preprocess["long_texts"] == "windows" else 0


def _ask_words(module: nn.Module, ids: Tensor, lengths: Tensor, window: int) -> Tensor:
    return module(ids, lengths)


def _ask_transformer(module: nn.Module, ids: Tensor, lengths: Tensor, window: int) -> Tensor:
    mask = torch.arange(ids.shape[1], device=ids.device)[None] < lengths[:, None]
    return logits_of(module, ids, mask.long(), window)


NETWORKS: dict[str, tuple[Callable[[dict[str, Any]], nn.Module], Callable[[nn.Module, Tensor, Tensor, int], Tensor]]] = {
    "words": (rebuild_words, _ask_words), "transformers": (rebuild, _ask_transformer)}
"""By builder: what makes the network, and what asks it about token ids (B, L) of `lengths` (B,) tokens."""


def load(folder: str | Path) -> Model:
    """The network of an unpacked bundle. Raises `BundleError` when something is missing, broken or made by a newer version."""
    folder = Path(folder)
    about = described(folder)
    tokenizer = _tokenizer(folder / "tokenizer.json")
    try:
        labels, preprocess, activation = tuple(about["labels"]), about["preprocess"], about["activation"]
        make, _ = NETWORKS[about["architecture"]["builder"]]
        ACTIVATIONS[activation], read(tokenizer, ["a"], preprocess)
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError("{name} is damaged.", name="bundle.json") from error
    return Model(restored(folder, about, make), tokenizer, labels, preprocess, activation, about)


def _tokenizer(path: Path) -> Tokenizer:
    if not path.is_file():
        raise BundleError("{name} is missing.", name=path.name)
    try:
        return open_tokenizer(str(path))
    except Exception as error:  # the library raises bare `Exception` for whatever is wrong with a file
        raise BundleError("{name} is damaged.", name=path.name) from error


def score(model: Model, rows: Sequence[Sequence[int]]) -> list[list[float]]:
    """One list of probabilities a row of token ids. Rows of like length are read together."""
    ask, found = NETWORKS[model.about["architecture"]["builder"]][1], [[0.0]] * len(rows)
    with torch.inference_mode():
        for batch in _batches(rows):
            ids, lengths = batch_of([rows[i] for i in batch])
            logits = ask(model.module, ids, lengths, model.window).float()
            for i, row in zip(batch, ACTIVATIONS[model.activation](logits).tolist()):
                found[i] = row
    return found


def _batches(rows: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Places of the rows, shortest first, in groups that are not too large to be read at once."""
    batch: list[int] = []
    for i in sorted(range(len(rows)), key=lambda i: len(rows[i])):
        if batch and (len(batch) == BATCH_TEXTS or (len(batch) + 1) * len(rows[i]) > BATCH_TOKENS):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def predict(model: Model, texts: Iterable[str]) -> list[list[float]]:
    """One list of probabilities a text, in the order of `model.labels`. Whatever is a text gets an answer: empty ones too, and of very
    long ones as much is read as in training. Raises `TextError` for what is no text."""
    texts = list(texts)
    if any(not isinstance(text, str) for text in texts):
        raise TextError("It is no text.")
    return score(model, read(model.tokenizer, texts, model.preprocess))


# ---- the command line ----

def main(arguments: Sequence[str] | None = None) -> int:
    """Print the labels of the texts; 0 when that was done, 1 when a file could not be read, 2 when the bundle can't be used."""
    parser = argparse.ArgumentParser(description="Predict the labels of texts.")
    parser.add_argument("texts", nargs="*", metavar="TEXT")
    parser.add_argument("--file", metavar="FILE", help="a UTF-8 file with a text on each line")
    parser.add_argument("--top", type=int, default=3, metavar="N", help="how many labels to show, most likely first (3)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    parser.add_argument("--model", default=str(Path(__file__).resolve().parent), metavar="FOLDER", help="the bundle (this folder)")
    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a console may lack the letters of a label
    try:
        texts = options.texts + (lines_of(Path(options.file)) if options.file else [])
    except (TextError, OSError) as error:
        print(f"{options.file} can't be read: {error}", file=sys.stderr)
        return 1
    if not texts:
        parser.error("give a text, or --file with texts")
    try:
        model = load(options.model)
    except (BundleError, OSError) as error:
        print(f"The model can't be loaded. {error}", file=sys.stderr)
        return 2
    answers = [{"text": text, **answer_of(row, model.about)} for text, row in zip(texts, predict(model, texts))]
    if options.json:
        print(json.dumps({"labels": model.labels, "predictions": answers}))
    else:
        for answer in answers:
            _show(answer, model.about, options.top)
    return 0


def lines_of(path: Path) -> list[str]:
    """The lines of a UTF-8 file that are not blank. Raises `TextError` and `OSError`."""
    try:
        return [line for line in path.read_text(encoding="utf-8-sig").split("\n") if line.strip()]
    except UnicodeDecodeError as error:
        raise TextError("It is not in UTF-8. Save it as UTF-8 and try again.") from error


def _show(answer: Mapping[str, Any], about: Mapping[str, Any], top: int) -> None:
    text = " ".join(answer["text"][:10 * SHOWN_CHARACTERS].split())
    print(printable(text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS - 1]}…"))
    print("\n".join(answer_lines(answer, about, top)))


if __name__ == "__main__":
    sys.exit(main())
