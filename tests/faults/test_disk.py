"""The disk fills up under a run. That needs a disk which may be filled: a small one in memory, seen by nobody else."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.jobs.processes import PROJECT
from tests.faults.record import Record

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ALONE = ("unshare", "--user", "--map-root-user", "--mount")
"""What follows runs where it may mount, and what it mounts is there for it alone."""


def refusal(folder: Path) -> str:
    """Why this system has no disk for us; empty where it has."""
    try:
        tried = subprocess.run([*ALONE, "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        return "this system has no `unshare`"
    return tried.stderr.strip() if tried.returncode else ""


def test_a_full_disk_pauses_a_run_and_nothing_is_lost(faults: Record, tmp_path: Path) -> None:
    """While it learns, for long, and before it begins."""
    disk, told = tmp_path / "disk", tmp_path / "record.json"
    disk.mkdir()
    if reason := refusal(disk):
        faults.skip("disk", f"no small disk could be mounted: {reason}")
    try:
        ended = subprocess.run([*ALONE, sys.executable, "-m", "tests.faults.small_disk", str(disk), str(told)], cwd=PROJECT, timeout=850,
                               env=dict(os.environ), capture_output=True, text=True)
    finally:
        if told.is_file():
            faults.join(told)
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-8000:]
