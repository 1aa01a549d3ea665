"""Waiting for arrays to be on the disk: they get there in a thread of their own."""
from __future__ import annotations

import time

from core.workspace import Workspace

LONGEST_S = 60


def until_kept(ws: Workspace) -> None:
    until = time.monotonic() + LONGEST_S
    while list(ws.activations.glob("*.part")):
        assert time.monotonic() < until, "an array was never kept"
        time.sleep(0.01)
