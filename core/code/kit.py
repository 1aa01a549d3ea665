"""What lies beside a script, as a zip that is made while it is sent: the items, and what the network needs that can't be fetched. Torch-free."""
from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from core.code.asked import ITEMS, MODEL, PICTURES, TOKENIZER, WEIGHTS, files_beside, lies_in_folder
from core.data.texts import load_texts
from core.data.versions import Item, Version
from core.models.catalog import weights_path
from core.models.hub.local import located
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
    weights = {WEIGHTS: weights_path(row)} if files_beside(row) else {}
    return weights | _folder(row) | OF_TASK[version.task].files(ws, version, row)


def _folder(row: ModelRow) -> dict[str, Path]:
    """Of a model in a folder its config, and unless it has weights of its own the folder's, by names as transformers looks for them."""
    if not lies_in_folder(row):
        return {}
    found = located(row.repo)
    weights = () if row.own_file else (*found.weights, *sorted(found.folder.glob("*.index.json")))
    return {f"{MODEL}/{path.name}": path for path in (found.config, *weights)}


def _zipped(ws: Workspace, data: DataSpec, version: Version, files: dict[str, Path]) -> Iterator[bytes]:
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:  # pictures and weights don't get smaller
        with archive.open(ITEMS, "w", force_zip64=True) as target:
            texts = load_texts(ws, data.dataset)
            for item in version.items:
                said = {"name": item.name, "label": _label(version, item), "split": item.split, **OF_TASK[version.task].content(item, texts)}
                target.write(f"{json.dumps(said, ensure_ascii=False)}\n".encode())
                yield sink.taken()
        for name, path in files.items():
            with path.open("rb") as source, archive.open(name, "w", force_zip64=True) as target:
                while chunk := source.read(CHUNK_BYTES):
                    target.write(chunk)
                    yield sink.taken()
    yield sink.taken()


def _label(version: Version, item: Item) -> str | list[str] | float:
    """The name of its label, those of all its labels where it may bear several, or its number."""
    if item.value is not None:
        return item.value
    names = [version.labels[label] for label in item.borne]
    return names if item.labels is not None else names[0]


def picture_name(item: Item) -> str:
    """Where a picture lies in the zip. Its own name is text that somebody typed, and never becomes a path."""
    ending = PurePosixPath(item.name.lower()).suffix
    return f"{PICTURES}/{item.sha[:24]}{ending if ending in TASKS['image'].file_types else ''}"


@dataclass(frozen=True, slots=True)
class _Kind:
    """What lies in the zip for items of a kind: files by name, and what the list says of an item's content."""
    files: Callable[[Workspace, Version, ModelRow], dict[str, Path]]
    content: Callable[[Item, Mapping[str, str]], dict[str, str]]


OF_TASK: dict[str, _Kind] = {
    "image": _Kind(lambda ws, version, row: {picture_name(item): ws.blob(item.sha) for item in version.items},
                   lambda item, texts: {"file": picture_name(item)}),
    "text": _Kind(lambda ws, version, row: {TOKENIZER: tokenizer_file(ws, row)}, lambda item, texts: {"text": texts[item.sha]}),
}
