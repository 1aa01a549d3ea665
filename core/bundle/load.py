"""Restore a bundle from its folder or its zip. The code inside a bundle is never run: the app has its own."""
from __future__ import annotations

import shutil
import struct
import zipfile
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

from core.bundle import predict
from core.errors import ModelError, NotFound

LIMIT_BYTES = {"bundle.json": 16 << 20, "model.safetensors": 4 << 30}
MOST_EXPANSION = 20
"""Weights hardly shrink when compressed: an entry that claims more than this is a trap."""


def load_bundle(path: Path) -> predict.Model:
    """The model in a bundle's folder or zip. Raises `NotFound` or `ModelError`."""
    if not path.exists():
        raise NotFound("This model is not here.", "Its run was deleted, or it is still being trained.", "Choose another run.")
    try:
        return predict.load(path) if path.is_dir() else _from_zip(path)
    except predict.BundleError as error:
        raise explained(error) from error


def explained(error: predict.BundleError) -> ModelError:
    """The same as an error for the page. Its cause is translated like any other."""
    return ModelError("This model can't be loaded.", error.reason, "Use the zip as it was downloaded.", **error.params)


def _from_zip(path: Path) -> predict.Model:
    try:
        with zipfile.ZipFile(path) as archive, TemporaryDirectory(prefix="graft-", ignore_cleanup_errors=True) as folder:
            for name in LIMIT_BYTES:
                _extract(archive, name, Path(folder) / name)
            return predict.load(folder)
    except (zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, EOFError, RuntimeError) as error:
        raise predict.BundleError("The zip is damaged, encrypted, or no zip at all.") from error


def _extract(archive: zipfile.ZipFile, name: str, target: Path) -> None:
    """One file of a bundle, from the top of the zip or from inside its only folder. Names in the zip never become paths."""
    found = [entry for entry in archive.infolist() if entry.filename == name or entry.filename.split("/")[1:] == [name]]
    if len(found) != 1:
        raise predict.BundleError("{name} is missing." if not found else "{name} is in it twice.", name=name)
    if found[0].file_size > min(LIMIT_BYTES[name], MOST_EXPANSION * max(found[0].compress_size, 1 << 20)):
        raise predict.BundleError("{name} is too large.", name=name)
    with archive.open(found[0]) as file, target.open("wb") as out:
        shutil.copyfileobj(file, out, 1 << 20)  # never more than the size that was checked: zipfile stops there
