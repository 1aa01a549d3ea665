"""The process that predicts for the web server, which never imports torch: `python -m core.bundle.predictor`.

It speaks JSON, a line each way, and ends when its input closes:

    -> {"id": 1, "op": "predict", "bundle": "path of a folder or zip", "items": ["path of a picture, or a text", …]}
    <- {"id": 1, "labels": […], "probabilities": [[…], …], "seconds": 0.02}       one row an item
    -> {"id": 2, "op": "preview", "files": ["path", …], "preprocess": {…}, "augmentation": {…}}
    <- {"id": 2, "pictures": ["base64 of a JPEG", …]}                             one a file, changed as training would
    <- {"id": 1, "error": {"title": …, "cause": …, "fix": …, "params": {…}}}      the fields of a `UserError`

The first line it says, `{"ready": true}`, means that it has imported everything.
"""
from __future__ import annotations

import base64
import json
import logging
import os
import signal
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from core.bundle.load import Loaded, load_bundle
from core.bundle.unpack import Refusal
from core.errors import UserError
from core.preprocess import Preprocess
from core.specs import Augmentation, from_json
from core.tasks.images import preview

KEPT_BUNDLES = 4
log = logging.getLogger(__name__)


class Bundles:
    """The last few bundles asked for, each read again when its files changed."""

    def __init__(self, most: int = KEPT_BUNDLES) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[object, ...], Loaded] = OrderedDict()

    def get(self, path: Path) -> Loaded:
        """Raises what `load_bundle` raises."""
        key = _version(path)
        if key not in self._kept:
            self._kept[key] = load_bundle(path)
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return self._kept[key]


def _version(path: Path) -> tuple[object, ...]:
    """The path with size and time of what a new training would replace."""
    files = [path / "bundle.json", path / "model.safetensors"] if path.is_dir() else [path]
    return (path, *((file.stat().st_mtime_ns, file.stat().st_size) for file in files if file.exists()))


def answer(bundles: Bundles, request: dict[str, Any]) -> dict[str, Any]:
    """The reply to one request, an error included."""
    try:
        return {"id": request["id"], **OPERATIONS[request["op"]](bundles, request)}
    except UserError as error:
        return _refusal(request, error)
    except Exception as error:  # one request must not end the process
        log.exception("prediction failed")
        return _refusal(request, UserError("The prediction failed.", "{kind}: {text}", "Try again with something else.",
                                           kind=type(error).__name__, text=str(error)[:300]))


def _predict(bundles: Bundles, request: dict[str, Any]) -> dict[str, Any]:
    began = time.perf_counter()
    model = bundles.get(Path(request["bundle"]))
    items = model.kind.load_app().given(request["items"])
    try:
        rows = model.predict(items)
    except Refusal:
        rows = [_predicted(model, item, position) for position, item in enumerate(items, 1)]  # which of them was it?
    return {"labels": model.labels, "probabilities": rows, "seconds": time.perf_counter() - began}


def _preview(bundles: Bundles, request: dict[str, Any]) -> dict[str, Any]:
    pictures = preview([Path(file) for file in request["files"]], Preprocess.from_dict(request["preprocess"]),
                       from_json(Augmentation, json.dumps(request["augmentation"])))
    return {"pictures": [base64.b64encode(picture).decode("ascii") for picture in pictures]}


OPERATIONS: dict[str, Callable[[Bundles, dict[str, Any]], dict[str, Any]]] = {"predict": _predict, "preview": _preview}


def _predicted(model: Loaded, item: Any, position: int) -> list[float]:
    try:
        return model.predict([item])[0]
    except Refusal as error:
        raise model.kind.load_app().unreadable(error, position) from error


def _refusal(request: dict[str, Any], error: UserError) -> dict[str, Any]:
    return {"id": request.get("id"), "error": {"title": error.title, "cause": error.cause, "fix": error.fix, "params": error.plain_params()}}


@contextmanager
def _own_output() -> Iterator[BinaryIO]:
    """Standard output for the protocol alone: what libraries print goes to the error output."""
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)
        yield out


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the server, whose end closes the input
    bundles = Bundles()
    with _own_output() as out:
        def say(message: dict[str, Any]) -> None:
            out.write(json.dumps(message).encode() + b"\n")
            out.flush()
        say({"ready": True})
        for line in sys.stdin.buffer:
            say(answer(bundles, json.loads(line)))


if __name__ == "__main__":
    main()
