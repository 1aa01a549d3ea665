"""Anybody's word vectors become a set of Graft: GloVe, word2vec and fastText, text or binary, known by content and never by name.

Read in one pass and in bounded memory, the most common words first, as these files are sorted. Nothing that is run while it is read
(a pickle) is opened.
"""
from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from core.data.likeness.languages import languages
from core.data.limits import LIMITS, Limits
from core.models.words.vector_binary import MAGIC, looks_binary, read_fasttext, read_word2vec
from core.models.words.vector_rows import UNKNOWN_FORM, Words, check_dims, no_vectors
from core.models.words.vector_stream import Stream, opened, refuse_foreign
from core.models.words.vector_text import header_of, read_text, text_dims
from core.models.words.vector_tokenizer import tokenizer_of
from core.models.words.vectors import write_vectors

MOST_WORDS = 200_000
Format = Literal["GloVe", "word2vec text", "word2vec binary", "fastText"]
READING = 0.9
"""Of the time; the rest is for the tokenizer and for writing."""
REPORT_EVERY_S = 0.1
TELLING_WORDS = 30
"""Fewer words don't tell a language."""
TELLING_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class VectorFacts:
    """`n_words`: of the file, as its beginning says; where it does not, those that were read. `kept`: of the set, without the special
    tokens. `languages`: ISO 639-1 codes, empty where the words don't tell. What was left out: `n_repeated` words that came again,
    `n_unusable` rows of another length, or whose numbers are none."""
    n_words: int
    dims: int
    kept: int
    format: Format
    languages: tuple[str, ...]
    n_repeated: int = 0
    n_unusable: int = 0


def convert(path: Path, stem: Path, *, most_words: int = MOST_WORDS, progress: Callable[[float], None] = lambda share: None,
            name: str = "", limits: Limits = LIMITS) -> VectorFacts:
    """Write the word vectors of a file as the set `stem` (see `core.models.words.vectors`): the first `most_words` words, in float16.

    `progress` gets the share that is done, 0 to 1. `name` is how messages call the file. Memory: twice most_words x numbers x 4 bytes at
    most, whatever the file claims. Raises `DataError` for files that are damaged, no word vectors, or not safe to open.
    """
    with opened(path, name, limits) as stream:
        words, n_words, format_ = _read(stream, most_words, progress)
    words.check()
    listed = words.words
    facts = VectorFacts(max(n_words, words.n), words.dims, words.n, format_, _languages(listed), words.n_repeated, words.n_unusable)
    progress(READING)
    tokenizer = tokenizer_of(listed)
    write_vectors(stem, words.vectors[:len(words.ids)], tokenizer, {"source": name or path.name, **asdict(facts)}, "float16")
    progress(1.0)
    return facts


def _read(stream: Stream, most: int, progress: Callable[[float], None]) -> tuple[Words, int, Format]:
    """(the words, how many the file says it holds, else 0, its format)."""
    head = stream.head()
    refuse_foreign(stream.name, head)
    if head.startswith(MAGIC):
        words, n_words = read_fasttext(stream, most, _ticker(stream, progress))
        return words, n_words, "fastText"
    header, dims = header_of(head), text_dims(head)
    if dims > 1:
        words = Words(stream.name, most, dims)
        read_text(stream, words, _ticker(stream, progress, words), header=header is not None)
        return words, header[0] if header else 0, "word2vec text" if header else "GloVe"
    if header:
        n_words, dims = header
        check_dims(stream.name, dims)
        if looks_binary(head, dims):
            stream.until(b"\n")
            words = Words(stream.name, min(most, n_words), dims)
            read_word2vec(stream, words, _ticker(stream, progress, words), count=n_words)
            return words, n_words, "word2vec binary"
    raise no_vectors(stream.name, UNKNOWN_FORM)


def _ticker(stream: Stream, progress: Callable[[float], None], words: Words | None = None) -> Callable[[], None]:
    """To be called for every row; tells `progress` now and then. Reading ends with the file or with enough words, whichever is first."""
    last = time.monotonic()

    def tick() -> None:
        nonlocal last
        if time.monotonic() - last > REPORT_EVERY_S:
            last = time.monotonic()
            progress(READING * max(stream.share(), words.n / words.most if words else 0.0))
    return tick


def _languages(words: list[str]) -> tuple[str, ...]:
    telling = [word for word in words[:MOST_WORDS] if word.isalpha()][:TELLING_CHARACTERS]
    text = " ".join(telling)[:TELLING_CHARACTERS]
    return tuple(languages({"words": text}).values()) if len(telling) >= TELLING_WORDS else ()
