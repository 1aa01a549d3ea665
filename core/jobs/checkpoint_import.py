"""A checkpoint file of somebody's own becomes a model, in a process of its own, with what came of it on disk.

Torch-free but for that process.

    downloads/checkpoint-<id>/    an import that runs, or has ended and was not yet looked at (see `core.jobs.side_jobs`)
"""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from core.errors import Fault, ModelError, NotFound
from core.jobs import side_jobs
from core.jobs.brought import Brought, Origin, Wording, clear_upload, file_of, titled
from core.jobs.side_jobs import Job, Kind, Report
from core.models.catalog import CATALOG, find, on_this_machine
from core.models.own import file_key
from core.models.rows import ModelRow
from core.models.texts.tokenizer_files import FILES as TOKENIZERS
from core.owners import LOCAL_OWNER
from core.workspace import Workspace, new_id

ENDINGS = (".pth", ".pt", ".bin", ".ckpt", ".safetensors")
SAID = Wording("The model is chosen by its name.", "A checkpoint is one file.")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A file, and the key of the architecture that it is for."""
    brought: Brought
    base: str


KIND = Kind("core.jobs.checkpoint_import", Checkpoint, Fault(
    "The file could not be read.", "The process that did it has ended without a word; memory may have run out.",
    "Close other programs, then try again."))


def architectures(task: str) -> list[ModelRow]:
    """The models of the catalog whose networks a file can be for. One that reads by a tokenizer needs it here: no checkpoint holds one."""
    rows = [row for row in CATALOG.values() if row.task == task and row.adapter != "words"]
    return [row for row in rows if row.adapter not in TOKENIZERS or on_this_machine(row)]


def start(ws: Workspace, title: str, base: str, origin: Origin, source: str, owner: str = LOCAL_OWNER) -> str:
    """Begin to make a model from a file, and return the import's id; see `status`.

    Raises `SettingsError` without a name, `ModelError` for an unknown architecture, and what `core.jobs.brought.file_of` raises.
    """
    wanted = Checkpoint(Brought(titled(title, SAID), owner, origin, source), find(base).key)
    file_of(ws, origin, source, SAID)
    key = new_id()
    side_jobs.start(KIND, ws, _folder(ws, key), wanted)
    return key


def again(ws: Workspace, key: str, base: str) -> str:
    """Begin anew with another architecture for the same file, and return the new import's id. Raises as `start`, and `NotFound`."""
    now = side_jobs.look(KIND, _folder(ws, key))
    if now is None:
        raise NotFound("This import is not here.", "It was cancelled, or it ended long ago.", "Choose the files again.")
    brought = now.ask.brought
    begun = start(ws, brought.title, base, brought.origin, brought.source, brought.owner)
    side_jobs.forget(_folder(ws, key))
    return begun


def status(ws: Workspace, key: str) -> Job[Checkpoint] | None:
    """How an import is going; None when there is none. The key of the model is its result."""
    now = side_jobs.look(KIND, _folder(ws, key))
    if now and now.fault == KIND.died:
        clear_upload(ws, now.ask.brought)
    return now


def like(now: Job[Checkpoint]) -> tuple[str, ...]:
    """Keys of the architectures that the file of a failed import fits; what was uploaded is kept for them."""
    return tuple(str(now.fault.params.get("like_keys", "")).split()) if now.fault else ()


def imports(ws: Workspace, owner: str) -> dict[str, Job[Checkpoint]]:
    """The owner's: those that run, and those that have ended and were not forgotten yet, by id; the oldest first."""
    keys = [path.name.removeprefix("checkpoint-") for path in (ws.root / "downloads").glob("checkpoint-*") if path.is_dir()]
    found = {key: now for key in keys if (now := status(ws, key)) and now.ask.brought.owner == owner}
    return dict(sorted(found.items(), key=lambda pair: pair[1].asked))


def forget(ws: Workspace, key: str) -> None:
    """An ended import was looked at: what was uploaded for it is of no use any more."""
    if now := side_jobs.look(KIND, _folder(ws, key)):
        clear_upload(ws, now.ask.brought)
    side_jobs.forget(_folder(ws, key))


def cancel(ws: Workspace, key: str) -> None:
    """Stop an import and remove what was uploaded for it."""
    now = side_jobs.look(KIND, _folder(ws, key))
    side_jobs.cancel(_folder(ws, key))
    if now:
        clear_upload(ws, now.ask.brought)


def make(ws: Workspace, folder: Path, wanted: Checkpoint, report: Report) -> str:
    """Make the model in this process, and return its key. What was uploaded goes, unless the file fits other architectures. Raises
    `UserError`."""
    from core.models.checkpoint_files import convert  # here: it needs torch

    brought, kept = wanted.brought, False
    try:
        path, name = file_of(ws, brought.origin, brought.source, SAID)
        with FileLock(ws.models / ".file.lock"):  # two files of one name get a key each
            return convert(ws, path, name, find(wanted.base), file_key(ws, brought.title), brought.title).key
    except ModelError as error:
        kept = bool(error.params.get("like_keys"))
        raise
    finally:
        if not kept:
            clear_upload(ws, brought)


def _folder(ws: Workspace, key: str) -> Path:
    ws.upload(key)  # what is no id is refused
    return ws.root / "downloads" / f"checkpoint-{key}"


if __name__ == "__main__":
    side_jobs.main(KIND, make)
