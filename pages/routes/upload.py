"""PUT /graft/upload: files of one upload, streamed to disk. DELETE: the upload is given up.

A body is any number of [4 bytes: length of the name][name, UTF-8][8 bytes: size][that many bytes], numbers big-endian.
Several requests of one upload may run at once, and a request may be repeated: a file with a known name and size is skipped.
"""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from core.errors import DataError
from core.workspace import Workspace
from pages.routes.guard import Caller, guarded
from pages.routes.inbox import Arriving, Inbox, arrive, clear, inbox_of

PIECE_BYTES = 2**20
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
    inbox = await asyncio.to_thread(inbox_of, ws, caller.claims.get("upload", ""))
    body = Body(request.stream(), bytearray())
    saved = skipped = n_bytes = 0
    try:
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
async def give_up(request: Request, caller: Caller, ws: Workspace) -> Response:
    """Remove everything that arrived under this upload."""
    inbox = await asyncio.to_thread(inbox_of, ws, caller.claims.get("upload", ""))
    await asyncio.to_thread(clear, inbox)
    return Response(status_code=204)


async def _header(body: Body, inbox: Inbox) -> tuple[str, int] | None:
    """Name and size of the next file; None at the end. Raises `DataError` for what is no header."""
    first = await body.take(4)
    if not first:
        return None
    length = int.from_bytes(first, "big")
    if len(first) < 4 or not length:
        raise _broken()
    if length > inbox.limits.name_bytes:
        raise DataError("A file name is too long.", "Names with their folders may have {limit} bytes.", "Shorten it and try again.",
                        limit=inbox.limits.name_bytes)
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
            piece = await body.take(min(left, PIECE_BYTES))
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
    left = 64 * PIECE_BYTES
    while left > 0 and (piece := await body.take(PIECE_BYTES)):
        left -= len(piece)


def _write(arriving: Arriving, piece: bytes) -> None:
    arriving.write(piece)
    if not arriving.left:
        arriving.finish()


def _broken() -> DataError:
    return DataError("The upload broke off.", "The last file arrived incomplete.", "Try again: what has arrived is not sent twice.")


ROUTES: list[BaseRoute] = [Route("/graft/upload", receive, methods=["PUT"]), Route("/graft/upload", give_up, methods=["DELETE"])]
