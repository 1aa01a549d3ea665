"""How a text becomes what a network reads. Torch-free: pages show it, bundles carry it, `core.bundle.reading` obeys it."""
from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from core.specs import LongTexts


@dataclass(frozen=True, slots=True)
class TextPreprocess:
    """A text becomes token ids, `prefix` before and `suffix` behind them, at most `max_tokens` in all (in each of at most `windows` windows,
    where long texts are read so). Where `ngram_buckets` > 0, its hashed character n-grams follow, numbered from `ngram_offset` on.
    `empty` is read where a text has no token."""
    tokenizer: str
    """The tokenizer's file on this machine; in a bundle it is `tokenizer.json`."""
    max_tokens: int
    long_texts: LongTexts
    prefix: tuple[int, ...] = ()
    suffix: tuple[int, ...] = ()
    empty: int = 0
    windows: int = 8
    ngram_buckets: int = 0
    ngram_offset: int = 0

    def __post_init__(self) -> None:
        if self.max_tokens <= len(self.prefix) + len(self.suffix):
            raise ValueError(f"max_tokens must leave room for a token beside {self.prefix} and {self.suffix}, got {self.max_tokens}")

    @property
    def window(self) -> int:
        """Tokens that are read together, where a text is read window by window; else 0."""
        return self.max_tokens if self.long_texts == "windows" else 0

    def __getitem__(self, key: str) -> Any:
        """Field by name: `core.bundle.reading` stands alone and reads a plain dict of these fields, or this, alike."""
        return getattr(self, key)

    def to_dict(self) -> dict[str, Any]:
        """For JSON; `TextPreprocess.from_dict` restores it."""
        return asdict(self) | {"tokenizer": "tokenizer.json"}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> TextPreprocess:
        return cls(**{**fields, "prefix": tuple(fields["prefix"]), "suffix": tuple(fields["suffix"])})
