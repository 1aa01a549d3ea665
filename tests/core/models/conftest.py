"""One thread: the pictures here are tiny, and threads that wait for each other cost more than they bring. And no processes for conversions."""
from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
import torch

from core.models.hub import convert as hub_convert


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands of the children that are started; each is run in this process, as loading torch anew takes seconds."""
    started: list[list[str]] = []

    def run(words: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        started.append(words)
        said: list[str] = []
        monkeypatch.setattr("builtins.print", said.append)
        return subprocess.CompletedProcess(words, hub_convert.main(words[3:]), "\n".join(said), "")

    monkeypatch.setattr(hub_convert.subprocess, "run", run)
    return started
