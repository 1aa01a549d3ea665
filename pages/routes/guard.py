"""The one check before every route and socket of ours: Host, then Origin, then the signed token, then the owner."""
from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.websockets import WebSocket
from streamlit import config
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

from core.errors import NotAllowed, UserError
from core.owners import owner_of
from core.workspace import Workspace
from pages.routes import tokens
from pages.routes.answers import refusal, safe

log = logging.getLogger(__name__)

LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what their token lets them ask for."""
    owner: str
    claims: dict[str, str]


Handler = Callable[[Request, Caller, Workspace], Awaitable[Response]]
SocketHandler = Callable[[WebSocket, Caller, Workspace], Awaitable[None]]


def guarded(scope: str) -> Callable[[Handler], Callable[[Request], Awaitable[Response]]]:
    """Make `handler` the endpoint of a Route. Whoever fails the check, and every `UserError` raised inside, gets a JSON answer."""
    def decorate(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                ws = Workspace.open()
                check_place(request)
                caller = check_token(request, ws, scope)
                return safe(await handler(request, caller, ws))
            except UserError as error:
                return refusal(request, error)
        return endpoint
    return decorate


def guarded_socket(scope: str) -> Callable[[SocketHandler], Callable[[WebSocket], Awaitable[None]]]:
    """Make `handler` the endpoint of a WebSocketRoute; it is called, and may accept, only after the check has passed."""
    def decorate(handler: SocketHandler) -> Callable[[WebSocket], Awaitable[None]]:
        async def endpoint(websocket: WebSocket) -> None:
            try:
                ws = Workspace.open()
                check_place(websocket)
                caller = check_token(websocket, ws, scope)
            except UserError as error:
                log.info("socket refused: %s", error)
                await websocket.close(1008)
                return
            await handler(websocket, caller, ws)
        return endpoint
    return decorate


def check_host(connection: HTTPConnection) -> None:
    """The request came to a name of ours, not to one that somebody pointed at this machine. Raises `NotAllowed`."""
    host = connection.headers.get("host")
    if not host_allowed(host):
        raise NotAllowed("This address is not allowed.", "The app does not answer under the name “{host}”.",
                         "Open it as localhost, or add the name to server.allowedHosts.", host=(host or "")[:80])


def check_place(connection: HTTPConnection) -> None:
    """Host, then Origin: the request also came from a page of ours. Raises `NotAllowed`.

    A request that reads may come without Origin (a picture, a link), unless the browser itself says that another site made it.
    """
    check_host(connection)
    host = connection.headers["host"]
    origin = connection.headers.get("origin")
    reads = connection.scope["type"] == "http" and connection.scope["method"] in ("GET", "HEAD")
    if origin is not None:
        ours = origin.partition("://")[2].lower() == host.lower()
    else:
        ours = reads and connection.headers.get("sec-fetch-site", "none") in ("same-origin", "none")
    if not ours:
        raise NotAllowed("This request came from another page.", "Only pages of this app may ask for this.",
                         "Open the app itself and try there.")


def check_token(connection: HTTPConnection, ws: Workspace, scope: str) -> Caller:
    """Token and owner: a token of this workspace, for this purpose, in the browser of the person it was made for. Raises `NotAllowed`."""
    text = connection.headers.get("x-graft-token") or connection.query_params.get("token") or ""
    token = tokens.read(ws, text)
    if token is None:
        raise NotAllowed("This link is no longer valid.", "It has expired or was changed.", "Reload the page and try again.")
    if token.scope != scope:
        raise NotAllowed("This link is for something else.", "It was made for another purpose.", "Reload the page and try again.")
    if owner_of(ws, connection.cookies) != token.owner:
        raise NotAllowed("This belongs to somebody else.", "The link was made for another person.", "Reload the page and try again.")
    return Caller(token.owner, token.claims)


def host_allowed(host: str | None) -> bool:
    """Whether a Host header is in `server.allowedHosts`; when that is not set, a loopback name or the `server.address`."""
    if config.get_option("server.allowedHosts"):
        return is_host_allowed(host)
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises for what is no port
    except ValueError:
        return False
    address = config.get_option("server.address")
    name = (parts.hostname or "").rstrip(".")
    names = (*LOOPBACK, address.lower()) if address and address not in ("0.0.0.0", "::") else LOOPBACK
    return parts.netloc == host and parts.username is None and name in names
