from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from core.errors import ModelError, UserError
from core.jobs import downloads
from core.jobs.downloads import Download, forget, start, status
from core.jobs.processes import process_id, this_process
from core.models.catalog import find
from core.models.pictures import weights
from core.specs import from_json, to_json
from core.workspace import Workspace, write_atomic
from tests.core.jobs.queued import sleeper, wait_until

KEY = "mobilenet_v3_small"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every request goes to a door at which nobody listens; the weights are not on this machine."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def written(ws: Workspace) -> Download:
    return from_json(Download, (ws.root / "downloads" / f"{KEY}.json").read_bytes())


def test_before_the_first_there_is_none(ws: Workspace) -> None:
    assert status(ws, KEY) is None


def test_without_a_network_it_fails_and_says_where_the_file_belongs(ws: Workspace, no_network: None) -> None:
    """The real process."""
    start(ws, KEY)
    first = status(ws, KEY)
    assert first is not None and first.state == "running" and first.process
    start(ws, KEY)
    assert status(ws, KEY).process == first.process, "one at a time"
    wait_until(lambda: status(ws, KEY).state != "running")
    with pytest.raises(UserError) as caught:
        status(ws, KEY).raise_error()
    assert status(ws, KEY).state == "failed"
    assert str(caught.value).startswith("No network: the weights of MobileNet v3 small can't be fetched.")
    assert find(KEY).weights_file in str(caught.value) and "Graft ResNet-10" in str(caught.value)
    assert not list(Path(str(ws.root.parent / "torch")).rglob("*.pth*"))


def test_two_tabs_at_once_start_one(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with sleeper() as process:
        started = []
        monkeypatch.setattr(downloads, "start_module", lambda *args, **options: started.append(args) or process)
        tabs = [threading.Thread(target=start, args=(ws, KEY)) for _ in range(6)]
        for tab in tabs:
            tab.start()
        for tab in tabs:
            tab.join()
        assert len(started) == 1 and status(ws, KEY).state == "running"


def fetched(ws: Workspace, monkeypatch: pytest.MonkeyPatch, download) -> Download:
    """What the child writes when fetching goes like this."""
    (ws.root / "downloads").mkdir(exist_ok=True)
    monkeypatch.setattr(weights, "download", download)
    monkeypatch.setattr(sys, "argv", ["downloads", str(ws.root), KEY])
    downloads.main()
    return status(ws, KEY)


def test_progress_is_written_and_the_end(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def download(row, report) -> None:
        report(1000, 5000)
        seen.append(status(ws, KEY))
    done = fetched(ws, monkeypatch, download)
    assert (seen[0].state, seen[0].done, seen[0].total, seen[0].process.pid) == ("running", 1000, 5000, this_process().pid)
    assert done.state == "done" and done.done == done.total == find(KEY).size_bytes
    done.raise_error()


def test_a_refusal_keeps_its_words(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(row, report) -> None:
        raise ModelError("The weights of {model} could not be fetched.", "{file}: {problem}", "Try again.", model="M", file=Path("f"),
                         problem=7)
    failed = fetched(ws, monkeypatch, download)
    assert failed.state == "failed" and failed.params == {"model": "M", "file": "f", "problem": 7}
    with pytest.raises(UserError, match="^The weights of M could not be fetched. f: 7 Try again.$"):
        failed.raise_error()


def test_one_that_died_without_a_word_has_failed_and_can_be_tried_again(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with sleeper() as process:
        monkeypatch.setattr(downloads, "start_module", lambda *args, **options: process)
        start(ws, KEY)
        assert status(ws, KEY).state == "running"
    assert status(ws, KEY).state == "failed" and status(ws, KEY).error[0] == "The download stopped."
    with sleeper() as second:
        monkeypatch.setattr(downloads, "start_module", lambda *args, **options: second)
        start(ws, KEY)
        assert written(ws).process == process_id(second.pid)


def test_a_result_that_was_seen_is_forgotten(ws: Workspace) -> None:
    write_atomic(ws.root / "downloads" / f"{KEY}.json", to_json(Download("done")))
    assert status(ws, KEY).state == "done"
    forget(ws, KEY)
    forget(ws, KEY)
    assert status(ws, KEY) is None


def test_an_unknown_model_is_refused(ws: Workspace) -> None:
    with pytest.raises(ModelError, match="resnet18"):
        start(ws, "resnet-18")
