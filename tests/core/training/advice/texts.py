"""A few short texts on two subjects, in a workspace."""
from __future__ import annotations

import hashlib
import random

from core.data.texts import write_texts
from core.data.versions import Item, Version, create_dataset
from core.specs import DataSpec
from core.workspace import Workspace

OWNER, DATASET = "ownera", "textdataset"
WORDS = {"food": "soup bread salty dinner cook plate fresh taste".split(), "sky": "rain cloud storm sunny wind cold snow warm".split()}


def add_texts(ws: Workspace, n: int = 20) -> DataSpec:
    """`n` texts of each label; every fifth is for the test, the one after it for validation."""
    source = random.Random(0)
    rows = [(" ".join(source.sample(words, 4)) + f" {i}", idx, i) for idx, words in enumerate(WORDS.values()) for i in range(n)]
    keys = [hashlib.sha256(text.encode()).hexdigest() for text, _, _ in rows]
    items = tuple(Item(key, f"t.csv:{i}", idx, {0: "test", 1: "val"}.get(i % 5, "train"), length=len(text))
                  for key, (text, idx, i) in zip(keys, rows))
    data = create_dataset(ws, DATASET, "texts", OWNER, Version(tuple(WORDS), items, task="text"))
    write_texts(ws.dataset(DATASET) / "texts.parquet", dict(zip(keys, (text for text, _, _ in rows))))
    return data
