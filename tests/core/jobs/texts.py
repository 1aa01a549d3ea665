"""Small real datasets of texts."""
from __future__ import annotations

import random
from pathlib import Path

from core.data.intake.importing import import_path
from core.owners import LOCAL_OWNER
from core.specs import DataSpec
from core.workspace import Workspace

KINDS = {"fruit": ("apple", "pear", "plum", "cherry", "grape"), "tool": ("hammer", "saw", "drill", "wrench", "chisel"),
         "天气": ("下雨", "晴天", "刮风", "下雪", "多云")}
FILLING = ("the", "a", "today", "we", "saw", "it", "was", "near", "home", "again")


def sentences(n: int = 10, seed: int = 0, kinds: tuple[str, ...] = tuple(KINDS)) -> list[tuple[str, str]]:
    """(text, label): a word or two of the label among others; every text is another one."""
    draw, rows = random.Random(seed), list[tuple[str, str]]()
    for label in kinds:
        while sum(own == label for _text, own in rows) < n:
            words = draw.sample(FILLING, draw.randint(3, 9)) + draw.sample(KINDS[label], draw.randint(1, 2))
            draw.shuffle(words)
            if (" ".join(words), label) not in rows:
                rows.append((" ".join(words), label))
    return rows


def table_of_texts(path: Path, rows: list[tuple[str, str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows), encoding="utf-8")
    return path


def text_dataset(ws: Workspace, folder: Path, n: int = 10, name: str = "notes") -> DataSpec:
    return import_path(ws, table_of_texts(folder / f"{name}.csv", sentences(n)), name=name, owner=LOCAL_OWNER, progress=lambda done, total: None)
