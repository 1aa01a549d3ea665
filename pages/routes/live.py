"""The live socket: what a run's log says, pushed to every tab that watches it."""
from __future__ import annotations

import asyncio
import json
import logging
from contextlib import aclosing
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from core.errors import NotAllowed, UserError
from core.jobs.life import ENDED
from core.jobs.runs import watch_run
from core.workspace import Workspace
from pages.routes import tokens
from pages.routes.answers import language_of
from pages.routes.guard import Caller, guarded_socket
from pages.routes.hub import Batch, Hub
from pages.ui.i18n import Language, catalogue

SPOKEN = {"notice": ("text",), "failed": ("title", "cause", "fix"), "state": ("why",)}
"""By event type: the fields with sentences, which the browser gets in its reader's language and with `params` filled in."""

log = logging.getLogger(__name__)
_hub = Hub()


def live_url(ws: Workspace, owner: str, run_id: str, language: Language) -> str:
    """Where `owner`'s browser watches a run: relative to the address of the app, with the token in it."""
    return f"graft/live/{run_id}?" + urlencode({"lang": language, "token": tokens.mint(ws, owner, "live", run=run_id)})


@guarded_socket(scope="live")
async def live(websocket: WebSocket, caller: Caller, ws: Workspace) -> None:
    """Send `{"from", "offset", "events"}` for all that stands in the log after byte `?from=`, then whenever something is added.

    `offset` is where to go on after a lost connection. The first message comes at once, also when it holds no event. The
    server closes (1000) behind the event that ends the run. Whoever has the address of a run may watch it; one that is not there is refused (1008).
    """
    try:
        events = _log_of(ws, caller, websocket.path_params["run"])
    except UserError as error:
        log.info("socket refused: %s", error)
        await websocket.close(1008)
        return
    asked = websocket.query_params.get("from", "0")
    offset = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 16 else 0
    await websocket.accept()
    tasks = [asyncio.create_task(_send(websocket, events, offset)), asyncio.create_task(_drain(websocket))]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    except WebSocketDisconnect:
        pass  # the usual end: the reader has left
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)  # the log is given up before the endpoint returns


def _log_of(ws: Workspace, caller: Caller, run_id: str) -> Path:
    if caller.claims.get("run") != run_id:
        raise NotAllowed("This link is for something else.", "It was made for another purpose.", "Reload the page and try again.")
    watch_run(ws, run_id)
    return ws.run(run_id) / "events.jsonl"


async def _send(websocket: WebSocket, events: Path, offset: int) -> None:
    language = language_of(websocket)
    async with aclosing(_hub.batches(events, offset)) as batches:
        async for batch in batches:
            text, ended = await asyncio.to_thread(message, batch, language) if len(batch.lines) > 50 else message(batch, language)
            await websocket.send_text(text)
            if ended:
                await websocket.close(1000)
                return


async def _drain(websocket: WebSocket) -> None:
    """Read until the browser leaves: a disconnect is only noticed by reading. The browser has nothing to say."""
    while True:
        await websocket.receive_text()


@lru_cache(maxsize=16)
def message(batch: Batch, language: Language) -> tuple[str, bool]:
    """The text to send, made once for all who watch in this language, and whether the run ends with it."""
    events = [event for line in batch.lines if (event := _shown(line, language)) is not None]
    text = json.dumps({"from": batch.start, "offset": batch.end, "events": events}, ensure_ascii=False, separators=(",", ":"))
    return text, bool(events) and events[-1].get("type") == "state" and events[-1].get("state") in ENDED


def _shown(line: bytes, language: Language) -> dict[str, Any] | None:
    """An event as the browser gets it: its sentences translated and filled, without the traceback. None for a broken line."""
    try:
        event = json.loads(line, parse_constant=lambda _: None)  # a browser can't read NaN
    except ValueError:
        log.warning("a broken line in a log is left out: %.80r", line)
        return None
    if not isinstance(event, dict):
        log.warning("a broken line in a log is left out: %.80r", line)
        return None
    event.pop("detail", None)
    params = event.pop("params", None) or {}
    for field in SPOKEN.get(event.get("type", ""), ()):
        event[field] = _filled(str(event.get(field, "")), params, language)
    return event


def _filled(template: str, params: dict[str, str | int | float], language: Language) -> str:
    translated = catalogue(language).get(template, template)
    try:
        return translated.format(**params)
    except (KeyError, IndexError, ValueError, AttributeError):
        log.warning("a sentence of a log can't be filled: %.80r", template)
        return translated


ROUTES = [WebSocketRoute("/graft/live/{run}", live)]
