"""One run in one process: it reads the spec, trains, evaluates, writes the bundle, and says how it ended.

Started ahead of time, it imports everything and waits for the folder of a run on its standard input.
"""
from __future__ import annotations

import logging
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from filelock import FileLock

from core import events
from core.errors import UserError, out_of_memory
from core.events import Discarded, Done, FirstModel, Paused, Preparing, Resumed, RunState, Smaller, Step
from core.jobs.life import DISK_FULL, ENDED, change
from core.jobs.oom import volunteer
from core.jobs.room import NO_MEMORY, check_disk, disk_full, give_up_reserve, reserve
from core.jobs.runs import FIRST, PREVIOUS, append, failure, wish_of
from core.jobs.usage import note_usage
from core.shelf import Shelf
from core.specs import RunSpec, from_json
from core.workspace import Workspace

LOCK_SECONDS = 10.0
CONTROL_SECONDS = 0.1
PROGRESS_SECONDS = 0.1
Wish = Literal["go", "pause", "keep", "discard"]
Control = Callable[[], Wish]
log = logging.getLogger(__name__)


def run(folder: Path) -> None:
    """Carry out the run in `folder`, or go on with it, and write down how it was left, whatever happens."""
    with FileLock(folder / ".worker.lock", timeout=LOCK_SECONDS):  # released by the system when a process dies: never two at once
        if not change(folder, "preparing"):
            return
        logging.basicConfig(filename=folder / "worker.log", level=logging.INFO, format="%(asctime)s %(name)s %(message)s", encoding="utf-8",
                            force=True)
        try:
            events.mend(folder / "events.jsonl")
            reserve(folder)
            state = _carry_out(folder)
        except UserError as error:
            log.exception("run failed")
            _fail(folder, failure(error, traceback.format_exc()))
        except Exception as error:  # the last line of defence: whatever it is, the page must be able to say so
            log.exception("run failed")
            if disk_full(error):
                give_up_reserve(folder)
                change(folder, "paused", DISK_FULL)
            else:
                _fail(folder, failure(*_named(error)))
        else:
            if state in ENDED:
                shutil.rmtree(folder / FIRST, ignore_errors=True)  # there is a better one, or none was wanted
                (folder / PREVIOUS).unlink(missing_ok=True)
            change(folder, state)
        give_up_reserve(folder)


def _fail(folder: Path, event: events.Failed) -> None:
    give_up_reserve(folder)
    append(folder, event)
    change(folder, "failed")


def _carry_out(folder: Path) -> RunState:
    from core.training.memory import watched

    with watched() as memory:
        state = _train(folder)
    if state in ("finished", "stopped"):
        note_usage(folder, memory.bytes)
    return state


def _train(folder: Path) -> RunState:
    from core.jobs.assemble import assemble, finish, most_at_once, publish_first, remember_most
    from core.training.fit import fit
    from core.training.standing import standing

    spec = from_json(RunSpec, (folder / "run.json").read_bytes())
    ws, control, before = Workspace.open(folder.parent.parent), _control(folder), standing(folder)
    progress, learns = _Reporter(folder, control), False
    try:
        progress.go_on()
        parts = assemble(ws, spec, progress, before.precision if before else None)
    except _Unwanted:
        append(folder, Paused() if control() == "pause" else Discarded())
        return "paused" if control() == "pause" else "discarded"
    check_disk(folder, *parts.bytes(spec.plan))
    if before is None and any(isinstance(event, Step) for event in events.read(folder / "events.jsonl")):
        append(folder, Resumed(0, 0))  # what an earlier process learned was not kept: it is learned again
    most = most_at_once(ws, spec, folder, before is None)
    for event in fit(spec, parts.network, parts.splits, len(parts.version.labels), folder, control, parts.precision, Shelf(ws.activations), most):
        if isinstance(event, FirstModel):
            publish_first(ws, spec, folder, parts)
        if isinstance(event, Smaller):
            most = event.items
        if isinstance(event, Done):
            finish(ws, spec, folder, parts)
            remember_most(ws, spec, most)
        append(folder, event)
        if isinstance(event, Step) and not learns:
            learns = change(folder, "running")
    match event:
        case Done():
            return "stopped" if event.stopped else "finished"
        case Paused():
            return "paused"
        case _:
            return "discarded"


class _Unwanted(Exception):
    """The user paused or discarded the run before it had anything to train."""


class _Reporter:
    """Takes the progress of the preparation: writes it down a few times a second, and ends it when the run is discarded."""

    def __init__(self, folder: Path, control: Control) -> None:
        self._folder, self._control, self._last = folder, control, 0.0

    def go_on(self) -> None:
        """Raises `_Unwanted` when the run is paused or discarded."""
        if self._control() in ("pause", "discard"):
            raise _Unwanted

    def reading(self, done: int, total: int) -> None:
        self.go_on()
        if done == total or time.monotonic() - self._last > PROGRESS_SECONDS:
            self._last = time.monotonic()
            append(self._folder, Preparing("reading", done, total))

    def fetching(self, done: int, total: int) -> None:
        self.go_on()


def _control(folder: Path) -> Control:
    """The user's wish, looked up a few times a second. The first one counts."""
    last, wish = 0.0, "go"

    def look() -> Wish:
        nonlocal last, wish
        if wish == "go" and time.monotonic() - last > CONTROL_SECONDS:
            last, wish = time.monotonic(), wish_of(folder)
        return wish  # type: ignore[return-value]
    return look


def _named(error: Exception) -> tuple[UserError, str, str]:
    """What a reader is told, the log, and the kind of failure."""
    text, told, kind = str(error), None, ""
    if out_of_memory(error):
        told, kind = NO_MEMORY, "memory"
    elif "Expected more than 1 value per channel" in text:
        told = UserError("The batches are too small.", "BatchNorm can't learn from a single value.",
                         "Choose a batch size of 8 or more, or a larger input size.")
    elif isinstance(error, FileNotFoundError):
        told, kind = UserError("A file of the dataset is gone.", "{file} is no longer in the workspace.",
                               "Upload the data again and start the run again.", file=Path(error.filename or text).name), "data"
    else:
        told = UserError("The training stopped unexpectedly.", "{kind}: {text}", "Start the run again; its log is below.",
                         kind=type(error).__name__, text=text[:300])
    return told, traceback.format_exc(), kind


def _see_weights_of(folder: Path) -> None:
    """Look for weights where whoever submitted the run saw them: this process has the environment of a supervisor that may be older."""
    for name, variable in (("torch_home", "TORCH_HOME"), ("hub_folder", "HF_HUB_CACHE")):
        if (said := folder / name).is_file():
            os.environ[variable] = os.fsdecode(said.read_bytes())


def main() -> None:
    import torch

    import core.jobs.assemble  # noqa: F401  (imported while waiting, so that a run starts at once)
    import core.tasks.images  # noqa: F401
    import core.tasks.texts  # noqa: F401
    import core.training.fit  # noqa: F401
    from core.training.devices import best_device

    volunteer()
    best_device()  # the library that knows takes half a second to load
    torch.set_flush_denormal(True)  # numbers below 1e-38 change nothing, but take a processor a hundred times as long
    if folder := sys.stdin.buffer.readline().rstrip(b"\r\n"):  # bytes: what text is on a pipe differs between systems
        _see_weights_of(Path(os.fsdecode(folder)))
        run(Path(os.fsdecode(folder)))


if __name__ == "__main__":
    main()
