"""Make a set of word vectors out of a sentence encoder, in minutes on a processor.

    python tools/distill_words.py [ENCODER] [--out assets/weights/graft-words] [--dims 256] [--damping 0.01]

In the manner of Model2Vec (Tulkens and van Dongen 2024, https://github.com/MinishLab/model2vec): each token of the vocabulary goes through
the whole encoder as a sentence of its own; the principal components of what comes out are kept, each row is brought to length 1 and then
weighted by how rare its token is (smooth inverse frequency: Arora, Liang and Ma 2017, https://openreview.net/forum?id=SyK00v5xx). A text is
then the mean of the rows of its tokens.

ENCODER is a BERT with a WordPiece vocabulary: a folder, or a name in the cache of the Hugging Face hub.
"""
from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer

from core.models.words.vectors import BUILT_IN, write_vectors

Array = npt.NDArray[np.float64]

SOURCE = "sentence-transformers/all-MiniLM-L6-v2"
LICENCE = "Apache-2.0"
PAD, UNKNOWN = "[PAD]", "[UNK]"
DIMS = 256
DAMPING = 0.01
"""`a` of the weight a / (a + p) of a token with the share p in running text: a token with p = a counts half."""
BATCH = 256
FREQUENT = {",": 2, ".": 3, "a": 6, "i": 12, "'": 15, '"': 15, "-": 15, "s": 20, "(": 40, ")": 40, ":": 60, "t": 80, "?": 100, "!": 150,
            "/": 200, ";": 200, "$": 300, "&": 400}
"""Ranks of single characters in running English, estimated: a WordPiece vocabulary lists them by code point, not by frequency."""


def kept_tokens(vocabulary: dict[str, int]) -> list[str]:
    """The tokens of the set: padding, the unknown token, then those that text can contain, in the encoder's order."""
    def in_text(token: str) -> bool:
        return not (token.startswith("[") and token.endswith("]") and len(token) > 2)
    return [PAD, UNKNOWN, *filter(in_text, sorted(vocabulary, key=vocabulary.__getitem__))]


def without_frame(backend: Tokenizer, tokens: list[str]) -> Tokenizer:
    """The encoder's tokenizer with `tokens` numbered from 0; it puts nothing around a text, pads to nothing and cuts nothing off."""
    described = json.loads(backend.to_str())
    described["model"]["vocab"] = {token: i for i, token in enumerate(tokens)}
    described["added_tokens"] = [entry | {"id": tokens.index(entry["content"])} for entry in described["added_tokens"]
                                 if entry["content"] in (PAD, UNKNOWN)]
    described |= {"post_processor": None, "padding": None, "truncation": None}
    return Tokenizer.from_str(json.dumps(described))


def encode(model: nn.Module, ids: Tensor, before: int, after: int) -> Array:
    """Outputs (V, H) of the encoder for [before, id, after], averaged over the three, for each of `ids` (V,)."""
    parts = []
    with torch.inference_mode():
        for part in ids.split(BATCH):
            framed = torch.stack([torch.full_like(part, before), part, torch.full_like(part, after)], dim=1)  # (B, 3)
            parts.append(model(input_ids=framed, attention_mask=torch.ones_like(framed)).last_hidden_state.mean(dim=1))
    return torch.cat(parts).double().numpy()


def principal(vectors: Array, dims: int) -> tuple[Array, float]:
    """`vectors` (V, H) along their first principal components, (V, dims), and the share of the variance that these hold.

    A component's sign is that of its largest part, so that it does not hang on the library that computes it.
    """
    centred = vectors - vectors.mean(axis=0)
    variances, components = np.linalg.eigh(centred.T @ centred)  # ascending
    variances, components = variances[::-1], components[:, ::-1][:, :dims]
    components = components * np.sign(components[np.abs(components).argmax(axis=0), np.arange(components.shape[1])])
    return centred @ components, float(variances[:dims].sum() / variances.sum())


def shares(tokens: list[str]) -> Array:
    """The share (V,) of each token in running text by Zipf's law, 1/rank, the rank being the place in the vocabulary: WordPiece's words
    stand there in order of frequency. Characters have places of their own (`FREQUENT`), those that English hardly uses the last."""
    ranks, words = np.full(len(tokens), float(len(tokens))), 0
    for i, token in enumerate(tokens):
        if len(token) > 1 and not token.startswith("["):
            words += 1
            ranks[i] = words
        elif token in FREQUENT:
            ranks[i] = min(FREQUENT[token], len(tokens))
    return 1 / ranks / np.sum(1 / ranks)


def distill(encoded: Array, tokens: list[str], dims: int, damping: float) -> tuple[Array, float]:
    """The set's vectors (V, dims) and the share of the variance that they hold. Padding and the unknown token are 0: nothing is known."""
    known = np.array([token not in (PAD, UNKNOWN) for token in tokens])
    reduced, explained = principal(encoded[known], dims)
    vectors = np.zeros((len(tokens), reduced.shape[1]))
    vectors[known] = reduced / np.linalg.norm(reduced, axis=1, keepdims=True)
    return vectors * (damping / (damping + shares(tokens)))[:, None], explained


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make word vectors out of a sentence encoder.")
    parser.add_argument("encoder", nargs="?", default=SOURCE, help="a folder, or a name in the hub's cache (default: %(default)s)")
    parser.add_argument("--licence", help="of the encoder, for the metadata")
    parser.add_argument("--out", type=Path, default=BUILT_IN, help="the two files without their endings (default: %(default)s)")
    parser.add_argument("--dims", type=int, default=DIMS)
    parser.add_argument("--damping", type=float, default=DAMPING, help="a token with this share of running text counts half")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> None:
    args, started = arguments(words), time.monotonic()
    backend = AutoTokenizer.from_pretrained(args.encoder).backend_tokenizer
    vocabulary = backend.get_vocab()
    tokens = kept_tokens(vocabulary)
    model = AutoModel.from_pretrained(args.encoder, dtype=torch.float32).eval()
    ids = torch.tensor([vocabulary[token] for token in tokens])
    encoded = encode(model, ids, vocabulary["[CLS]"], vocabulary["[SEP]"])
    vectors, explained = distill(encoded, tokens, args.dims, args.damping)
    licence = args.licence or (LICENCE if args.encoder == SOURCE else "unknown")
    write_vectors(args.out, vectors, without_frame(backend, tokens), {
        "source": args.encoder, "licence": licence, "method": "Model2Vec: tokens through the encoder, principal components, frequency",
        "dims": vectors.shape[1], "explained_variance": round(explained, 4), "weighting": f"rows of length 1, times a / (a + p), a = {args.damping}",
    })
    print(f"{len(tokens)} tokens, {vectors.shape[1]} dims with {explained:.1%} of the variance, {time.monotonic() - started:.0f} s: {args.out}")


if __name__ == "__main__":
    main()
