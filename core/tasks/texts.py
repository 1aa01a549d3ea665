"""Text classification: texts become token ids once, then are served as batches of like length."""
from __future__ import annotations

import hashlib
import random
from array import array
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from core.bundle.reading import batch_of, read
from core.data.split import Split
from core.data.texts import load_texts
from core.data.versions import Item, Version
from core.models.blocks import State
from core.models.rows import ModelRow
from core.specs import Augmentation, DataSpec, SplitName, TrainConfig
from core.tasks.targets import targets_of
from core.tasks.text_facts import SAMPLED, input_of, opened
from core.text_preprocess import TextPreprocess
from core.workspace import Workspace

AT_ONCE = 1000
"""Texts between two reports of progress."""
WORDS = 3000
"""Looked at for made-up texts."""


@dataclass(frozen=True, slots=True)
class Texts:
    """One side of a dataset. `rows` holds what the network reads of each text."""
    rows: tuple[tuple[int, ...], ...]
    lengths: Tensor
    targets: Tensor
    shas: tuple[str, ...]
    window: int

    changes = ""
    """Texts are shown as they are in every epoch."""

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def content(self) -> str:
        """By the tokens themselves."""
        digest = hashlib.sha256(f"{self.window} {self.lengths.tolist()}".encode())
        for row in self.rows:
            digest.update(array("q", row).tobytes())
        return digest.hexdigest()

    def inputs(self, idx: Tensor) -> State:
        ids, lengths = batch_of([self.rows[i] for i in idx.tolist()])
        return State(ids, lengths, self.window)

    def augmented(self, idx: Tensor, epoch: int) -> State:
        return self.inputs(idx)


def splits(ws: Workspace, data: DataSpec, version: Version, preprocess: TextPreprocess, config: TrainConfig,
           progress: Callable[[int, int], None] | None) -> dict[SplitName, Texts]:
    """The three sides; each different text is read once."""
    texts, tokenizer = load_texts(ws, data.dataset), opened(preprocess.tokenizer)
    order, rows = sorted({item.sha for item in version.items}), dict[str, tuple[int, ...]]()
    for start in range(0, len(order), AT_ONCE):
        part = order[start:start + AT_ONCE]
        rows |= dict(zip(part, map(tuple, read(tokenizer, [texts[sha] for sha in part], preprocess))))
        if progress:
            progress(len(rows), len(order))

    def side(items: tuple[Item, ...]) -> Texts:
        own = tuple(rows[item.sha] for item in items)
        return Texts(own, torch.tensor([len(row) for row in own], dtype=torch.int64), targets_of(version, items),
                     tuple(item.sha for item in items), preprocess.window)
    return {name: side(version.split(name)) for name in ("train", "val", "test")}


def probe(row: ModelRow, preprocess: TextPreprocess, n_items: int, size: int = 0, augmentation: Augmentation = Augmentation()) -> Texts:
    """Words of the vocabulary, a few short ones over and over as in every language (Zipf 1949), so many that each text has the
    tokens that are wished, or as many as it may have."""
    tokenizer, chance = opened(preprocess.tokenizer), random.Random(0)
    wished = size or input_of(row).counted_tokens
    n_tokens = min(wished, preprocess.max_tokens * (preprocess.windows if preprocess.window else 1))
    ids = chance.choices(range(tokenizer.get_vocab_size()), k=WORDS)
    known = sorted((token for i in ids if (token := tokenizer.id_to_token(i)) and token.isalpha()), key=len) or ["a"]
    often = [1 / rank for rank in range(1, len(known) + 1)]
    texts = [" ".join(chance.choices(known, often, k=n_tokens)) for _ in range(n_items)]
    rows = [tuple(row) for row in read(tokenizer, texts, preprocess)]
    rows = rows if preprocess.ngram_buckets else [row[:n_tokens] for row in rows]  # a word may have several tokens
    return Texts(tuple(rows), torch.tensor([len(row) for row in rows]), torch.zeros(n_items, dtype=torch.long), ("",) * n_items, preprocess.window)


def work(row: ModelRow, preprocess: TextPreprocess, items: Split | State) -> float:
    """Work grows with the number of tokens; looking n-grams up besides costs next to nothing."""
    some = torch.linspace(0, len(items) - 1, min(len(items), SAMPLED)).long()
    batch = items if isinstance(items, State) else items.inputs(some)
    assert batch.lengths is not None, "texts have lengths"
    real = torch.arange(batch.x.shape[1])[None] < batch.lengths[:, None]
    if preprocess.ngram_buckets:
        real &= batch.x < preprocess.ngram_offset
    return float(real.sum()) / len(batch) / input_of(row).counted_tokens
