"""Small real files of word vectors, written byte by byte as GloVe, word2vec and fastText write them."""
from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np

Vectors = Mapping[str, Sequence[float]]
SHORTEST, LONGEST, BUCKETS = 2, 3, 7


def some(words: Sequence[str], dims: int = 4) -> dict[str, list[float]]:
    """Vectors with few digits, which text and float16 keep exactly."""
    numbers = np.random.default_rng(0).integers(-64, 64, (len(words), dims)) / 32
    return {word: row.tolist() for word, row in zip(words, numbers)}


def glove(vectors: Vectors) -> bytes:
    return "".join(f"{word} {' '.join(map(str, row))}\n" for word, row in vectors.items()).encode()


def vec(vectors: Vectors, count: int | None = None) -> bytes:
    """Text with a header, as word2vec and fastText write it: a space at the end of each line."""
    dims = len(next(iter(vectors.values())))
    return f"{len(vectors) if count is None else count} {dims}\n".encode() + glove(vectors).replace(b"\n", b" \n")


def word2vec(vectors: Vectors, count: int | None = None, line_end: bytes = b"\n") -> bytes:
    dims = len(next(iter(vectors.values())))
    rows = b"".join(word.encode() + b" " + np.array(row, "<f4").tobytes() + line_end for word, row in vectors.items())
    return f"{len(vectors) if count is None else count} {dims}\n".encode() + rows


def fasttext(rows: Vectors, buckets: np.ndarray, *, labels: Sequence[str] = (), version: int = 12, model: int = 2, longest: int = LONGEST,
             quantised: bool = False, kept: int = -1, dims: int | None = None, n_words: int | None = None) -> bytes:
    """A model as fastText saves it. `rows`: the row of each word itself; `buckets` (B, D): those of the pieces."""
    own = np.array(list(rows.values()), "<f4")
    n, d = len(rows) if n_words is None else n_words, own.shape[1] if dims is None else dims
    matrix = np.concatenate([own, buckets.astype("<f4")])
    entries = b"".join(name.encode() + b"\0" + struct.pack("<qb", 5, kind)
                       for kind, names in enumerate((rows, labels)) for name in names)
    args = struct.pack("<12id", d, 5, 5, 1, 5, 1, 2, model, len(buckets), SHORTEST, longest, 100, 1e-4)
    return (struct.pack("<2i", 793712314, version) + args
            + struct.pack("<3i2q", n + len(labels), n, len(labels), 1000, kept) + entries
            + struct.pack("<?2q", quantised, *matrix.shape) + matrix.tobytes() + struct.pack("<?2q", False, 0, d))
