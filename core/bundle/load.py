"""Restore a bundle of any kind from its folder or its zip. The code inside a bundle is never run: the app has its own."""
from __future__ import annotations

import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from core.bundle.kinds import KINDS, Kind, Model
from core.bundle.unpack import BundleError, described
from core.errors import ModelError, NotFound

LIMIT_BYTES = {"bundle.json": 16 << 20, "model.safetensors": 4 << 30}
MOST_EXPANSION = 20
"""Weights hardly shrink when compressed: an entry that claims more than this is a trap."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A bundle ready to be asked about items of its kind."""
    kind: Kind
    model: Model

    @property
    def labels(self) -> tuple[str, ...]:
        return self.model.labels

    @property
    def about(self) -> Mapping[str, Any]:
        """The whole of bundle.json."""
        return self.model.about

    def predict(self, items: Iterable[Any]) -> list[list[float]]:
        """One list of probabilities an item, in the order of `labels`. Raises a `Refusal` for an item that can't be used."""
        return self.kind.load_program().predict(self.model, items)


def load_bundle(path: Path) -> Loaded:
    """The model in a bundle's folder or zip. Raises `NotFound` or `ModelError`."""
    if not path.exists():
        raise NotFound("This model is not here.", "Its run was deleted, or it is still being trained.", "Choose another run.")
    try:
        return _from_folder(path) if path.is_dir() else _from_zip(path)
    except BundleError as error:
        raise explained(error) from error


def explained(error: BundleError) -> ModelError:
    """The same as an error for the page. Its cause is translated like any other."""
    return ModelError("This model can't be loaded.", error.reason, "Use the zip as it was downloaded.", **error.params)


def _from_folder(folder: Path) -> Loaded:
    kind = _kind(folder)
    return Loaded(kind, kind.load_program().load(folder))


def _kind(folder: Path) -> Kind:
    task = described(folder).get("task")
    if not isinstance(task, str) or task not in KINDS:
        raise BundleError("{name} is damaged.", name="bundle.json")
    return KINDS[task]


def _from_zip(path: Path) -> Loaded:
    try:
        with zipfile.ZipFile(path) as archive, TemporaryDirectory(prefix="graft-", ignore_cleanup_errors=True) as folder:
            for name, most_bytes in LIMIT_BYTES.items():
                _extract(archive, name, Path(folder) / name, most_bytes)
            for row in _kind(Path(folder)).companions:
                if row.needed:
                    _extract(archive, row.name, Path(folder) / row.name, row.most_bytes)
            return _from_folder(Path(folder))
    except (zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, EOFError, RuntimeError) as error:
        raise BundleError("The zip is damaged, encrypted, or no zip at all.") from error


def _extract(archive: zipfile.ZipFile, name: str, target: Path, most_bytes: int) -> None:
    """One file of a bundle, from the top of the zip or from inside its only folder. Names in the zip never become paths."""
    found = [entry for entry in archive.infolist() if entry.filename == name or entry.filename.split("/")[1:] == [name]]
    if len(found) != 1:
        raise BundleError("{name} is missing." if not found else "{name} is in it twice.", name=name)
    if found[0].file_size > min(most_bytes, MOST_EXPANSION * max(found[0].compress_size, 1 << 20)):
        raise BundleError("{name} is too large.", name=name)
    with archive.open(found[0]) as file, target.open("wb") as out:
        shutil.copyfileobj(file, out, 1 << 20)  # never more than the size that was checked: zipfile stops there
