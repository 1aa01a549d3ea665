"""Workspaces with everything that the pages can show, made by core itself: tiny real pictures, tiny real runs."""
from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from core.data.intake.pictures import check_and_thumbnail
from core.data.versions import Item, Rejected, Version, create_dataset
from core.errors import UserError
from core.events import Discarded
from core.jobs.life import KILLED, note_interruption, state_of
from core.jobs.processes import ProcessId
from core.jobs.runs import append, submit, write_failure
from core.models.catalog import DEFAULT, find
from core.owners import LOCAL_OWNER
from core.specs import DataSpec, ModelSpec, SplitName, TrainConfig
from core.training.presets import preset_plan
from core.workspace import Workspace, write_atomic
from tests.core.data.picture_files import jpeg
from tests.core.jobs.queued import left_as, worked_on

ROOT = Path(__file__).parents[2]
HOSTILE = ("![t](http://evil.example/x.png)", '<img src=x onerror="document.title=1">', "**bold** :red[x]", "$x$ ~~y~~ `z`")
"""Names that would fetch, run or change something if they were rendered."""
PETS, HELD, HOSTILES, THEIRS = "petsdataset", "helddataset", "hostiledataset", "theirdataset"
ENDED, VAL_ONLY, HOSTILE_RUN, DISCARDED, FAILED, INTERRUPTED, QUEUED, THEIR_RUN = (
    "endedrun", "valonlyrun", "hostilerun", "discardedrun", "failedrun", "interruptedrun", "queuedrun", "theirrun")
SOMEBODY = "somebodyelse"
TINY = TrainConfig("custom", epochs=2, input_size=64, batch_size=8)
Counts = Mapping[SplitName, int]
"""Pictures of each label on each side of the split."""


def add_dataset(ws: Workspace, key: str, labels: tuple[str, ...], counts: Counts, *, name: str = "", owner: str = LOCAL_OWNER,
                rejected: tuple[Rejected, ...] = (), same_test_pictures: bool = False) -> DataSpec:
    """A dataset of noise, with labels that no folder could have. `same_test_pictures`: every label bears the same ones, so that
    whatever is answered, all labels but one are mistaken."""
    items, seed = [], 0
    for idx in range(len(labels)):
        for side, n in counts.items():
            for number in range(n):
                seed += 1
                sha = _keep(ws, jpeg(10_000 + number if same_test_pictures and side == "test" else seed))
                items.append(Item(sha, f"{idx}/{side}-{number}.jpg", idx, side, 24, 18))
    return create_dataset(ws, key, name or key, owner, Version(labels, tuple(items), rejected, fixed_splits="test" not in counts))


def add_run(ws: Workspace, data: DataSpec, run_id: str, owner: str = LOCAL_OWNER) -> Path:
    """A run in the queue; nobody is there to start it."""
    submit(ws, owner, data, ModelSpec(DEFAULT), preset_plan(find(DEFAULT), "instant"), TINY, run_id)
    return ws.run(run_id)


def train(*folders: Path) -> None:
    """Carry out runs, as a worker does, in a process of its own: this one must stay free of torch."""
    code = "import sys, pathlib; from core.jobs.worker import run; [run(pathlib.Path(folder)) for folder in sys.argv[1:]]"
    subprocess.run([sys.executable, "-c", code, *map(str, folders)], cwd=ROOT, check=True, timeout=200)
    for folder in folders:
        assert state_of(folder) == "finished", (folder / "events.jsonl").read_text(encoding="utf-8")[-2000:]


def furnish(ws: Workspace) -> None:
    """Three trained runs (with test pictures, with validation only, with hostile names), and one of every other kind."""
    sides: Counts = {"train": 4, "val": 2, "test": 2}
    pets = add_dataset(ws, PETS, ("cat", "dog", "hen"), sides, name="pets", rejected=(
        Rejected("cat/notes.jpg", "The file is empty."), Rejected("cat/<b>x</b>.jpg", "The picture is damaged.")))
    held = add_dataset(ws, HELD, ("cat", "dog"), {"train": 4, "val": 3}, name="held")
    hostile = add_dataset(ws, HOSTILES, HOSTILE, sides, name=HOSTILE[0], same_test_pictures=True)
    theirs = add_dataset(ws, THEIRS, ("cat", "dog"), sides, name="theirs", owner=SOMEBODY)
    ended, val_only = add_run(ws, pets, ENDED), add_run(ws, held, VAL_ONLY)
    discarded, failed, interrupted, _queued = (add_run(ws, pets, key) for key in (DISCARDED, FAILED, INTERRUPTED, QUEUED))
    train(ended, val_only, add_run(ws, hostile, HOSTILE_RUN))
    append(discarded, Discarded())
    left_as(discarded, "discarded")
    write_failure(failed, UserError("The disk is full.", "The run could not be saved.", "Free some space and start the run again."))
    worked_on(interrupted, ProcessId(2**31 - 1, time.time() - 60))
    note_interruption(interrupted, KILLED)
    add_run(ws, theirs, THEIR_RUN, SOMEBODY)


def _keep(ws: Workspace, data: bytes) -> str:
    sha = hashlib.sha256(data).hexdigest()
    write_atomic(ws.blob(sha), data)
    write_atomic(ws.thumb(sha), check_and_thumbnail(data).thumb_jpeg)
    return sha
