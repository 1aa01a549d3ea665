"""Every refusal of the one guard, tried from outside against a real server."""
from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from socket import create_connection

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from streamlit import config
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from core import owners
from core.errors import NotFound
from core.workspace import Workspace
from pages.routes import ROUTES, _under, tokens
from pages.routes import owner as owner_routes
from pages.routes.guard import Caller, guarded, guarded_socket, host_allowed
from tests.pages.served import Answer, Served, served


@guarded("probe")
async def probe(request: Request, caller: Caller, ws: Workspace) -> Response:
    if caller.claims.get("lost"):
        raise NotFound("This dataset is not here.", "", "Choose another dataset.")
    return JSONResponse({"owner": caller.owner, "claims": caller.claims})


@guarded_socket("probe")
async def socket(websocket: WebSocket, caller: Caller, ws: Workspace) -> None:
    await websocket.accept()
    await websocket.send_text(caller.owner)
    await websocket.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served([Route("/graft/probe", probe, methods=["GET", "PUT", "POST", "DELETE"]), WebSocketRoute("/graft/live", socket),
                 *owner_routes.ROUTES]) as running:
        yield running


@pytest.fixture
def token(ws: Workspace) -> str:
    return tokens.mint(ws, "local", "probe", thing="7")


@pytest.fixture(autouse=True)
def fresh_tries() -> None:
    owner_routes._wrong.clear()


def tampered(token: str) -> str:
    i = len(token) // 3
    return token[:i] + ("A" if token[i] != "A" else "B") + token[i + 1:]


def listen(server: Served, token: str, **headers: str | None) -> str:
    named = {"origin": f"http://{server.host}", **headers}
    host = named.pop("host", None)
    with connect(f"ws://{host or server.host}/graft/live?token={token}", origin=named.pop("origin"), additional_headers=named, proxy=None,
                 sock=create_connection(("127.0.0.1", server.port))) as connection:
        return str(connection.recv(timeout=10))


def test_our_own_page_gets_through(server: Served, token: str) -> None:
    for method in ("GET", "PUT", "POST", "DELETE"):
        answer = server.send(method, f"/graft/probe?token={token}")
        assert (answer.status, answer.json) == (200, {"owner": "local", "claims": {"thing": "7"}})
    assert server.send("PUT", "/graft/probe", x_graft_token=token).status == 200
    assert server.ask("GET", f"/graft/probe?token={token}").status == 200, "a picture or a link comes without Origin"
    assert listen(server, token) == "local"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost@evil.example",
                                  "user@localhost", ""])
def test_a_foreign_host_is_refused_even_with_everything_else_right(server: Served, token: str, host: str) -> None:
    answer = server.ask("GET", f"/graft/probe?token={token}", host=host)
    assert answer.status in (400, 403)
    assert server.ask("PUT", f"/graft/probe?token={token}", host=host, origin=f"http://{host}").status in (400, 403)


def test_a_foreign_host_is_refused_before_the_token_is_looked_at(server: Served, token: str) -> None:
    assert server.ask("GET", "/graft/probe", host="evil.example").json["title"] == "This address is not allowed."
    assert server.ask("GET", f"/graft/probe?token={token}", host="evil.example").json["cause"].count("evil.example") == 1


def test_a_socket_to_a_foreign_host_is_refused(server: Served, token: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        listen(server, token, host="evil.example", origin="http://evil.example")
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1", "http://127.0.0.1:1", "",
                                    "http://127.0.0.1.evil.example"])
@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
def test_a_foreign_origin_is_refused(server: Served, token: str, method: str, origin: str) -> None:
    assert server.ask(method, f"/graft/probe?token={token}", origin=origin).status == 403


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_a_change_without_origin_is_refused(server: Served, token: str, method: str) -> None:
    assert server.ask(method, f"/graft/probe?token={token}").status == 403
    assert server.ask(method, f"/graft/probe?token={token}", sec_fetch_site="same-origin").status == 403


def test_reading_for_another_site_is_refused(server: Served, token: str) -> None:
    for site in ("cross-site", "same-site"):
        assert server.ask("GET", f"/graft/probe?token={token}", sec_fetch_site=site).status == 403
    for site in ("same-origin", "none"):
        assert server.ask("GET", f"/graft/probe?token={token}", sec_fetch_site=site).status == 200


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null"])
def test_a_socket_without_our_origin_is_refused(server: Served, token: str, origin: str | None) -> None:
    with pytest.raises(InvalidStatus) as refused:
        listen(server, token, origin=origin)
    assert refused.value.response.status_code == 403


def test_a_refused_socket_is_closed_before_it_is_accepted(ws: Workspace) -> None:
    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    async def receive() -> dict[str, object]:
        return {"type": "websocket.connect"}

    scope = {"type": "websocket", "path": "/graft/live", "query_string": b"", "headers": [(b"host", b"localhost")], "subprotocols": []}
    asyncio.run(socket(WebSocket(scope, receive, send)))
    assert [(message["type"], message.get("code")) for message in sent] == [("websocket.close", 1008)]


def bad_tokens(ws: Workspace, token: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    with monkeypatch.context() as patch:
        past = time.time() - 8 * 24 * 3600
        patch.setattr(tokens.time, "time", lambda: past)
        expired = tokens.mint(ws, "local", "probe", thing="7")
    elsewhere = Workspace.open(ws.root.parent / "elsewhere")
    return {"none": "", "tampered": tampered(token), "expired": expired, "other scope": tokens.mint(ws, "local", "upload", thing="7"),
            "other owner": tokens.mint(ws, "somebody", "probe", thing="7"),
            "other workspace": tokens.mint(elsewhere, "local", "probe", thing="7"),
            "a cookie": owners.cookie_for(ws, "local"), "nonsense": "%00%ff.."}


def test_only_the_right_token_opens(server: Served, ws: Workspace, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, bad in bad_tokens(ws, token, monkeypatch).items():
        answer = server.send("PUT", f"/graft/probe?token={bad}")
        assert answer.status == 403 and answer.json["title"] and answer.json["fix"], kind
        with pytest.raises(InvalidStatus):
            listen(server, bad)
    assert server.send("PUT", f"/graft/probe?token={token}").status == 200


def test_a_token_is_one_persons_while_sharing(server: Served, ws: Workspace) -> None:
    owners.start_sharing(ws)
    ada, bob = owners.new_owner(ws, "Ada"), owners.new_owner(ws, "Bob")
    token = tokens.mint(ws, ada, "probe")
    hers, his = (f"{owners.COOKIE}={owners.cookie_for(ws, owner)}" for owner in (ada, bob))
    assert server.send("GET", f"/graft/probe?token={token}", cookie=hers).json["owner"] == ada
    assert server.send("GET", f"/graft/probe?token={token}", cookie=his).status == 403
    assert server.send("GET", f"/graft/probe?token={token}").status == 403
    assert listen(server, token, cookie=hers) == ada
    with pytest.raises(InvalidStatus):
        listen(server, token, cookie=his)


def test_a_token_stays_the_same_for_a_day_and_ends_within_a_week(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    day = 24 * 3600
    now = 1000 * day + 10.0
    monkeypatch.setattr(tokens.time, "time", lambda: now)
    first = tokens.mint(ws, "local", "thumbs", dataset="d1234")
    now += day - 60
    assert tokens.mint(ws, "local", "thumbs", dataset="d1234") == first, "or the browser would load every picture again"
    now = 1000 * day + 6 * day
    assert tokens.read(ws, first) is not None
    now = 1000 * day + 7 * day + 11
    assert tokens.read(ws, first) is None


def test_answers_let_the_browser_guess_nothing(server: Served, token: str) -> None:
    for answer in (server.send("GET", f"/graft/probe?token={token}"), server.send("GET", "/graft/probe")):
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_an_error_inside_is_explained_in_the_readers_language(server: Served, ws: Workspace) -> None:
    token = tokens.mint(ws, "local", "probe", lost="yes")
    answer = server.send("GET", f"/graft/probe?token={token}")
    assert (answer.status, answer.json["fix"]) == (404, "Choose another dataset.")
    assert server.send("GET", "/graft/probe?lang=zh-CN").json["title"] == "此链接已失效。"
    assert server.send("GET", "/graft/probe", accept_language="zh-CN,en;q=0.5").json["title"] == "此链接已失效。"


def test_without_a_list_only_loopback_and_the_bound_address_are_ours() -> None:
    before = {key: config.get_option(key) for key in ("server.allowedHosts", "server.address")}
    try:
        config.set_option("server.allowedHosts", [])
        config.set_option("server.address", "192.168.1.5")
        for host in ("localhost", "LOCALHOST:8501", "127.0.0.1:8501", "[::1]:8501", "192.168.1.5:8501"):
            assert host_allowed(host), host
        for host in (None, "", "evil.example", "localhost:x", "localhost/x", "me@localhost", "192.168.1.6", "0.0.0.0"):
            assert not host_allowed(host), host
        config.set_option("server.address", "0.0.0.0")
        assert not host_allowed("0.0.0.0")
        config.set_option("server.allowedHosts", ["graft.example"])
        assert host_allowed("graft.example:8501") and not host_allowed("localhost")
    finally:
        for key, value in before.items():
            config.set_option(key, value)


FORM = "application/x-www-form-urlencoded"


def join(server: Served, code: str, name: str = "Ada", **headers: str) -> Answer:
    return server.send("POST", "/graft/join", f"name={name}&code={code}".encode(), content_type=FORM, **headers)


def test_joining_takes_the_code_and_gives_a_cookie(server: Served, ws: Workspace) -> None:
    assert join(server, "").status == 403, "nothing is shared yet"
    code = owners.start_sharing(ws)
    wrong = join(server, "wrong-code", "Ada+%3Cb%3E")
    assert wrong.status == 403 and b"This code is not right." in wrong.body and "set-cookie" not in wrong.headers
    assert b"Ada &lt;b&gt;" in wrong.body and b"<b>" not in wrong.body, "what was typed is kept, as text"

    right = join(server, code)
    assert right.status == 303 and right.headers["location"] == "../"
    cookie = right.headers["set-cookie"]
    assert "HttpOnly" in cookie and "samesite=strict" in cookie.lower()
    ada = owners.owner_of(ws, {owners.COOKIE: cookie.split(";")[0].partition("=")[2]})
    assert ada is not None and owners.display_name(ws, ada) == "Ada"

    again = join(server, code, "Ada+L.", cookie=cookie.split(";")[0])
    assert owners.owner_of(ws, {owners.COOKIE: again.headers["set-cookie"].split(";")[0].partition("=")[2]}) == ada
    assert owners.display_name(ws, ada) == "Ada L."


def test_joining_from_another_site_or_under_another_name_is_refused(server: Served, ws: Workspace) -> None:
    code = owners.start_sharing(ws)
    assert join(server, code, origin="http://evil.example").status == 403
    assert join(server, code, host="evil.example", origin="http://evil.example").status == 403
    assert server.ask("POST", "/graft/join", f"name=x&code={code}".encode(), content_type=FORM).status == 403
    assert owners.owners(ws) == {}


def test_guessing_codes_is_paused_and_a_long_form_refused(server: Served, ws: Workspace) -> None:
    code = owners.start_sharing(ws)
    assert join(server, code, "x" * 5000).status == 400
    assert join(server, code, "").status == 400, "a name is needed"
    assert {join(server, f"guess-{i}").status for i in range(owner_routes.TRIES)} == {403}
    assert join(server, code).status == 429


def test_the_person_at_the_machine_stays_local_by_a_link_that_works_once(server: Served, ws: Workspace) -> None:
    link = f"/{owner_routes.local_link(ws, share=True)}"
    assert server.ask("GET", link, sec_fetch_site="cross-site").status == 403
    assert server.ask("HEAD", link).status == 403, "a preview must not use it up"
    assert server.ask("GET", link, sec_purpose="prefetch").status == 403
    assert not owners.sharing(ws)
    answer = server.ask("GET", link, sec_fetch_site="same-origin")
    assert answer.status == 303 and owners.sharing(ws)
    assert owners.owner_of(ws, {owners.COOKIE: answer.headers["set-cookie"].split(";")[0].partition("=")[2]}) == "local"
    assert server.ask("GET", link).status == 403, "used up"
    assert server.ask("GET", f"/graft/local?token={tokens.mint(ws, 'local', 'probe', turn='1', share='')}").status == 403


def test_the_form_is_shown_only_while_sharing(server: Served, ws: Workspace) -> None:
    assert server.ask("GET", "/graft/join").status == 303
    owners.start_sharing(ws)
    page = server.ask("GET", "/graft/join", sec_fetch_site="cross-site", accept_language="zh-CN")
    assert page.status == 200 and 'lang="zh-CN"' in page.body.decode() and "script" not in page.headers["content-security-policy"]
    assert server.ask("GET", "/graft/join", host="evil.example").status == 403


def test_every_route_of_ours_moves_below_a_base_path_and_answers_for_nothing_else(ws: Workspace) -> None:
    with served(_under("tools/graft", ROUTES)) as below:
        assert below.ask("GET", "/tools/graft/graft/vendor/plotly.min.js").status == 200
        assert below.send("PUT", "/tools/graft/graft/upload").status == 403
        assert below.ask("GET", "/graft/vendor/plotly.min.js").status == 404
    assert [route.path for route in _under("tools", ROUTES)] == [f"/tools{route.path}" for route in ROUTES]
