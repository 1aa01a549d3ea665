"""What lies beside a script, as a zip that is made while it is sent: the items, and what the network needs that can't be fetched. Torch-free."""
from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from core.code.asked import ITEMS, PICTURES, TOKENIZER, WEIGHTS
from core.data.export import items_csv
from core.data.texts import load_texts
from core.data.versions import Item, Version
from core.models.catalog import weights_path
from core.models.rows import ModelRow
from core.models.texts.tokenizer_files import tokenizer_file
from core.specs import DataSpec
from core.tasks.registry import TASKS
from core.workspace import Workspace

CHUNK_BYTES = 1 << 20


class _Sink(io.RawIOBase):
    """Takes what is written and hands it over: the whole is never in memory."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.parts.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        whole = b"".join(self.parts)
        self.parts.clear()
        return whole


def kit(ws: Workspace, data: DataSpec, version: Version, row: ModelRow) -> Iterator[bytes]:
    """The bytes of the zip. Raises `ModelError` where the model's own files are not on this machine."""
    return _zipped(ws, data, version, _files(ws, version, row))


def _files(ws: Workspace, version: Version, row: ModelRow) -> dict[str, Path]:
    """What is copied into it, by names that are ours alone."""
    weights = {WEIGHTS: weights_path(row)} if row.own_file or row.built_in else {}
    return weights | OF_TASK[version.task].files(ws, version, row)


def _zipped(ws: Workspace, data: DataSpec, version: Version, files: dict[str, Path]) -> Iterator[bytes]:
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:  # pictures and weights don't get smaller
        with archive.open(ITEMS, "w", force_zip64=True) as target:
            for line in items_csv(version, load_texts(ws, data.dataset), OF_TASK[version.task].file_of):
                target.write(line)
                yield sink.taken()
        for name, path in files.items():
            with path.open("rb") as source, archive.open(name, "w", force_zip64=True) as target:
                while chunk := source.read(CHUNK_BYTES):
                    target.write(chunk)
                    yield sink.taken()
    yield sink.taken()


def picture_name(item: Item) -> str:
    """Where a picture lies in the zip. Its own name is text that somebody typed, and never becomes a path."""
    ending = PurePosixPath(item.name.lower()).suffix
    return f"{PICTURES}/{item.sha[:24]}{ending if ending in TASKS['image'].file_types else ''}"


@dataclass(frozen=True, slots=True)
class _Kind:
    """What lies in the zip for items of a kind: files by name, and which of them is an item's."""
    files: Callable[[Workspace, Version, ModelRow], dict[str, Path]]
    file_of: Callable[[Item], str] | None = None


OF_TASK: dict[str, _Kind] = {
    "image": _Kind(lambda ws, version, row: {picture_name(item): ws.blob(item.sha) for item in version.items}, picture_name),
    "text": _Kind(lambda ws, version, row: {TOKENIZER: tokenizer_file(ws, row)}),
}
