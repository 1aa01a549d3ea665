"""The record of all faults, and one workspace whose processes are killed again and again."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.workspace import Workspace
from tests.core.jobs.queued import cleaned_up, dataset
from tests.faults.lives import PICTURES, Shop
from tests.faults.record import Record

FOUND = Path(__file__).parents[2] / "faults.json"
LAST = "test_every_kind.py"
_record = pytest.StashKey[Record]()


@pytest.fixture(scope="session")
def faults(request: pytest.FixtureRequest) -> Record:
    """Where every trial is counted; written down when the session ends."""
    return request.config.stash.setdefault(_record, Record())


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory, faults: Record) -> Iterator[Shop]:
    root = tmp_path_factory.mktemp("shop")
    ws = Workspace.open(root / "workspace")
    with cleaned_up(ws):
        yield Shop(ws, dataset(ws, root / "data", n=PICTURES), faults)


@pytest.fixture
def shop(opened: Shop) -> Iterator[Shop]:
    """A workspace with its processes. Left without a run: one that a failed test leaves behind would keep the others waiting."""
    yield opened
    opened.clear()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whether all kinds were tried is seen when all have been."""
    items.sort(key=lambda item: item.path.parent == Path(__file__).parent and item.path.name == LAST)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if record := session.config.stash.get(_record, None):
        record.write(FOUND)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if record := config.stash.get(_record, None):
        terminalreporter.section("faults")
        for counted in record.kinds.values():
            terminalreporter.write_line(counted.line())
