"""What is known about a training on texts before it begins. Torch-free."""
from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from tokenizers import Tokenizer

from core.bundle.reading import open_tokenizer
from core.data.texts import load_texts
from core.data.versions import Version
from core.errors import ModelError, SettingsError
from core.models.rows import ModelRow, TextInput
from core.models.texts.tokenizer_files import tokenizer_file
from core.specs import DataSpec, TrainConfig
from core.text_preprocess import TextPreprocess
from core.training.estimate import ItemCost
from core.workspace import Workspace

READ_S = 0.0005
"""One text split into tokens."""
COUNTED_CHARS, COUNTED_AT_ONCE = 20_000, 100
SAMPLED = 2000
"""So many texts tell how long the others are."""


def input_of(row: ModelRow) -> TextInput:
    """Raises `TypeError` for a model that reads no texts: a mistake of ours."""
    if not isinstance(row.input, TextInput):
        raise TypeError(f"{row.key} reads no texts")
    return row.input


def preprocess(ws: Workspace, row: ModelRow, config: TrainConfig) -> TextPreprocess:
    """Raises `ModelError` when the model's tokenizer is not on this machine."""
    own, path = input_of(row), str(tokenizer_file(ws, row))
    tokenizer = opened(path)
    prefix, suffix = _special(tokenizer)
    return TextPreprocess(path, config.max_tokens or own.tokens, config.long_texts, prefix, suffix, empty=tokenizer.token_to_id("[UNK]") or 0,
                          ngram_buckets=own.ngram_buckets, ngram_offset=tokenizer.get_vocab_size())


def check(row: ModelRow, config: TrainConfig) -> None:
    most = input_of(row).max_tokens
    if config.max_tokens and config.max_tokens > most:
        raise SettingsError("{model} reads {n} tokens at most.", "", "Set the longest text to {n} tokens or less; longer ones can be read window by window.",
                            model=row.title, n=most)


def cost(ws: Workspace, row: ModelRow, config: TrainConfig, data: DataSpec, version: Version) -> ItemCost:
    """As long as the model is not on this machine, four letters are taken for a token."""
    counts = token_counts(ws, row, config, data, version)
    read = counts.read() if counts else [min(item.length / 4, config.max_tokens or input_of(row).tokens) for item in version.items]
    mean = sum(read) / max(1, len(read))
    return ItemCost(mean / input_of(row).counted_tokens, READ_S, largest=max(read) / mean if mean else 1.0)


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """How long the texts of some data are for a model: `counts` are the tokens of up to `SAMPLED` of them, special ones included;
    `room`: how many of a text are read at most."""
    counts: tuple[int, ...]
    room: int

    @property
    def cut(self) -> float:
        """The fraction of texts that are not read to their end."""
        return sum(count > self.room for count in self.counts) / max(1, len(self.counts))

    def read(self) -> list[int]:
        """Tokens that are read of each."""
        return [min(count, self.room) for count in self.counts]


def token_counts(ws: Workspace, row: ModelRow, config: TrainConfig, data: DataSpec, version: Version) -> TokenCounts | None:
    """None while the model's tokenizer is not on this machine."""
    try:
        how = preprocess(ws, row, config)
    except ModelError:
        return None
    items = version.items if len(version.items) <= SAMPLED else random.Random(0).sample(version.items, SAMPLED)
    texts = load_texts(ws, data.dataset)
    special = len(how.prefix) + len(how.suffix)
    counts = _lengths(opened(how.tokenizer), [texts[item.sha] for item in items])
    room = how.max_tokens * (how.windows if how.long_texts == "windows" else 1)
    return TokenCounts(tuple(count + special for count in counts), room)


def _lengths(tokenizer: Tokenizer, texts: Sequence[str]) -> list[int]:
    """Tokens of each text. Of a very long one the start is counted, and the rest taken to be like it: encodings of millions of letters
    would fill the memory of the server."""
    starts = [text[:COUNTED_CHARS].encode("utf-8", "replace").decode("utf-8") for text in texts]
    found = [len(one.ids) for i in range(0, len(starts), COUNTED_AT_ONCE)
             for one in tokenizer.encode_batch(starts[i:i + COUNTED_AT_ONCE], add_special_tokens=False)]
    return [round(count * max(1.0, len(text) / COUNTED_CHARS)) for count, text in zip(found, texts)]


@lru_cache(maxsize=8)
def opened(path: str) -> Tokenizer:
    return open_tokenizer(path)


def _special(tokenizer: Tokenizer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The ids that the tokenizer puts before and behind a text."""
    known = next((text for text in ("a", "the", "中", "1", "?") if tokenizer.encode(text, add_special_tokens=False).ids), "")
    bare, dressed = (tokenizer.encode(known, add_special_tokens=special).ids for special in (False, True))
    start = next((i for i in range(len(dressed)) if dressed[i:i + len(bare)] == bare), 0)
    return tuple(dressed[:start]), tuple(dressed[start + len(bare):])
