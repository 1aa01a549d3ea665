"""What is wrong with a dataset, in plain words and worst first, before anything is trained on it."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from core.data.facts import Facts
from core.data.versions import Version

Severity = Literal["holds", "bad", "minor"]
"""`holds`: training waits until it is settled or overruled."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind of problem. `title`, `advice` and `fix` are templates of the translation catalogue, filled by `params`.

    `kind`: stable key, as "exact_duplicates". `count`: items (or files, labels) concerned. `groups`: the items concerned, as positions
    in the version's items, together where they belong together (a pair of copies); at most `SHOWN` groups, worst first. `names`: of the
    files concerned, at most `SHOWN`. `fix`: what the button says; empty where nothing but the reader's own work helps.
    """
    kind: str
    severity: Severity
    count: int
    title: str
    advice: str
    params: dict[str, str | int | float] = field(default_factory=dict)
    groups: tuple[tuple[int, ...], ...] = ()
    names: tuple[str, ...] = ()
    fix: str = ""


def check(version: Version, facts: Facts) -> tuple[Problem, ...]:
    """Every problem of a version, worst first."""
    return ()
