"""Ask networks about pictures and texts from the web process: torch lives in a child process that stays warm. Torch-free."""
from __future__ import annotations

import atexit
import base64
import itertools
import json
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.jobs.processes import PROJECT, calm_environment
from core.preprocess import Preprocess
from core.specs import Augmentation

ANSWER_SECONDS = 60.0
START_SECONDS = 180.0
"""Importing torch for the first time on a slow disk takes its time, and is not the item's fault."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One row of probabilities an item, in the order of `labels`. `seconds`: loading the network (if it was not), and predicting."""
    labels: tuple[str, ...]
    probabilities: tuple[tuple[float, ...], ...]
    seconds: float


@dataclass(slots=True)
class _Child:
    process: subprocess.Popen[bytes]
    lines: queue.SimpleQueue[bytes] = field(default_factory=queue.SimpleQueue)
    """What it said; an empty line when it has ended."""
    ready: bool = False


class _Ended(Exception):
    """The child is gone before it answered."""


class PredictorClient:
    """One warm child process; requests of all threads wait in line for it."""

    def __init__(self, command: Sequence[str] = (sys.executable, "-m", "core.bundle.predictor"),
                 answer_seconds: float = ANSWER_SECONDS) -> None:
        self._command, self._answer_seconds = list(command), answer_seconds
        self._lock, self._ids = threading.Lock(), itertools.count(1)
        self._child: _Child | None = None
        atexit.register(self.close)

    def warm(self) -> None:
        """Start the child if none runs, without waiting for it."""
        if self._lock.acquire(blocking=False):  # else a prediction is under way, and the child with it
            try:
                self._running()
            finally:
                self._lock.release()

    def predict(self, bundle: Path, pictures: Sequence[bytes]) -> Prediction:
        """Probabilities of the pictures (the bytes of files) by the bundle in a folder or zip.

        Raises `UserError`: for a picture that can't be read (`params["position"]` counts from 1), a bundle that can't be loaded,
        no answer within 60 s, and when the child has died twice.
        """
        with tempfile.TemporaryDirectory(prefix="graft-", ignore_cleanup_errors=True) as folder:
            files = [Path(folder) / str(i) for i in range(len(pictures))]
            for file, picture in zip(files, pictures):
                file.write_bytes(picture)
            return self._predict(bundle, [str(file) for file in files])

    def predict_texts(self, bundle: Path, texts: Sequence[str]) -> Prediction:
        """The same of texts."""
        return self._predict(bundle, texts)

    def _predict(self, bundle: Path, items: Sequence[str]) -> Prediction:
        reply = self._ask({"op": "predict", "bundle": str(bundle), "items": list(items)})
        return Prediction(tuple(reply["labels"]), tuple(tuple(row) for row in reply["probabilities"]), reply["seconds"])

    def preview(self, files: Sequence[Path], preprocess: Preprocess, augmentation: Augmentation) -> list[bytes]:
        """The pictures as training might show them: one JPEG a file, each changed by the augmentation. Raises `UserError`."""
        reply = self._ask({"op": "preview", "files": [str(file) for file in files], "preprocess": preprocess.to_dict(),
                           "augmentation": asdict(augmentation)})
        return [base64.b64decode(picture) for picture in reply["pictures"]]

    def close(self) -> None:
        """End the child; the next request starts another."""
        with self._lock:
            if self._child:
                _end(self._child)
            self._child = None

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The reply; an error that the child explains is raised as `UserError`."""
        with self._lock:
            for _ in range(2):
                child = self._running()
                try:
                    reply = self._exchange(child, {"id": next(self._ids), **request})
                    break
                except (_Ended, BrokenPipeError, ConnectionError):
                    _end(child)
            else:
                raise UserError("The prediction failed.", "The process that predicts has ended twice without an answer. Perhaps memory is short.",
                                "Try something smaller, or close other programs.")
        if "error" in reply:
            error = reply["error"]
            raise UserError(error["title"], error["cause"], error["fix"], **error["params"])
        return reply

    def _running(self) -> _Child:
        if self._child is None or self._child.process.poll() is not None:
            process = subprocess.Popen(self._command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=calm_environment())
            self._child = _Child(process)
            threading.Thread(target=_listen, args=(self._child,), daemon=True).start()
        return self._child

    def _exchange(self, child: _Child, request: dict[str, Any]) -> dict[str, Any]:
        if not child.ready:
            self._hear(child, START_SECONDS)
            child.ready = True
        assert child.process.stdin is not None
        child.process.stdin.write(json.dumps(request).encode() + b"\n")
        child.process.stdin.flush()
        return json.loads(self._hear(child, self._answer_seconds))

    def _hear(self, child: _Child, seconds: float) -> bytes:
        try:
            line = child.lines.get(timeout=seconds)
        except queue.Empty:
            _end(child, at_once=True)
            raise UserError("The prediction took too long.", "There was no answer within {seconds} seconds.",
                            "Try again, or try something smaller.", seconds=round(seconds)) from None
        if not line:
            raise _Ended
        return line


def _listen(child: _Child) -> None:
    """Pass on what the child says: a pipe alone can't be waited for with a limit on every system."""
    assert child.process.stdout is not None
    with child.process.stdout as out:
        for line in out:
            child.lines.put(line)
    child.lines.put(b"")


def _end(child: _Child, at_once: bool = False) -> None:
    process = child.process
    if at_once:
        process.kill()
    try:
        assert process.stdin is not None
        process.stdin.close()
    except OSError:
        pass  # it was gone already, with our last words in the pipe
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


_client = PredictorClient()


def client() -> PredictorClient:
    """The one client of this process."""
    return _client
