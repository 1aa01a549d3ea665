"""The log of a run: what training reports, one JSON object a line, appended by the worker and read by everybody else."""
from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Union

from pydantic import Field, TypeAdapter, ValidationError

log = logging.getLogger(__name__)
RunState = Literal["draft", "queued", "preparing", "running", "paused", "stopped", "discarded", "finished", "failed", "interrupted"]
"""What a run can be; `core.jobs.life` says which follows which."""


def _now() -> float:  # typed as what it yields, like dataclasses.field itself
    return field(default_factory=time.time)  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Started:
    """Data and model are known, nothing has been computed yet."""
    n_train: int
    n_val: int
    n_test: int
    n_classes: int
    trainable_parameters: int
    parameters: int
    epochs: int
    steps_per_epoch: int
    device: str
    precision: Literal["fp32", "bf16"] = "fp32"
    type: Literal["started"] = "started"
    t: float = _now()


@dataclass(frozen=True, slots=True)
class Preparing:
    """Work that is done once: reading the items, comparing them in pairs, or storing the outputs of the frozen part. `computing_s`: seconds that
    the network itself has taken for that so far."""
    what: Literal["reading", "pairing", "storing"]
    done: int
    total: int
    computing_s: float = 0.0
    type: Literal["preparing"] = "preparing"
    t: float = _now()


@dataclass(frozen=True, slots=True)
class Step:
    """Averages since the previous `Step`. `step` counts optimizer steps over the whole run, from 1."""
    epoch: int
    step: int
    loss: float
    score: float
    lr: float
    type: Literal["step"] = "step"
    t: float = _now()


@dataclass(frozen=True, slots=True)
class EpochEnd:
    """Averages over one epoch (from 1) on both splits; validation figures are None without a validation split."""
    epoch: int
    step: int
    train_loss: float
    train_score: float
    val_loss: float | None
    val_score: float | None
    best: bool
    patience_left: int | None
    type: Literal["epoch"] = "epoch"
    t: float = _now()


@dataclass(frozen=True, slots=True)
class FirstModel:
    """The head alone has been fitted: a model that can be used while the rest of the plan learns. Meanwhile the network is this model."""
    val_score: float | None
    seconds: float
    type: Literal["first"] = "first"
    t: float = _now()


@dataclass(frozen=True, slots=True)
class Saved:
    """Where the training stands is on the disk: so many epochs have ended, and so many steps were made. `seconds`: what saving took."""
    epoch: int
    step: int = 0
    seconds: float = 0.0
    type: Literal["saved"] = "saved"
    t: float = _now()


@dataclass(frozen=True, slots=True)
class Resumed:
    """The training goes on from what was saved; whatever the log says of later epochs and steps did not happen."""
    epoch: int
    step: int
    type: Literal["resumed"] = "resumed"
    t: float = _now()


@dataclass(frozen=True, slots=True)
class Smaller:
    """Memory ran out: from now on at most so many items are computed at once, and their gradients are summed until the batch is whole.
    `batch_norm`: BatchNorm trains, and so has the statistics of these few."""
    items: int
    batch_norm: bool
    type: Literal["smaller"] = "smaller"
    t: float = _now()


@dataclass(frozen=True, slots=True)
class Changed:
    """The run has become something else. `why`: a template of the translation catalogue with its values, empty where the user asked for it."""
    state: RunState
    why: str = ""
    params: dict[str, str | int | float] = field(default_factory=dict)
    type: Literal["state"] = "state"
    t: float = _now()


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should know, as a template of the translation catalogue and its values."""
    text: str
    params: dict[str, str | int | float] = field(default_factory=dict)
    type: Literal["notice"] = "notice"
    t: float = _now()


@dataclass(frozen=True, slots=True)
class Done:
    """Training ended and the best state is saved. `early`: patience ran out; `stopped`: the user said stop and keep."""
    best_epoch: int
    epochs: int
    val_score: float | None
    seconds: float
    early: bool = False
    stopped: bool = False
    type: Literal["done"] = "done"
    t: float = _now()


@dataclass(frozen=True, slots=True)
class Paused:
    """The training ended for now, at the user's wish. It goes on from `step`."""
    epoch: int = 0
    step: int = 0
    type: Literal["paused"] = "paused"
    t: float = _now()


@dataclass(frozen=True, slots=True)
class Discarded:
    type: Literal["discarded"] = "discarded"
    t: float = _now()


@dataclass(frozen=True, slots=True)
class Failed:
    """Templates as in `UserError`; `detail` is for the folded log. `kind`: that of the error, empty for one without a name."""
    title: str
    cause: str
    fix: str
    params: dict[str, str | int | float] = field(default_factory=dict)
    detail: str = ""
    kind: str = ""
    type: Literal["failed"] = "failed"
    t: float = _now()


Event = Annotated[Union[Started, Preparing, Step, EpochEnd, FirstModel, Saved, Resumed, Smaller, Changed, Notice, Done, Paused, Discarded, Failed],
                  Field(discriminator="type")]
_event: TypeAdapter[Event] = TypeAdapter(Event)


def encode(event: Event) -> bytes:
    return _event.dump_json(event) + b"\n"


def tail(path: Path, offset: int = 0) -> tuple[bytes, int]:
    """Whole lines after byte `offset`, and the offset behind them. An unfinished last line waits for the next call."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        return b"", offset
    data = data[: data.rfind(b"\n") + 1]
    return data, offset + len(data)


def decode(lines: bytes) -> Iterator[Event]:
    """A broken line is left out, and logged: what else is there must stay within reach."""
    for line in lines.splitlines():
        if line.strip():
            try:
                yield _event.validate_json(line)
            except ValidationError as error:
                log.warning("a broken line in a log is left out: %.80r (%s)", line, error.errors()[0]["msg"])


def read(path: Path) -> list[Event]:
    """What a log says has happened, in order; empty when there is no log yet."""
    return happened(decode(tail(path)[0]))


def follow(path: Path) -> list[Event]:
    """As `read`, for a log that is looked at again and again: only what was added since is read. Of the logs followed last it is kept in memory."""
    with _following:
        offset, kept = _followed.pop(path, (0, ()))
        lines, end = tail(path, offset)
        if not lines and path.is_file() and path.stat().st_size < offset:  # it was written anew
            (lines, end), kept = tail(path), ()
        kept = tuple(happened([*kept, *decode(lines)])) if lines else kept
        _followed[path] = end, kept
        while len(_followed) > MOST_FOLLOWED:
            del _followed[next(iter(_followed))]
    return list(kept)


MOST_FOLLOWED = 16
_followed: dict[Path, tuple[int, tuple[Event, ...]]] = {}
_following = threading.Lock()


def happened(log: Iterable[Event]) -> list[Event]:
    """Without the steps and epochs that were lost and made again."""
    kept = list[Event]()
    for event in log:
        if isinstance(event, Resumed):
            kept = [old for old in kept if not _is_after(old, event)]
        kept.append(event)
    return kept


def _is_after(event: Event, resumed: Resumed) -> bool:
    return isinstance(event, Step) and event.step > resumed.step or isinstance(event, EpochEnd) and event.epoch > resumed.epoch


def append(path: Path, event: Event) -> None:
    """Add an event to a log, whole or not at all. Raises `OSError` (ENOSPC) on a full disk."""
    line = encode(event)
    with path.open("ab", buffering=0) as file:
        before = file.seek(0, os.SEEK_END)
        try:
            written = file.write(line)
        except OSError:
            written = 0
        if written != len(line):
            file.truncate(before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


MOST_LINE = 1 << 20


def mend(path: Path) -> None:
    """Take away an unfinished last line, which a machine that lost its power leaves: the next event would be added to it."""
    if path.is_file():
        with path.open("rb+") as file:
            start = max(0, file.seek(0, os.SEEK_END) - MOST_LINE)
            file.seek(start)
            end = file.read()
            if not end.endswith(b"\n"):
                file.truncate(start + end.rfind(b"\n") + 1)
