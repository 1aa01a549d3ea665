"""A tiny model as it lies on the Hugging Face Hub, and a server that answers as the hub does."""
from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save
from tokenizers import Tokenizer
from tokenizers.models import WordPiece

from core.models.hub import network

COMMIT = "c0ffee0123456789c0ffee0123456789c0ffee01"
CONFIG = {"model_type": "bert", "vocab_size": 8, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
          "intermediate_size": 16, "max_position_embeddings": 8}
VOCABULARY = {word: i for i, word in enumerate(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cat", "dog", "##s"))}


def tiny_files() -> dict[str, bytes]:
    """The files of a small BERT as they are named there; the weights are only a few, which nothing but loading would notice."""
    return {
        "config.json": json.dumps(CONFIG).encode(),
        "model.safetensors": save({"embeddings.word_embeddings.weight": torch.rand(8, 5000)}, {"format": "pt"}),
        "tokenizer.json": Tokenizer(WordPiece(VOCABULARY, unk_token="[UNK]")).to_str().encode(),
        "tokenizer_config.json": b'{"do_lower_case": true}',
    }


def put(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@dataclass(frozen=True)
class Answer:
    """`cut`: the connection breaks after so many bytes of the body."""
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: int | None = None


@dataclass
class Hub:
    """`models`: id -> files. `broken`: file -> what is sent in its place. `cuts`: file -> how often the connection breaks after 1000 bytes.
    `gated`, `refused`: ids. `down`: every answer is a 503. `silent`: paths that hold this are never answered. `asked`: method and path of
    each request."""
    url: str = ""
    models: dict[str, dict[str, bytes]] = field(default_factory=dict)
    broken: dict[str, bytes] = field(default_factory=dict)
    cuts: dict[str, int] = field(default_factory=dict)
    down: bool = False
    silent: str = ""
    gated: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def sent(self) -> list[str]:
        """Names of the files that were fetched."""
        return [path.rpartition("/")[2] for method, path in self.asked if method == "GET" and ("/resolve/" in path or "/cdn/" in path)]

    def answer(self, method: str, path: str) -> Answer:
        if self.down:
            return Answer(503)
        if path.startswith("/api/models/"):
            return self._info(path.removeprefix("/api/models/"))
        if path.startswith("/cdn/"):
            repo, _, name = path.removeprefix("/cdn/").rpartition("/")
            return self._content(method, repo, name, {})
        repo, _, rest = path.removeprefix("/").partition("/resolve/")
        return self._file(method, repo, rest.partition("/")[2])

    def _info(self, repo: str) -> Answer:
        """What the hub says of a model: its files, with their sizes and sums."""
        if repo in self.refused:
            return Answer(401, {"X-Error-Message": "Invalid credentials in Authorization header"})
        if repo not in self.models:
            return Answer(404, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
        rows = [{"rfilename": name, "size": len(content), "blobId": git_id(content),
                 **({"lfs": {"sha256": sha256(content), "size": len(content), "pointerSize": 134}} if is_large(name) else {})}
                for name, content in self.models[repo].items()]
        said = {"id": repo, "modelId": repo, "sha": COMMIT, "siblings": rows, "tags": [], "downloads": 1}
        return Answer(200, {"Content-Type": "application/json"}, json.dumps(said).encode())

    def _file(self, method: str, repo: str, name: str) -> Answer:
        """A small file itself; of a large one where it lies: on another host, as theirs is."""
        if repo in self.gated:
            return Answer(401, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to this model is restricted."})
        content = self.models[repo][name]
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{git_id(content)}"'}
        if not is_large(name):
            return self._content(method, repo, name, headers)
        elsewhere = f"{self.url}/cdn/{repo}/{name}".replace("127.0.0.1", "localhost")
        return Answer(302, headers | {"X-Linked-Etag": f'"{sha256(content)}"', "X-Linked-Size": str(len(content)), "Location": elsewhere})

    def _content(self, method: str, repo: str, name: str, headers: dict[str, str]) -> Answer:
        content = self.broken.get(name, self.models[repo][name])
        if method == "GET" and self.cuts.get(name, 0):
            self.cuts[name] -= 1
            return Answer(200, headers, content, cut=1000)
        return Answer(200, headers, content)


def is_large(name: str) -> bool:
    return name.endswith((".safetensors", ".bin", ".model", ".onnx", ".h5", ".gguf"))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def git_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def online(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """The network allowed for one test, with an empty cache, no proxies, and huggingface_hub afterwards as it was."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "http_proxy", "https_proxy",
                 "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(cache))
    monkeypatch.setattr(network, "_answers", {})
    for name in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_XET", "DOWNLOAD_CHUNK_SIZE"):
        monkeypatch.setattr(constants, name, getattr(constants, name))  # so that it is put back


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """At `hub.url`, until the context ends."""
    closing = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub, closing))
    server.handle_error = lambda request, address: None  # type: ignore[method-assign]  # a client that gives up is no news
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        closing.set()
        server.shutdown()
        server.server_close()


def _handler(hub: Hub, closing: threading.Event) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None: ...

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.asked.append((self.command, path))
            if hub.silent and hub.silent in path:
                closing.wait(60)
                return
            answer = hub.answer(self.command, path)
            self.send_response(answer.status)
            for key, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(answer.body[:answer.cut])
                self.close_connection |= answer.cut is not None

        do_HEAD = do_GET
    return Handler
