"""Room for a run: on the disk, and in memory, where a run that finds too little of it computes fewer items at once. Torch-free.

    runs/<id>/most     so many items are computed at once at most
              reserve  a little of the disk, given up when it is full, so that it can still be written down what happened
"""
from __future__ import annotations

import errno
import shutil
from pathlib import Path

from core import events
from core.errors import UserError
from core.specs import RunSpec, from_json
from core.workspace import write_atomic

RESERVE_BYTES = 1 << 17
SPARE_BYTES = 8 << 20
NO_MEMORY = UserError("Out of memory.", "This machine has too little memory for this model at this input size.",
                      "Close other programs and resume it, or choose a smaller input size or a smaller model.")


def items_at_once(folder: Path) -> int | None:
    """None while nothing is known of it."""
    try:
        return int((folder / "most").read_text())
    except (FileNotFoundError, ValueError):
        return None


def fewer(folder: Path) -> bool:
    """Halve it, after memory ran out; False where it can't be less, or where memory ran out before it mattered."""
    run = from_json(RunSpec, (folder / "run.json").read_bytes())
    log = events.read(folder / "events.jsonl")
    told = next((event.items for event in reversed(log) if isinstance(event, events.Smaller)), run.config.batch_size)
    most = min(told, items_at_once(folder) or told)
    learned = any(isinstance(event, events.Step) for event in log)
    if most <= 1 or not learned and most < run.config.batch_size:
        return False
    write_atomic(folder / "most", str(most // 2).encode())
    return True


def reserve(folder: Path) -> None:
    write_atomic(folder / "reserve", bytes(RESERVE_BYTES))


def give_up_reserve(folder: Path) -> None:
    (folder / "reserve").unlink(missing_ok=True)


def check_disk(folder: Path, learns_bytes: int, model_bytes: int) -> None:
    """Raises `OSError` (ENOSPC) unless the disk takes what a run writes: where it stands (the weights that learn, the best of them, two numbers
    more of each for the optimizer; twice, and once more while it is written), and the trained model, which is also packed."""
    needed = 12 * learns_bytes + 2 * model_bytes + SPARE_BYTES
    if shutil.disk_usage(folder).free < needed:
        raise OSError(errno.ENOSPC, f"about {needed / 1e6:.0f} MB are needed", str(folder))


def disk_full(error: BaseException) -> bool:
    """Also as safetensors says it."""
    return getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error)
