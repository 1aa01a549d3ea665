"""One run in one process: it reads the spec, trains, evaluates, writes the bundle, and says how it ended.

Started ahead of time, it imports everything and waits for the folder of a run on its standard input.
"""
from __future__ import annotations

import errno
import logging
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from core.errors import UserError, out_of_memory
from core.events import Discarded, Done, FirstModel, Preparing
from core.jobs.processes import this_process
from core.jobs.runs import FIRST, RunState, append, failure, wish_of, write_exit
from core.jobs.usage import note_usage
from core.shelf import Shelf
from core.specs import RunSpec, from_json, to_json
from core.workspace import Workspace, write_atomic

CONTROL_SECONDS = 0.1
PROGRESS_SECONDS = 0.1
Control = Callable[[], Literal["go", "keep", "discard"]]
log = logging.getLogger(__name__)


def run(folder: Path) -> None:
    """Carry out the run in `folder` and write `exit.json`, whatever happens."""
    write_atomic(folder / "worker.json", to_json(this_process()))
    logging.basicConfig(filename=folder / "worker.log", level=logging.INFO, format="%(asctime)s %(name)s %(message)s", encoding="utf-8",
                        force=True)
    last = None
    try:
        state = _carry_out(folder)
    except UserError as error:
        log.exception("run failed")
        state, last = "failed", failure(error, traceback.format_exc())
    except Exception as error:  # the last line of defence: whatever it is, the page must be able to say so
        log.exception("run failed")
        state, last = "failed", failure(_named(error), traceback.format_exc())
    if last:
        append(folder, last)
    else:
        (folder / "best.safetensors").unlink(missing_ok=True)  # it is in the bundle, or was discarded
        shutil.rmtree(folder / FIRST, ignore_errors=True)  # there is a better one, or none was wanted
    write_exit(folder, state)


def _carry_out(folder: Path) -> RunState:
    from core.training.memory import watched

    with watched() as memory:
        state = _train(folder)
    if state in ("finished", "stopped"):
        note_usage(folder, memory.bytes)
    return state


def _train(folder: Path) -> RunState:
    from core.jobs.assemble import assemble, finish, publish_first
    from core.training.fit import fit

    spec = from_json(RunSpec, (folder / "run.json").read_bytes())
    ws, control, state = Workspace.open(folder.parent.parent), _control(folder), "finished"
    progress = _Reporter(folder, control)
    try:
        progress.go_on()
        parts = assemble(ws, spec, progress)
    except _Unwanted:
        append(folder, Discarded())
        return "discarded"
    for event in fit(spec, parts.network, parts.splits, len(parts.version.labels), folder, control, parts.precision, Shelf(ws.activations)):
        if isinstance(event, FirstModel):
            publish_first(ws, spec, folder, parts)
        if isinstance(event, Discarded):
            state = "discarded"
        if isinstance(event, Done):
            finish(ws, spec, folder, parts)
            state = "stopped" if event.stopped else "finished"
        append(folder, event)
    return state  # type: ignore[return-value]


class _Unwanted(Exception):
    """The user discarded the run before it had anything to train."""


class _Reporter:
    """Takes the progress of the preparation: writes it down a few times a second, and ends it when the run is discarded."""

    def __init__(self, folder: Path, control: Control) -> None:
        self._folder, self._control, self._last = folder, control, 0.0

    def go_on(self) -> None:
        """Raises `_Unwanted` when the run is discarded."""
        if self._control() == "discard":
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

    def look() -> Literal["go", "keep", "discard"]:
        nonlocal last, wish
        if wish == "go" and time.monotonic() - last > CONTROL_SECONDS:
            last, wish = time.monotonic(), wish_of(folder)
        return wish  # type: ignore[return-value]
    return look


def _named(error: Exception) -> UserError:
    text = str(error)
    if out_of_memory(error):
        return UserError("Out of memory.", "This machine has too little memory for this model at this batch size.",
                         "Halve the batch size, choose a smaller input size or a smaller model.")
    if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in text:  # the second: as safetensors says it
        return UserError("The disk is full.", "The run could not be saved.", "Free some space and start the run again.")
    if "Expected more than 1 value per channel" in text:
        return UserError("The batches are too small.", "BatchNorm can't learn from a single value.",
                         "Choose a batch size of 8 or more, or a larger input size.")
    if isinstance(error, FileNotFoundError):
        return UserError("A file of the dataset is gone.", "{file} is no longer in the workspace.",
                         "Upload the data again and start the run again.", file=Path(error.filename or text).name)
    return UserError("The training stopped unexpectedly.", "{kind}: {text}", "Start the run again; its log is below.",
                     kind=type(error).__name__, text=text[:300])


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

    best_device()  # the library that knows takes half a second to load
    torch.set_flush_denormal(True)  # numbers below 1e-38 change nothing, but take a processor a hundred times as long
    if folder := sys.stdin.buffer.readline().rstrip(b"\r\n"):  # bytes: what text is on a pipe differs between systems
        _see_weights_of(Path(os.fsdecode(folder)))
        run(Path(os.fsdecode(folder)))


if __name__ == "__main__":
    main()
