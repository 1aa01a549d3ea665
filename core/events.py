"""The log of a run: what training reports, one JSON object a line, appended by the worker and read by everybody else."""
from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Iterator, Literal, Union

from pydantic import Field, TypeAdapter


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
    epoch: int
    type: Literal["saved"] = "saved"
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
class Discarded:
    type: Literal["discarded"] = "discarded"
    t: float = _now()


@dataclass(frozen=True, slots=True)
class Failed:
    """Templates as in `UserError`; `detail` is for the folded log."""
    title: str
    cause: str
    fix: str
    params: dict[str, str | int | float] = field(default_factory=dict)
    detail: str = ""
    type: Literal["failed"] = "failed"
    t: float = _now()


Event = Annotated[Union[Started, Preparing, Step, EpochEnd, FirstModel, Saved, Notice, Done, Discarded, Failed], Field(discriminator="type")]
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
    for line in lines.splitlines():
        if line.strip():
            yield _event.validate_json(line)


def read(path: Path) -> list[Event]:
    """Every event of a log, in order; empty when there is no log yet."""
    return list(decode(tail(path)[0]))
