"""Published weights: found in torchvision's usual cache, fetched into it, and put into a model. No pickled code is ever run."""
from __future__ import annotations

import hashlib
import http.client
import os
import re
import secrets
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import get_model_weights

from core.errors import ModelError
from core.models.catalog import ModelRow, on_this_machine, ready, weights_path
from core.models.hub.network import reachable

Progress = Callable[[int, int], None]
"""Called with (done_bytes, total_bytes)."""

READ_S = 20.0
CHUNK_BYTES = 1 << 18


def fetch(row: ModelRow, progress: Progress | None = None) -> None:
    """Make sure that the row's file is on this machine. Raises `ModelError` as `download` does."""
    if not on_this_machine(row):
        download(row, progress or (lambda done, total: None))


def load_into(model: nn.Module, row: ModelRow) -> None:
    """Put the row's weights, which are on this machine, into the model with its source head; fp16 files become the model's fp32.

    Raises `ModelError` when the file can't be read or does not fit.
    """
    state = _read(row)
    for name in [name for name in state if row.dropped and name.startswith(row.dropped)]:
        del state[name]  # in place: the mapping carries the version marks that older files are converted by
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError("The weights of {model} don't fit it.", "{file} holds another network: {problem}",
                         "Delete or replace the file in {dir}, or choose another model.",
                         problem=str(error).splitlines()[-1].strip(), **_names(row)) from error


def _read(row: ModelRow) -> dict[str, Tensor]:
    path = weights_path(row)
    try:
        state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
            raise TypeError("it is no table of tensors")
    except Exception as error:  # a damaged file makes the parsers raise nearly anything, and all of it means this
        raise ModelError("The weights of {model} can't be read.", "{file} is damaged or incomplete: {problem}",
                         "Delete or replace the file in {dir}, or choose another model.",
                         problem=(str(error) or type(error).__name__).splitlines()[0][:200], **_names(row)) from error
    return state


def download(row: ModelRow, progress: Progress) -> Path:
    """Fetch the row's file into the cache and return its path. `progress(done_bytes, total_bytes)` may raise to give up.

    Raises `ModelError` when there is no network (known after at most 3 s), or the file arrives damaged or not at all.
    """
    url = url_of(row)
    if not reachable(url):
        raise ModelError("No network: the weights of {model} can't be fetched.", "They are not on this machine, and {host} does not answer.",
                         "Put {file} in {dir}, or use a ready model: {ready}.",
                         host=urlsplit(url).hostname or "", ready=", ".join(r.title for r in ready(row.task)), **_names(row))
    path = weights_path(row)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = _fetch(url, temporary, row.size_bytes, progress)
        expected = re.search(r"-([0-9a-f]{8,})\.", path.name)  # torchvision's names carry the start of their SHA-256
        if expected and not digest.startswith(expected[1]):
            raise OSError("its checksum is wrong")
        os.replace(temporary, path)
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise ModelError("The weights of {model} could not be fetched.", "{file}: {problem}",
                         "Try again, or put the file in {dir} yourself, or use a ready model: {ready}.", problem=str(reason),
                         ready=", ".join(r.title for r in ready(row.task)), **_names(row)) from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def url_of(row: ModelRow) -> str:
    """Where torchvision publishes the row's file."""
    return get_model_weights(row.builder)[row.weights].url


def _fetch(url: str, path: Path, size_bytes: int, progress: Progress) -> str:
    """Stream `url` into `path` and return its SHA-256 in hex."""
    digest = hashlib.sha256()
    request = urllib.request.Request(url, headers={"User-Agent": "graft"})
    with urllib.request.urlopen(request, timeout=READ_S) as response, path.open("wb") as file:
        total, done = int(response.headers.get("Content-Length") or size_bytes), 0
        progress(done, total)
        while chunk := response.read(CHUNK_BYTES):
            file.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            progress(done, total)
        file.flush()
        os.fsync(file.fileno())
    if done < total and response.headers.get("Content-Length"):
        raise OSError("the connection broke off")
    return digest.hexdigest()


def _names(row: ModelRow) -> dict[str, str]:
    path = weights_path(row)
    return {"model": row.title, "file": path.name, "dir": str(path.parent)}
