"""What every test stands on: a workspace of its own, no machine-wide caches, few threads."""
from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

from core.workspace import Workspace

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"

_own = pytest.StashKey[tuple[tempfile.TemporaryDirectory[str], pytest.MonkeyPatch]]()


def pytest_configure(config: pytest.Config) -> None:
    """Point everything that a test could read from or leave on the machine at an empty folder, also for processes it starts.

    Done before any test module is imported, so that nothing read at import sees the user's own folders, and once in each of the
    pytest processes that run side by side. Threads are limited through the environment and not through torch, which would have
    to be imported for it.
    """
    settings.register_profile("steady", derandomize=True, deadline=None)  # the same examples every time: what passed here passes there
    settings.load_profile("steady")
    folder = tempfile.TemporaryDirectory(prefix="graft-tests-", ignore_cleanup_errors=True)
    patch = pytest.MonkeyPatch()
    for name in ("GRAFT_HOME", "TORCH_HOME", "HF_HOME"):
        patch.setenv(name, str(Path(folder.name) / name.lower()))
    patch.setenv("HF_HUB_OFFLINE", "1")
    patch.setenv("GRAFT_MEASURE", "never")  # pages would have every model measured that they show
    threads = "1" if "PYTEST_XDIST_WORKER" in os.environ else "2"  # side by side each has one core
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        patch.setenv(name, threads)
    patch.setenv("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait by spinning take the cores from everything else
    patch.setenv("MKL_CBWR", "AVX2,STRICT")  # else products differ in their last bits by where a tensor happens to lie in memory
    patch.setenv("PYTHONUTF8", "1")
    patch.setenv("STREAMLIT_CLIENT_SHOW_ERROR_DETAILS", "full")  # a redacted exception tells a failing test nothing
    config.stash[_own] = (folder, patch)


def pytest_unconfigure(config: pytest.Config) -> None:
    folder, patch = config.stash[_own]
    patch.undo()
    folder.cleanup()


def pytest_make_parametrize_id(val: object) -> str | None:
    """Bytes are no part of a test's name, not even their number: packed ones hold the time of day, and processes that run side by side
    must find the same names."""
    return "bytes" if isinstance(val, bytes) else None


@pytest.fixture
def ws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """An empty workspace, which is also the one that `Workspace.open()` and started processes find."""
    monkeypatch.setenv("GRAFT_HOME", str(tmp_path / "workspace"))
    return Workspace.open()


@pytest.fixture(scope="session")
def shared() -> Path:
    """A folder `shared` beside the repository with real data (`data/`) and weights (`weights/`); without it the test is skipped."""
    if not SHARED.is_dir():
        pytest.skip("needs real data, and there is no folder `shared` beside the repository")
    return SHARED


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the project."""
    return ROOT
