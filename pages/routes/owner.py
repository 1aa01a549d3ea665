"""Who you are: joining a shared workspace by its code, and staying yourself at the machine when sharing starts.

GET /graft/join shows the form, POST /graft/join checks it and sets the cookie. GET /graft/local signs the person at the machine
in as the local owner, by a link that works once (see `local_link`).
"""
from __future__ import annotations

import time
from collections import OrderedDict, deque
from html import escape
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from core import owners
from core.errors import NotAllowed, SettingsError, UserError
from core.workspace import Workspace
from pages.routes import tokens
from pages.routes.answers import language_of, refusal, safe, translated
from pages.routes.guard import check_host, check_place

TRIES, WINDOW_S = 20, 300.0
"""Wrong codes from one address in so many seconds; a code has 40 bits, and a class may share one address."""
MAX_FORM_BYTES = 4096
CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

_wrong: OrderedDict[str, deque[float]] = OrderedDict()


def local_link(ws: Workspace, share: bool = False) -> str:
    """An address, relative to the app's, that makes the browser which opens it the local owner's. It works once, for ten minutes.

    With `share`, it also switches sharing on: a settings page offers this link as its switch, so that the person at the machine
    keeps what is theirs in the same moment in which others are asked for the code.
    """
    token = tokens.mint(ws, owners.LOCAL_OWNER, "local", turn=str(owners.local_turn(ws)), share="yes" if share else "")
    return f"graft/local?token={token}"


async def show(request: Request) -> Response:
    try:
        check_host(request)  # no more: the address of this form is what people send each other
        if not owners.sharing(Workspace.open()):
            return _to_app()
        return _page(request)
    except UserError as error:
        return refusal(request, error)


async def join(request: Request) -> Response:
    """Form fields `name` and `code`. A browser that joined before keeps its owner and only changes the name."""
    try:
        check_place(request)
        ws = Workspace.open()
        if not owners.sharing(ws):
            raise NotAllowed("Nothing is shared here.", "This workspace is used by one person.", "Open the app itself.")
        form = await _form(request)
        address = request.client.host if request.client else ""
        if _locked_out(address):
            return _page(request, SettingsError("Too many wrong codes.", "Trying again is paused for a few minutes.",
                                                "Ask for the code, then wait and try again."), 429)
        if not owners.code_fits(ws, form.get("code", "")):
            _remember_wrong(address)
            return _page(request, SettingsError("This code is not right.", "It may have been changed.",
                                                "Ask the person who shares this app for the code."), 403, form.get("name", ""))
        return _signed_in(request, ws, _owner_for(request, ws, form.get("name", "")))
    except SettingsError as error:
        return _page(request, error, 400)
    except UserError as error:
        return refusal(request, error)


async def local(request: Request) -> Response:
    try:
        check_place(request)
        ws = Workspace.open()
        token = tokens.read(ws, request.query_params.get("token", ""))
        # a browser that opens pages ahead of a click must not use the link up
        ahead = request.method == "HEAD" or "prefetch" in request.headers.get("sec-purpose", "")
        if ahead or token is None or token.scope != "local" or not owners.take_local_turn(ws, int(token.claims["turn"])):
            raise NotAllowed("This link is no longer valid.", "It has expired or was changed.", "Reload the page and try again.")
        if token.claims["share"]:
            owners.start_sharing(ws)
        return _signed_in(request, ws, owners.LOCAL_OWNER)
    except UserError as error:
        return refusal(request, error)


def _owner_for(request: Request, ws: Workspace, name: str) -> str:
    known = owners.owner_of(ws, request.cookies)
    if known is None:
        return owners.new_owner(ws, name)
    owners.rename(ws, known, name)
    return known


def _signed_in(request: Request, ws: Workspace, owner: str) -> Response:
    response = _to_app()
    response.set_cookie(owners.COOKIE, owners.cookie_for(ws, owner), max_age=owners.COOKIE_AGE_S, httponly=True, samesite="strict",
                        secure=request.url.scheme == "https")
    return response


def _to_app() -> Response:
    # relative, so that it also holds under a base path; every route here is graft/<name>
    return safe(Response(status_code=303, headers={"Location": "../", "Cache-Control": "no-store"}))


async def _form(request: Request) -> dict[str, str]:
    declared = request.headers.get("content-length", "")
    if not declared.isdigit() or int(declared) > MAX_FORM_BYTES:
        raise SettingsError("This form is too long.", "Name and code are short texts.", "Type them again.")
    async with request.form(max_files=0, max_fields=4) as form:
        return {key: value for key, value in form.items() if isinstance(value, str)}


def _locked_out(address: str) -> bool:
    times = _wrong.get(address)
    while times and times[0] < time.monotonic() - WINDOW_S:
        times.popleft()
    return times is not None and len(times) >= TRIES


def _remember_wrong(address: str) -> None:
    _wrong.setdefault(address, deque()).append(time.monotonic())
    _wrong.move_to_end(address)
    while len(_wrong) > 1000:
        _wrong.popitem(last=False)


def _page(request: Request, error: SettingsError | None = None, status: int = 200, name: str = "") -> Response:
    """The form as a page of its own, without scripts: it must work before anything of the app does."""
    def say(text: str, params: dict[str, object] | None = None) -> str:
        return escape(translated(request, text, params or {}))

    problem = ""
    if error is not None:
        said = " ".join(say(part, error.params) for part in (error.cause, error.fix))
        problem = f'<p role="alert"><strong>{say(error.title, error.params)}</strong> {said}</p>'
    html = JOIN_PAGE.format(
        lang=language_of(request), title=say("Join"), lead=say("This app is shared. Type your name and the code you were given."),
        problem=problem, name_label=say("Your name"), name=escape(name[:200], quote=True), code_label=say("Code"), go=say("Join"),
        most=owners.MAX_NAME)
    return safe(HTMLResponse(html, status, headers={"Content-Security-Policy": CONTENT_POLICY, "Cache-Control": "no-store"}))


JOIN_PAGE = (Path(__file__).parent / "join.html").read_text(encoding="utf-8")
ROUTES: list[BaseRoute] = [
    Route("/graft/join", show, methods=["GET"]),
    Route("/graft/join", join, methods=["POST"]),
    Route("/graft/local", local, methods=["GET"]),
]
