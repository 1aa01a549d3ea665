from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ModelError, UserError
from core.jobs.downloads import KIND, fetch, forget, start, status
from core.jobs.side_jobs import Job, Report
from core.models.catalog import find
from core.models.pictures import weights
from core.workspace import Workspace
from tests.core.jobs.queued import wait_until
from tests.core.jobs.side import at_once

KEY = "mobilenet_v3_small"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every request goes to a door at which nobody listens; the weights are not on this machine."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def test_before_the_first_there_is_none(ws: Workspace) -> None:
    assert status(ws, KEY) is None


def test_without_a_network_it_fails_and_says_where_the_file_belongs(ws: Workspace, no_network: None) -> None:
    """The real process."""
    start(ws, KEY)
    first = status(ws, KEY)
    assert first is not None and first.state == "running"
    start(ws, KEY)
    assert status(ws, KEY).asked == first.asked, "one at a time"
    wait_until(lambda: status(ws, KEY).state != "running")
    said = str(status(ws, KEY).error)
    assert status(ws, KEY).state == "failed"
    assert said.startswith("No network: the weights of MobileNet v3 small can't be fetched.")
    assert find(KEY).weights_file in said and "Graft ResNet-10" in said
    assert not list(Path(str(ws.root.parent / "torch")).rglob("*.pth*"))
    forget(ws, KEY)
    assert status(ws, KEY) is None


def fetched(ws: Workspace, monkeypatch: pytest.MonkeyPatch, download) -> Job[str]:
    """How a download stands when fetching goes like this."""
    monkeypatch.setattr(weights, "download", download)
    at_once(monkeypatch, KIND, fetch)
    start(ws, KEY)
    return status(ws, KEY)


def test_bytes_are_counted_while_it_runs_and_the_end_is_kept(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def download(row, report: Report) -> None:
        report(1000, 5000)
        seen.append(status(ws, KEY))
        report(5000, 5000)
    done = fetched(ws, monkeypatch, download)
    assert (seen[0].state, seen[0].done, seen[0].total) == ("running", 1000, 5000)
    assert (done.state, done.done, done.result, done.error) == ("done", 5000, KEY, None)


def test_a_refusal_keeps_its_words(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(row, report: Report) -> None:
        raise ModelError("The weights of {model} could not be fetched.", "{file}: {problem}", "Try again.", model="M", file=Path("f"),
                         problem=7)
    failed = fetched(ws, monkeypatch, download)
    assert failed.state == "failed" and failed.fault.params == {"model": "M", "file": "f", "problem": 7}
    with pytest.raises(UserError, match="^The weights of M could not be fetched. f: 7 Try again.$"):
        raise failed.error


def test_an_unknown_model_is_refused(ws: Workspace) -> None:
    with pytest.raises(ModelError, match="resnet18"):
        start(ws, "resnet-18")
