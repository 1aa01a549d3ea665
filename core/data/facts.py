"""What was measured of a dataset's content when it came in, so that the health report after an edit costs nothing.

Facts speak of content (by its SHA-256), never of labels or sides, so they hold for every version of a dataset.
"""
from __future__ import annotations

from dataclasses import dataclass, field

from core.specs import from_json, to_json
from core.workspace import Workspace, write_atomic


@dataclass(frozen=True, slots=True)
class Near:
    """Two different contents that are nearly the same. `a` < `b` are their hashes; `likeness`: 0 to 1, 1 for no difference to be seen."""
    a: str
    b: str
    likeness: float


@dataclass(frozen=True, slots=True)
class Facts:
    """`phash`: perceptual hash of each picture, 16 hexadecimal digits (`core.data.likeness.near`). `gray`: pictures without any colour.
    `language`: ISO 639-1 code of each text long enough to tell."""
    phash: dict[str, str] = field(default_factory=dict)
    gray: frozenset[str] = frozenset()
    language: dict[str, str] = field(default_factory=dict)
    near: tuple[Near, ...] = ()

    def pairs(self) -> list[tuple[str, str]]:
        """The hashes of each two near-copies, as a split keeps them together."""
        return [(pair.a, pair.b) for pair in self.near]


def load_facts(ws: Workspace, dataset_id: str) -> Facts:
    """Those of a dataset; without any for one that was made before they were measured."""
    try:
        return from_json(Facts, (ws.dataset(dataset_id) / "facts.json").read_bytes())
    except FileNotFoundError:
        return Facts()


def write_facts(ws: Workspace, dataset_id: str, facts: Facts) -> None:
    write_atomic(ws.dataset(dataset_id) / "facts.json", to_json(facts))


def joined(old: Facts, new: Facts) -> Facts:
    """Of the content of both. `new.near` must already compare new content with old."""
    near = {(pair.a, pair.b): pair for pair in (*old.near, *new.near)}
    return Facts(old.phash | new.phash, old.gray | new.gray, old.language | new.language, tuple(near[key] for key in sorted(near)))
