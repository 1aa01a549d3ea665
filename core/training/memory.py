"""How much memory this process takes for itself. Torch-free."""
from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

LOOK_SECONDS = 0.02


def own_bytes() -> int:
    """What belongs to this process alone. Files that are mapped, such as items and stored outputs, don't count: the system takes their
    memory back when it is needed elsewhere."""
    now = psutil.Process(os.getpid()).memory_info()
    shared = getattr(now, "shared", None)  # Linux: resident pages of files
    return getattr(now, "private", now.rss) if shared is None else now.rss - shared


class Peak:
    """The largest `own_bytes` seen so far."""

    def __init__(self) -> None:
        self.bytes = own_bytes()

    def look(self) -> None:
        self.bytes = max(self.bytes, own_bytes())


@contextmanager
def watched(every_s: float = LOOK_SECONDS) -> Iterator[Peak]:
    """The peak of what happens inside, looked at again and again by a thread."""
    peak, over = Peak(), threading.Event()

    def look() -> None:
        while not over.wait(every_s):
            peak.look()
    thread = threading.Thread(target=look, name="memory", daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()
        peak.look()
