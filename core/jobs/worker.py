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
from collections.abc import Iterator
from pathlib import Path

from core.errors import UserError
from core.events import Discarded, Done, Event, Preparing
from core.jobs.processes import this_process
from core.jobs.runs import append, wish_of, write_exit, write_failure
from core.specs import RunSpec, from_json, to_json
from core.workspace import Workspace, write_atomic

CONTROL_SECONDS = 0.1
PROGRESS_SECONDS = 0.1
log = logging.getLogger(__name__)


def run(folder: Path) -> None:
    """Carry out the run in `folder` and write `exit.json`, whatever happens."""
    write_atomic(folder / "worker.json", to_json(this_process()))
    logging.basicConfig(filename=folder / "worker.log", level=logging.INFO, format="%(asctime)s %(name)s %(message)s", force=True)
    try:
        state = _carry_out(folder)
        write_exit(folder, state)
    except UserError as error:
        log.exception("run failed")
        write_failure(folder, error, traceback.format_exc())
    except Exception as error:  # the last line of defence: whatever it is, the page must be able to say so
        log.exception("run failed")
        write_failure(folder, _named(error), traceback.format_exc())
    finally:
        shutil.rmtree(folder / "activations", ignore_errors=True)


def _carry_out(folder: Path) -> str:
    from core.jobs.assemble import assemble, finish
    from core.training.fit import fit

    spec = from_json(RunSpec, (folder / "run.json").read_bytes())
    ws = Workspace.open(folder.parent.parent)
    parts = assemble(ws, spec, _Reporter(folder).report)
    state = "finished"
    for event in fit(spec, parts.network, parts.splits, len(parts.version.labels), folder, _control(folder)):
        if isinstance(event, Discarded):
            state = "discarded"
        if isinstance(event, Done):
            finish(ws, spec, folder, parts)
            state = "stopped" if event.stopped else "finished"
        append(folder, event)
    return state


class _Reporter:
    """Writes progress of the preparation, a few times a second."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.last = folder, 0.0

    def report(self, done: int, total: int) -> None:
        if done == total or time.monotonic() - self.last > PROGRESS_SECONDS:
            self.last = time.monotonic()
            append(self.folder, Preparing("reading", done, total))


def _control(folder: Path):
    """The user's wish, looked up a few times a second."""
    last, wish = 0.0, "go"

    def look() -> str:
        nonlocal last, wish
        if wish == "go" and time.monotonic() - last > CONTROL_SECONDS:
            last, wish = time.monotonic(), wish_of(folder)
        return wish
    return look


def _named(error: Exception) -> UserError:
    text = str(error)
    if isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text:
        return UserError("Out of memory.", "The machine has no room for this model at this batch size.",
                         "Halve the batch size, choose a smaller input size or a smaller model.")
    if isinstance(error, OSError) and error.errno == 28:
        return UserError("The disk is full.", "The run could not be saved.", "Free some space and start the run again.")
    if isinstance(error, FileNotFoundError):
        return UserError("A file of the dataset is gone.", "{file} is no longer in the workspace.",
                         "Upload the data again and start the run again.", file=Path(error.filename or "").name)
    return UserError("The training stopped unexpectedly.", "{kind}: {text}", "Start the run again; its log is below.",
                     kind=type(error).__name__, text=text[:300])


def main() -> None:
    import torch

    import core.jobs.assemble  # noqa: F401  (imported while waiting, so that a run starts at once)
    import core.tasks.images  # noqa: F401
    import core.training.fit  # noqa: F401
    torch.set_num_threads(os.cpu_count() or 1)
    folder = sys.stdin.readline().strip()
    if folder:
        run(Path(folder))


if __name__ == "__main__":
    main()
