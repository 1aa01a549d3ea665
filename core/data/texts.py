"""The texts of a dataset, in one file beside its versions: hash -> text."""
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from core.workspace import Workspace

NAME = "texts.parquet"


def load_texts(ws: Workspace, dataset_id: str) -> dict[str, str]:
    """Every text of any version of a dataset by its hash; empty for pictures."""
    return read_texts(ws.dataset(dataset_id) / NAME)


def read_texts(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    table = pq.read_table(path)
    return dict(zip(table["sha"].to_pylist(), table["text"].to_pylist()))


def write_texts(path: Path, texts: Mapping[str, str]) -> None:
    """Not atomic: for a staging folder, from which the file is moved to its place."""
    pq.write_table(pa.table({"sha": list(texts), "text": list(texts.values())}), path, compression="zstd")
