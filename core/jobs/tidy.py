"""What runs leave behind is cleared away in time. Torch-free."""
from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path

from core.errors import UserError
from core.jobs.about import DAYS, about
from core.jobs.life import ENDED, LIVING, exit_of, state_of
from core.jobs.runs import LAST, PREVIOUS
from core.workspace import Workspace

KEPT = (LAST, PREVIOUS, f"{LAST}.part")
"""Where a training stands: as large as what learns, four times."""
MOST_BYTES = 5 << 30
"""So much of it is kept of runs that have ended, to train them longer; of the oldest it goes first."""
log = logging.getLogger(__name__)


def tidy(ws: Workspace) -> None:
    """Remove what was deleted or discarded long ago, and where old trainings ended."""
    ended = list[tuple[float, Path]]()
    for folder in [path.parent for path in ws.runs.glob("*/run.json")]:
        try:
            state, end = state_of(folder), exit_of(folder)
        except UserError as error:
            log.warning("run %s is left out: %s", folder.name, error)
            continue
        if about(folder).expired and state not in LIVING | {"queued"}:
            shutil.rmtree(folder, ignore_errors=True)
        elif end and state == "discarded" and time.time() - end.t > DAYS * 24 * 3600:
            _forget(folder)
        elif end and state in ENDED:
            ended.append((end.t, folder))
    total = 0
    for _, folder in sorted(ended, reverse=True):
        total += sum(path.stat().st_size for name in KEPT if (path := folder / name).is_file())
        if total > MOST_BYTES:
            _forget(folder)


def _forget(folder: Path) -> None:
    for name in KEPT:
        (folder / name).unlink(missing_ok=True)
