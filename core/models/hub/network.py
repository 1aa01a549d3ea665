"""Whether the network is there, found out quickly and not over and over. Free of torch."""
from __future__ import annotations

import socket
import threading
import time
import urllib.request
from urllib.parse import urlsplit

CONNECT_S = 2.5
REMEMBER_S = 60.0
_answers: dict[str, tuple[float, bool]] = {}
"""Host and port -> when it was tried and whether it answered: a dead network is waited for once, not once a model."""


def reachable(url: str, all_proxy: bool = False) -> bool:
    """Whether the url's host (or the proxy in between) takes a connection within 3 s; the answer is kept for a minute.

    `all_proxy`: whether the library that will fetch it heeds ALL_PROXY, as Python's own does not.
    """
    host, port = _door(url, all_proxy)
    tried, answer = _answers.get(f"{host}:{port}", (-REMEMBER_S, False))
    if time.monotonic() - tried >= REMEMBER_S:
        answer = _connects(host, port)
        _answers[f"{host}:{port}"] = (time.monotonic(), answer)
    return answer


def _door(url: str, all_proxy: bool) -> tuple[str, int]:
    """The first host on the way to `url`."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxies = urllib.request.getproxies()
    proxy = proxies.get(parts.scheme) or (proxies.get("all") if all_proxy else None)
    if proxy and not urllib.request.proxy_bypass(host):
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        host = parts.hostname or host
    return host, parts.port or (443 if parts.scheme == "https" else 80)


def _connects(host: str, port: int) -> bool:
    answered = threading.Event()

    def attempt() -> None:
        try:
            socket.create_connection((host, port), timeout=CONNECT_S).close()
        except OSError:
            return
        answered.set()

    attempting = threading.Thread(target=attempt, daemon=True)  # a thread, since looking a name up knows no timeout
    attempting.start()
    attempting.join(CONNECT_S)
    return answered.is_set()
