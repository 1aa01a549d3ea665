"""Weights files: fetched once, offline found out once, and nothing wrong in them goes unsaid."""
from __future__ import annotations

import hashlib
import pickle
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from torchvision import models

from core.errors import ModelError
from core.models.build import build
from core.models.catalog import CATALOG, ModelRow, find, weights_path
from core.models.hub import network
from core.models.pictures import weights
from core.models.pictures.build import build_source
from core.models.pictures.weights import download, fetch, load_into

SQUEEZENET = CATALOG["squeezenet1_0"]


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(network, "_answers", {})


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """No network, and a list that grows with every attempt to reach it."""
    tried: list[object] = []

    def refuse(address: object, timeout: float | None = None) -> socket.socket:
        assert timeout is not None and timeout <= 3
        tried.append(address)
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket, "create_connection", refuse)
    return tried


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address under which it is published."""
    folder = tmp_path / "site"
    folder.mkdir()
    handler = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    server.handle_error = lambda request, address: None  # type: ignore[method-assign]  # a client that gives up is no news
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def put(row: ModelRow, content: object) -> Path:
    path = weights_path(row)
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    return path


def publish(site: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, content: bytes, digest: str | None = None) -> ModelRow:
    """A row whose file lies on the site under a name that carries the start of its checksum, as torchvision's do."""
    name = f"net-{(digest or hashlib.sha256(content).hexdigest())[:8]}.pth"
    (site[0] / name).write_bytes(content)
    monkeypatch.setattr(weights, "url_of", lambda row: f"{site[1]}/{row.weights_file}")
    return replace(SQUEEZENET, weights_file=name, size_bytes=len(content))


def test_without_a_network_the_way_out_is_named(attempts: list[object], tmp_path: Path) -> None:
    with pytest.raises(ModelError) as error:
        build(find("vgg16"), 2, 0)
    assert "No network" in str(error.value)
    assert error.value.params["file"] == "vgg16-397923af.pth"
    assert error.value.params["dir"] == str(tmp_path / "cache" / "hub" / "checkpoints")
    assert error.value.params["ready"] == "Graft ResNet-10"
    assert len(attempts) == 1


def test_a_dead_network_is_tried_once_a_minute(attempts: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(network.time, "monotonic", lambda: now[0])
    for key in ("vgg16", "resnet18", "swin_t"):
        with pytest.raises(ModelError, match="No network"):
            download(CATALOG[key], lambda done, total: None)
    assert len(attempts) == 1
    now[0] += 61
    with pytest.raises(ModelError, match="No network"):
        download(CATALOG["vgg16"], lambda done, total: None)
    assert len(attempts) == 2


def test_a_name_that_is_never_resolved_counts_as_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = threading.Event()

    def hang(address: object, timeout: float | None = None) -> socket.socket:
        hanging.wait(60)
        raise OSError("too late")

    monkeypatch.setattr(socket, "create_connection", hang)
    monkeypatch.setattr(network, "CONNECT_S", 0.05)
    try:
        with pytest.raises(ModelError, match="No network"):
            download(CATALOG["vgg16"], lambda done, total: None)
    finally:
        hanging.set()


def test_a_proxy_is_the_door_to_the_network(attempts: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    with pytest.raises(ModelError, match="No network"):
        download(CATALOG["vgg16"], lambda done, total: None)
    assert attempts == [("proxy.example", 3128)]


def test_a_download_reports_its_bytes_and_lands_in_the_cache(site: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytes(600_000)
    row = publish(site, monkeypatch, content)
    told: list[tuple[int, int]] = []
    path = download(row, lambda done, total: told.append((done, total)))
    assert path == weights_path(row) and path.read_bytes() == content
    assert told[0] == (0, 600_000) and told[-1] == (600_000, 600_000) and len(told) > 2
    assert [p.name for p in path.parent.iterdir()] == [row.weights_file]


def test_a_fetched_file_makes_the_model(site: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = build_source(find("squeezenet1_0"), 4, False, None)
    torch.save(source.model.state_dict(), tmp_path / "net.pth")
    row = publish(site, monkeypatch, (tmp_path / "net.pth").read_bytes())
    other = build_source(find("squeezenet1_0"), 5, False, None).model
    fetch(row)
    load_into(other, row)
    assert all(torch.equal(a, b) for a, b in zip(other.state_dict().values(), source.model.state_dict().values()))


@pytest.mark.parametrize("fault", ["damaged", "missing"])
def test_a_failed_download_leaves_nothing_behind(site: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    row = publish(site, monkeypatch, b"not what was promised", digest="0123456789abcdef")
    if fault == "missing":
        (site[0] / row.weights_file).unlink()
    with pytest.raises(ModelError, match="could not be fetched") as error:
        download(row, lambda done, total: None)
    assert error.value.params["file"] == row.weights_file
    assert list(weights_path(row).parent.iterdir()) == []


def test_giving_up_leaves_nothing_behind(site: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    row = publish(site, monkeypatch, bytes(600_000))

    def give_up(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(row, give_up)
    assert list(weights_path(row).parent.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"<html>Sign in</html>", b"PK\x03\x04" + bytes(500), [1, 2, 3], {"epoch": 3}])
def test_a_damaged_file_is_named(content: object) -> None:
    put(SQUEEZENET, content)
    with pytest.raises(ModelError, match="can't be read") as error:
        build(find("squeezenet1_0"), 2, 0)
    assert error.value.params["file"] == "squeezenet1_0-b66bff10.pth"


def test_a_cut_off_file_is_named() -> None:
    path = put(SQUEEZENET, build_source(find("squeezenet1_0"), 0, False, None).model.state_dict())
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(ModelError, match="can't be read"):
        build(find("squeezenet1_0"), 2, 0)


def test_weights_of_another_network_are_named() -> None:
    put(SQUEEZENET, {"fc.weight": torch.zeros(2, 2)})
    with pytest.raises(ModelError, match="don't fit") as error:
        build(find("squeezenet1_0"), 2, 0)
    assert error.value.params["file"] == "squeezenet1_0-b66bff10.pth"


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.path), "w")


def test_code_in_a_file_is_never_run(tmp_path: Path) -> None:
    put(SQUEEZENET, pickle.dumps(Trap(tmp_path / "sprung"), protocol=2))
    with pytest.raises(ModelError, match="can't be read"):
        build(find("squeezenet1_0"), 2, 0)
    put(SQUEEZENET, {"fc.weight": Trap(tmp_path / "sprung")})
    with pytest.raises(ModelError, match="can't be read"):
        build(find("squeezenet1_0"), 2, 0)
    assert not (tmp_path / "sprung").exists()


def test_inception_is_what_torchvision_makes_of_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file holds an auxiliary head, which is left out, and expects other colours, which the network converts."""
    state = models.inception_v3(init_weights=False).state_dict()
    put(CATALOG["inception_v3"], state)
    monkeypatch.setattr(models.Inception_V3_Weights, "get_state_dict", lambda *_, **__: state)
    theirs = models.inception_v3(weights="IMAGENET1K_V1").eval()
    x = torch.rand(2, 3, 80, 80)
    with torch.no_grad():
        assert torch.equal(build_source(find("inception_v3"), 0, True, None).eval()(x), theirs(x))
