"""Word vectors as rows of a table that is filled word by word: what counts as a word, what as a vector, and how many there may be."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from core.errors import DataError
from core.models.words.vector_stream import WORD_BYTES

Floats = npt.NDArray[np.float32]
PAD, UNKNOWN = "[PAD]", "[UNK]"
"""The first two rows of every set; their vectors are zero."""
N_SPECIAL = 2
LEAST_DIMS, MOST_DIMS = 2, 1024
MOST_SIZE = 60_000.0
"""Of a number in a vector: what float16 can hold. Real vectors stay far below; larger ones are damage."""
PATIENCE = 1000
"""Rows that can't be used are forgiven up to this number, or up to the number of those that can."""
BLOCK_ROWS = 4096
CAUSES = ("It is neither text in lines of a word and its numbers, nor one of the binary forms.",
          "None of its rows is a word with {dims} numbers behind it.", "Most of its rows are not a word with {dims} numbers behind it.",
          "Most of its words come more than once.", "Where words should stand, it has numbers.")
"""Templates of the translation catalogue: why a file is no set of word vectors."""
UNKNOWN_FORM, NO_ROW, OTHER_ROWS, REPEATED, NUMBERS = CAUSES


@dataclass(slots=True)
class Words:
    """The words that are kept, in the order of the file, and their vectors.

    `vectors` (2 + most, D) is reserved at once; memory is taken as rows come. Rows from `2 + len(words)` on are undefined.
    """
    name: str
    most: int
    dims: int
    ids: dict[str, int] = field(default_factory=lambda: {PAD: 0, UNKNOWN: 1})
    vectors: Floats = field(init=False)
    n_repeated: int = 0
    n_unusable: int = 0

    def __post_init__(self) -> None:
        check_dims(self.name, self.dims)
        self.vectors = np.empty((N_SPECIAL + self.most, self.dims), np.float32)
        self.vectors[:N_SPECIAL] = 0

    @property
    def words(self) -> list[str]:
        return list(self.ids)[N_SPECIAL:]

    @property
    def n(self) -> int:
        return len(self.ids) - N_SPECIAL

    @property
    def full(self) -> bool:
        return self.n >= self.most

    def add(self, word: bytes, vector: Floats | None) -> None:
        """Keep a word with its vector; None: the row held something else. Of a word that comes again the first vector stays."""
        if vector is None or len(vector) != self.dims or not np.abs(vector).max() <= MOST_SIZE:  # a NaN is no less either
            self.refuse()
        elif (row := self.name_row(word)) is not None:
            self.vectors[row] = vector

    def name_row(self, word: bytes) -> int | None:
        """A row for a word whose vector comes later; None when it has one already, or is none."""
        text = word.decode("utf-8", "replace").strip()
        if not text or len(word) > WORD_BYTES:
            self.refuse()
            return None
        if text in self.ids:
            self.n_repeated += 1
            self._check_patience(self.n_repeated, REPEATED)
            return None
        self.ids[text] = len(self.ids)
        return len(self.ids) - 1

    def refuse(self) -> None:
        """Count a row that can't be used. Raises `DataError` when there are too many of them."""
        self.n_unusable += 1
        self._check_patience(self.n_unusable, OTHER_ROWS)

    def drop_damaged(self) -> None:
        """Leave out the words whose vectors turned out not to be finite, or too large."""
        good = np.concatenate([np.abs(self.vectors[at:at + BLOCK_ROWS][:len(self.ids) - at]).max(axis=1) <= MOST_SIZE
                               for at in range(0, len(self.ids), BLOCK_ROWS)])
        if good.all():
            return
        words = [word for word, fine in zip(self.ids, good) if fine]
        for row, old in enumerate(np.flatnonzero(good)):
            self.vectors[row] = self.vectors[old]
        self.n_unusable += len(self.ids) - len(words)
        self.ids = {word: row for row, word in enumerate(words)}

    def check(self) -> None:
        """Raise `DataError` when what was found is no set of word vectors."""
        for true, cause in ((not self.n, NO_ROW), (self.n_repeated > self.n, REPEATED), (self.n_unusable > self.n, OTHER_ROWS),
                            (sum(map(_is_number, self.ids)) > 0.9 * self.n, NUMBERS)):
            if true:
                raise no_vectors(self.name, cause, dims=self.dims)

    def _check_patience(self, n: int, cause: str) -> None:
        if n > max(PATIENCE, self.n):
            raise no_vectors(self.name, cause, dims=self.dims)


def no_vectors(name: str, cause: str, **params: object) -> DataError:
    """`cause`: one of `CAUSES`."""
    return DataError("“{file}” holds no word vectors that can be read.", cause,
                     "Choose a file of GloVe, word2vec or fastText: a word and its numbers in each line, or their binary form.",
                     file=name, **params)


def check_dims(name: str, dims: int) -> None:
    if not LEAST_DIMS <= dims <= MOST_DIMS:
        raise DataError("The vectors of “{file}” can't be used.", "They have {dims} numbers each; from {least} to {most} are possible.",
                        "Choose word vectors of a usual size, such as 100 or 300 numbers.", file=name, dims=dims, least=LEAST_DIMS,
                        most=MOST_DIMS)


def floats(tokens: Sequence[bytes]) -> Floats | None:
    """The numbers that are written there; None when one of them is none."""
    try:
        return np.array([float(token) for token in tokens], np.float32)
    except ValueError:
        return None


def _is_number(word: str) -> bool:
    return word.replace(".", "", 1).replace("-", "", 1).isdecimal()
