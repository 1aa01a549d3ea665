"""Where everything is kept. The only module that knows the folder layout.

    datasets/<id>/dataset.json, <version>.json     blobs/ab/<sha256>      uploads/<id>/      thumbs/<sha256>.jpg
    runs/<id>/run.json model.json torch_home hub_folder events.jsonl control worker.json exit.json predicted.json usage.json report.json best/ bundle.zip worker.log
    models/<key>/model.safetensors tokenizer.json
           <key>.safetensors <key>.tokenizer.json <key>.json importing/<key>/ incoming/      activations/  downloads/  costs/<model>.json probe/  drafts/<owner>.json
    owners.json  settings.json  machine.json  secret  supervisor.lock  *.log
"""
from __future__ import annotations

import os
import re
import secrets
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from core.errors import NotFound

ID = re.compile(r"[a-z0-9]{4,40}")


@dataclass(frozen=True, slots=True)
class Workspace:
    root: Path

    @classmethod
    def at(cls, root: Path | str | None = None) -> Workspace:
        """The workspace at `root`, else at `GRAFT_HOME`, else at `~/.graft`, to read from: nothing is made."""
        return cls(Path(root or os.environ.get("GRAFT_HOME") or Path.home() / ".graft").expanduser().resolve())

    @classmethod
    def open(cls, root: Path | str | None = None) -> Workspace:
        """The workspace of `at`; its folders are made when missing."""
        workspace = cls.at(root)
        for folder in (workspace.datasets, workspace.blobs, workspace.uploads, workspace.thumbs, workspace.runs,
                       workspace.activations, workspace.drafts):
            folder.mkdir(parents=True, exist_ok=True)
        return workspace

    @property
    def datasets(self) -> Path:
        return self.root / "datasets"

    @property
    def blobs(self) -> Path:
        return self.root / "blobs"

    @property
    def uploads(self) -> Path:
        return self.root / "uploads"

    @property
    def thumbs(self) -> Path:
        return self.root / "thumbs"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def activations(self) -> Path:
        return self.root / "activations"

    @property
    def drafts(self) -> Path:
        return self.root / "drafts"

    @property
    def models(self) -> Path:
        """What was converted once: weights and tokenizers of downloaded text models, and people's own word vectors, in the form that Graft
        reads."""
        return self.root / "models"

    def dataset(self, dataset_id: str) -> Path:
        return self.datasets / _checked(dataset_id)

    def run(self, run_id: str) -> Path:
        return self.runs / _checked(run_id)

    def upload(self, upload_id: str) -> Path:
        return self.uploads / _checked(upload_id)

    def draft(self, owner: str) -> Path:
        return self.drafts / f"{_checked(owner)}.json"

    def blob(self, sha: str) -> Path:
        _checked(sha, length=64)
        return self.blobs / sha[:2] / sha

    def thumb(self, sha: str) -> Path:
        return self.thumbs / f"{_checked(sha, length=64)}.jpg"


def new_id() -> str:
    """A short id that can't be guessed: 16 lower-case letters and digits, 80 bits."""
    alphabet = "abcdefghijkmnpqrstuvwxyz23456789"
    return "".join(secrets.choice(alphabet) for _ in range(16))


def write_atomic(path: Path, data: bytes) -> None:
    """Replace `path` by `data` so that a reader, or a crash, sees the old file or the new one and nothing between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def to_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, would outlive a machine that loses its power."""
    if path.is_dir() and sys.platform == "win32":  # there folders can't be opened
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(temporary: Path, path: Path) -> None:
    """Windows refuses while somebody has the old file open to read it, which never takes long."""
    for wait_s in (0.01, 0.03, 0.1, 0.3, None):
        try:
            return os.replace(temporary, path)
        except PermissionError:
            if sys.platform != "win32" or wait_s is None:
                raise
            time.sleep(wait_s)


def _checked(key: str, length: int | None = None) -> str:
    """An id is the only text that may become part of a path."""
    if not ((len(key) == length and re.fullmatch(r"[0-9a-f]+", key)) if length else ID.fullmatch(key)):
        raise NotFound("That does not exist here.", "“{key}” is no id of this workspace.", "Open it from the list of runs or datasets.",
                       key=key[:60])
    return key
