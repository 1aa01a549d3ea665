"""Who watches which log: one reader a run, however many tabs look at it."""
from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from core.events import tail

POLL_S = 0.15
MAX_STEPS = 2000

_STEP = re.compile(rb'"type"\s*:\s*"step"')  # quotes inside a text are escaped, so that only the field itself matches


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Whole lines of a log, from byte `start` up to byte `end`. Equal only to itself, so that it can key a cache."""
    start: int
    end: int
    lines: tuple[bytes, ...]


@dataclass(slots=True, eq=False)
class _Channel:
    """One log that somebody watches. `latest` is all that is kept of it; whoever is further behind reads the file."""
    end: int
    changed: asyncio.Event
    watchers: int = 0
    latest: Batch | None = None
    reader: asyncio.Task[None] | None = None


class Hub:
    """Fan-out of growing logs. Memory a log: its newest batch; a watcher that is too slow for it skips ahead in the file, thinned."""

    def __init__(self, poll_s: float = POLL_S) -> None:
        self.poll_s = poll_s
        self._channels: dict[Path, _Channel] = {}

    @property
    def watched(self) -> int:
        """How many logs are being read."""
        return len(self._channels)

    async def batches(self, log: Path, offset: int = 0) -> AsyncGenerator[Batch, None]:
        """All that stands in `log` after byte `offset` (one batch, which may be empty), then whatever is added, for ever.

        An `offset` at which no line begins counts as 0. Of a batch read from the file at most `MAX_STEPS` steps are given.
        Close the generator to stop watching (`contextlib.aclosing`); the reader of the log ends with its last watcher.
        """
        batch = await asyncio.to_thread(_read, log, offset)
        yield batch
        offset, channel = batch.end, self._join(log, batch.end)
        try:
            while True:
                changed, latest = channel.changed, channel.latest  # before looking, so that nothing is added in between unseen
                if latest is not None and latest.start == offset:
                    batch = latest
                elif channel.end > offset:
                    batch = await asyncio.to_thread(_read, log, offset)
                else:
                    await changed.wait()
                    if channel.reader is not None and channel.reader.done():
                        channel.reader.result()
                    continue
                yield batch
                offset = batch.end
        finally:
            self._leave(log, channel)

    def _join(self, log: Path, end: int) -> _Channel:
        channel = self._channels.get(log)
        if channel is None:
            channel = self._channels[log] = _Channel(end, asyncio.Event())
            channel.reader = asyncio.create_task(self._follow(log, channel))
        channel.watchers += 1
        return channel

    def _leave(self, log: Path, channel: _Channel) -> None:
        channel.watchers -= 1
        if not channel.watchers:
            assert channel.reader is not None
            channel.reader.cancel()
            if self._channels.get(log) is channel:
                del self._channels[log]

    async def _follow(self, log: Path, channel: _Channel) -> None:
        try:
            while True:
                data, end = await asyncio.to_thread(tail, log, channel.end)
                if data:
                    channel.latest, channel.end = Batch(channel.end, end, thin(data.splitlines())), end
                    channel.changed.set()
                    channel.changed = asyncio.Event()
                await asyncio.sleep(self.poll_s)
        finally:  # a reader that fails must not leave its watchers waiting: they raise what it raised
            if self._channels.get(log) is channel:
                del self._channels[log]
            channel.changed.set()


def thin(lines: list[bytes], most: int = MAX_STEPS) -> tuple[bytes, ...]:
    """`lines` with evenly dropped steps, so that at most `most` of them are left: the last one and every other event stay."""
    steps = [idx for idx, line in enumerate(lines) if _STEP.search(line)]
    if len(steps) <= most:
        return tuple(lines)
    kept = set(steps[::-1][::ceil(len(steps) / most)])
    dropped = set(steps) - kept
    return tuple(line for idx, line in enumerate(lines) if idx not in dropped)


def _read(log: Path, offset: int) -> Batch:
    start = offset if _begins_line(log, offset) else 0
    data, end = tail(log, start)
    return Batch(start, end, thin(data.splitlines()))


def _begins_line(log: Path, offset: int) -> bool:
    if offset <= 0:
        return False
    try:
        with log.open("rb") as file:
            file.seek(offset - 1)
            return file.read(1) == b"\n"
    except (OSError, OverflowError):  # nothing there yet, or no place in any file
        return False
