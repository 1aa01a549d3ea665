"""What was tried, of every kind of fault, and what became of the runs that had to bear it."""
from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

KINDS = {"worker": 20, "server": 10, "both": 3, "disk": 5, "corrupt": 6, "data": 5, "clock": 4, "boot": 2, "memory": 3, "pause": 10, "words": 10}
"""All of them, and how many of each are tried at least; a session that was to try all and tried fewer has failed."""


@dataclass(slots=True)
class Trial:
    """A run, the faults that it bears (`faults`), whether it finished all the same, and whether with the result that it would have had."""
    faults: int = 0
    finished: bool = False
    same: bool = False
    of_which: dict[str, int] = field(default_factory=dict)

    def hit(self, how: str = "") -> None:
        """It has borne one more. `how`: what was special about it."""
        self.faults += 1
        if how:
            self.of_which[how] = self.of_which.get(how, 0) + 1


@dataclass(slots=True)
class Kind:
    """`tried`: so many faults; `lost`: those of runs that did not finish; `identical`: those of runs that ended with the result they would
    have had. `skipped`: why this platform has no such fault."""
    kind: str
    tried: int = 0
    lost: int = 0
    identical: int = 0
    of_which: dict[str, int] = field(default_factory=dict)
    skipped: str = ""

    def note(self, of_which: dict[str, int]) -> None:
        for how, n in of_which.items():
            self.of_which[how] = self.of_which.get(how, 0) + n

    def entry(self) -> dict[str, object]:
        plain: dict[str, object] = {"kind": self.kind, "tried": self.tried, "lost": self.lost, "identical": self.identical}
        return plain | ({"of_which": self.of_which} if self.of_which else {}) | ({"skipped": self.skipped} if self.skipped else {})

    def line(self) -> str:
        if self.skipped:
            return f"{self.kind}: skipped, {self.skipped}"
        special = ", ".join(f"{n} {how}" for how, n in sorted(self.of_which.items()))
        return f"{self.kind}: {self.tried} tried{f' ({special})' if special else ''}, {self.lost} lost, {self.identical} identical"


@dataclass(slots=True)
class Record:
    kinds: dict[str, Kind] = field(default_factory=dict)

    @contextmanager
    def trial(self, kind: str) -> Iterator[Trial]:
        """Counts what is tried inside, also where that ends with a failing assertion."""
        trial = Trial()
        try:
            yield trial
        finally:
            self.add(kind, trial)

    def add(self, kind: str, trial: Trial) -> None:
        counted = self._of(kind)
        counted.tried += trial.faults
        counted.lost += 0 if trial.finished else trial.faults
        counted.identical += trial.faults if trial.same else 0
        counted.note(trial.of_which)

    def skip(self, kind: str, reason: str) -> None:
        """This platform has no such fault: skips the test."""
        self._of(kind).skipped = reason
        pytest.skip(reason)

    def join(self, path: Path) -> None:
        """What `write` wrote in another process."""
        for entry in json.loads(path.read_bytes()):
            other = Kind(**entry)
            counted = self._of(other.kind)
            for name in ("tried", "lost", "identical"):
                setattr(counted, name, getattr(counted, name) + getattr(other, name))
            counted.note(other.of_which)

    def missing(self) -> list[str]:
        """Kinds of which fewer were tried than should have been, on this platform."""
        return [kind for kind, least in KINDS.items() if (found := self.kinds.get(kind)) is None or found.tried < least and not found.skipped]

    def write(self, path: Path) -> None:
        path.write_text(json.dumps([self.kinds[kind].entry() for kind in KINDS if kind in self.kinds], indent=1) + "\n", encoding="utf-8")

    def _of(self, kind: str) -> Kind:
        assert kind in KINDS, kind
        return self.kinds.setdefault(kind, Kind(kind))
