"""A page elsewhere that gives this machine a name of its own (DNS rebinding) gets no session."""
from __future__ import annotations

from collections.abc import Callable
from http.client import HTTPConnection

import pytest


@pytest.fixture(scope="module")
def port(serve_app: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> int:
    page = tmp_path_factory.mktemp("app") / "hello.py"
    page.write_text("import streamlit as st\nst.write('hello')\n", encoding="utf-8")
    return int(serve_app(page).rpartition(":")[2])


@pytest.mark.parametrize("name, status", [("127.0.0.1", 101), ("localhost", 101), ("graft.attacker.example", 403)])
def test_only_our_own_names_open_a_session(port: int, name: str, status: int) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/_stcore/stream", headers={
        "Host": f"{name}:{port}", "Origin": f"http://{name}:{port}", "Connection": "Upgrade", "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "Z3JhZnQgZ3JhZnQgZ3JhZg=="})
    assert connection.getresponse().status == status
    connection.close()
