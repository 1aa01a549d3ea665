"""The files of one upload, streamed to disk. An upload that broke off goes on where it ended, in this tab or another.

    PUT /graft/upload         whole files. A body is any number of [4 bytes: length of the name][name, UTF-8][8 bytes: size][that many
                              bytes], numbers big-endian. Several requests of one upload may run at once, and a request may be
                              repeated: a file with a known name and size is skipped.
    PUT /graft/upload/piece   [4 bytes: length][JSON: name, size, modified, have][the bytes of a large file from `have` on]
    GET /graft/upload         what has arrived, file by file; with ?brief=1 only how much
    DELETE /graft/upload      the upload is given up; with a body {"names": [...]} only these files are

A request that says its turn (header x-graft-turn, from GET) is refused once the upload has been given up and begun anew.
"""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass

from pydantic import TypeAdapter, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from core.errors import DataError
from core.workspace import Workspace
from pages.routes.guard import Caller, guarded
from pages.routes.inbox import Arriving, Inbox, add_piece, arrive, cancelled, clear, forget, inbox_of
from pages.routes.parts import PIECE_BYTES, Part

CHUNK_BYTES = 2**20
"""Written to disk at once: large enough to leave the event loop rarely, small enough for flat memory."""


@dataclass(slots=True)
class Body:
    """The request's bytes, in portions of the reader's choice."""
    chunks: AsyncIterator[bytes]
    buffer: bytearray

    async def more(self) -> bool:
        """Wait for bytes. False at the end."""
        async for chunk in self.chunks:
            if chunk:
                self.buffer += chunk
                return True
        return False

    async def take(self, n: int) -> bytes:
        """Exactly n bytes, fewer only at the end."""
        while len(self.buffer) < n and await self.more():
            pass
        taken = bytes(self.buffer[:n])
        del self.buffer[:n]
        return taken


@guarded("upload")
async def receive(request: Request, caller: Caller, ws: Workspace) -> Response:
    """Store the files of the body: `{saved, skipped, bytes}`, counting what this request brought."""
    body = Body(request.stream(), bytearray())
    saved = skipped = n_bytes = 0
    try:
        inbox = await _inbox(request, caller, ws)
        while (header := await _header(body, inbox)) is not None:
            name, size_bytes = header
            if await _store(body, inbox, name, size_bytes):
                saved, n_bytes = saved + 1, n_bytes + size_bytes
            else:
                skipped += 1
    except ClientDisconnect:
        return Response(status_code=499)  # nobody is there to read it; the unfinished part is gone
    except DataError:
        await _drain(body)
        raise
    return JSONResponse({"saved": saved, "skipped": skipped, "bytes": n_bytes})


@guarded("upload")
async def receive_piece(request: Request, caller: Caller, ws: Workspace) -> Response:
    """Add a piece of a large file: `{have}`, the bytes that are here now; with status 409 when the piece was not the next one."""
    body = Body(request.stream(), bytearray())
    try:
        inbox = await _inbox(request, caller, ws)
        length = int.from_bytes(await body.take(4), "big")
        if not 0 < length <= 8 * inbox.limits.name_bytes:
            raise _broken()
        wanted = _part(await body.take(length), inbox)
        data = await body.take(PIECE_BYTES + 1)
        if len(data) > PIECE_BYTES:
            raise _broken()
        have = await asyncio.to_thread(add_piece, inbox, wanted, data)
    except ClientDisconnect:
        return Response(status_code=499)
    except DataError:
        await _drain(body)
        raise
    return JSONResponse({"have": have}, 200 if have in (wanted.have + len(data), wanted.size) else 409)


@guarded("upload")
async def tell(request: Request, caller: Caller, ws: Workspace) -> Response:
    """`{n, bytes, name}`, or with every file `{turn, files: {name: size}, parts: [{name, size, modified, have}]}`."""
    brief = "brief" in request.query_params
    if brief and not ws.upload(caller.claims.get("upload", "")).is_dir():
        return _fresh({"n": 0, "bytes": 0, "name": ""})
    inbox = await asyncio.to_thread(inbox_of, ws, caller.claims.get("upload", ""))
    return _fresh(await asyncio.to_thread(_brief if brief else _whole, inbox))


@guarded("upload")
async def give_up(request: Request, caller: Caller, ws: Workspace) -> Response:
    """Remove what arrived under this upload: everything, or the files named in the body."""
    inbox = await asyncio.to_thread(inbox_of, ws, caller.claims.get("upload", ""))
    body = await Body(request.stream(), bytearray()).take(CHUNK_BYTES * 32)
    if body:
        await asyncio.to_thread(forget, inbox, set(_names(body)))
    else:
        await asyncio.to_thread(clear, inbox)
    return Response(status_code=204)


async def _inbox(request: Request, caller: Caller, ws: Workspace) -> Inbox:
    """The inbox of a request that brings something. Raises `DataError` when the upload it belongs to was given up."""
    inbox = await asyncio.to_thread(inbox_of, ws, caller.claims.get("upload", ""))
    if request.headers.get("x-graft-turn", inbox.turn) != inbox.turn:
        raise cancelled()
    return inbox


def _brief(inbox: Inbox) -> dict[str, object]:
    """`name`: of the one folder or file that everything belongs to, else empty."""
    with inbox.lock:
        tops = {name.split("/")[0] for name in (*inbox.known, *inbox.parts)}
        n_bytes = inbox.n_bytes + sum(part.have for part in inbox.parts.values())
        return {"n": len(inbox.known), "bytes": n_bytes, "name": tops.pop() if len(tops) == 1 else ""}


def _whole(inbox: Inbox) -> dict[str, object]:
    with inbox.lock:
        return {"turn": inbox.turn, "files": dict(inbox.known), "parts": [asdict(part) for part in inbox.parts.values()]}


def _fresh(answer: dict[str, object]) -> JSONResponse:
    return JSONResponse(answer, headers={"Cache-Control": "no-store"})


def _part(text: bytes, inbox: Inbox) -> Part:
    try:
        part = TypeAdapter(Part).validate_json(text)
        length = len(part.name.encode("utf-8"))
    except (ValidationError, UnicodeEncodeError) as error:
        raise _broken() from error
    if not length or part.size < 1 or part.have < 0:
        raise _broken()
    _check_name(length, inbox)
    return part


def _names(body: bytes) -> list[str]:
    try:
        return TypeAdapter(dict[str, list[str]]).validate_json(body)["names"]
    except (ValidationError, KeyError) as error:
        raise _broken() from error


def _check_name(length: int, inbox: Inbox) -> None:
    if length > inbox.limits.name_bytes:
        raise DataError("A file name is too long.", "Names with their folders may have {limit} bytes.", "Shorten it and try again.",
                        limit=inbox.limits.name_bytes)


async def _header(body: Body, inbox: Inbox) -> tuple[str, int] | None:
    """Name and size of the next file; None at the end. Raises `DataError` for what is no header."""
    first = await body.take(4)
    if not first:
        return None
    length = int.from_bytes(first, "big")
    if len(first) < 4 or not length:
        raise _broken()
    _check_name(length, inbox)
    name, size = await body.take(length), await body.take(8)
    if len(size) < 8:
        raise _broken()
    try:
        return name.decode("utf-8"), int.from_bytes(size, "big")
    except UnicodeDecodeError as error:
        raise _broken() from error


async def _store(body: Body, inbox: Inbox, name: str, size_bytes: int) -> bool:
    """Read one file from the body to the disk. False when it was there already (its bytes are passed over)."""
    arriving = await asyncio.to_thread(arrive, inbox, name, size_bytes)
    left = size_bytes
    try:
        while True:
            piece = await body.take(min(left, CHUNK_BYTES))
            left -= len(piece)
            if left and not piece:
                raise _broken()
            if arriving is not None:
                await asyncio.to_thread(_write, arriving, piece)
            if not left:
                return arriving is not None
    finally:
        if arriving is not None:
            arriving.discard()


async def _drain(body: Body) -> None:
    """Read on to the end, within reason: a browser that is still sending when the answer comes may lose the answer."""
    left = 64 * CHUNK_BYTES
    while left > 0 and (piece := await body.take(CHUNK_BYTES)):
        left -= len(piece)


def _write(arriving: Arriving, piece: bytes) -> None:
    arriving.write(piece)
    if not arriving.left:
        arriving.finish()


def _broken() -> DataError:
    return DataError("The upload broke off.", "The last file arrived incomplete.", "Try again: what has arrived is not sent twice.")


ROUTES: list[BaseRoute] = [
    Route("/graft/upload", receive, methods=["PUT"]), Route("/graft/upload", tell, methods=["GET"]),
    Route("/graft/upload", give_up, methods=["DELETE"]), Route("/graft/upload/piece", receive_piece, methods=["PUT"])]
