"""Linux answers a lack of memory with SIGKILL: who shall be killed, and how to tell afterwards that it was that. Torch-free."""
from __future__ import annotations

import logging
from pathlib import Path

COUNTERS = (Path("/proc/vmstat"), Path("/sys/fs/cgroup/memory.events"))
"""Of the machine, and of the container that we may live in."""
SCORE = 500
log = logging.getLogger(__name__)


def volunteer() -> None:
    """Let the system take this process rather than the server when memory runs out."""
    path = Path("/proc/self/oom_score_adj")
    try:
        if path.exists() and int(path.read_text()) < SCORE:
            path.write_text(str(SCORE))
    except OSError as error:
        log.warning("the system may end another process than this when memory runs out: %s", error)


def kills() -> int:
    """How often a process was killed for memory since the machine started; 0 where the system does not count."""
    return sum(_count(path) for path in COUNTERS)


def _count(path: Path) -> int:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
