"""Small datasets of real files, each with one flaw."""
from __future__ import annotations

import hashlib
from pathlib import Path

from core.data.facts import Facts, Near, load_facts
from core.data.intake.importing import import_path
from core.data.versions import Item, Version, load_version
from core.owners import LOCAL_OWNER
from core.workspace import Workspace
from tests.core.data.picture_files import encoded, picture, write_tree

SIDES = {"train": 8, "val": 2, "test": 2}


def colour(seed: int, size: tuple[int, int] = (40, 36)) -> bytes:
    return encoded(picture(seed, size), "PNG")


def gray(seed: int) -> bytes:
    return encoded(picture(seed, (40, 36), "L"), "PNG")


def clean(labels: tuple[str, ...] = ("ant", "bee"), first: int = 0, sides: dict[str, int] = SIDES) -> dict[str, bytes]:
    """Twelve different pictures of each label, on given sides of the split."""
    names = [f"{side}/{label}/{i}.png" for label in labels for side, n in sides.items() for i in range(n)]
    return {name: colour(first + seed) for seed, name in enumerate(names)}


def imported(ws: Workspace, folder: Path, files: dict[str, bytes]) -> tuple[Version, Facts]:
    data = import_path(ws, write_tree(folder / "files", files), name=folder.name, owner=LOCAL_OWNER, progress=lambda done, total: None)
    return load_version(ws, data), load_facts(ws, data.dataset)


def position(version: Version, name: str) -> int:
    return [item.name for item in version.items].index(name)


def alike(version: Version, *pairs: tuple[str, str], likeness: float = 0.9) -> Facts:
    """Facts in which these items are near-copies."""
    shas = {item.name: item.sha for item in version.items}
    return Facts(near=tuple(Near(*sorted((shas[a], shas[b])), likeness) for a, b in pairs))


def texts(rows: list[tuple[str, str]], languages: dict[str, str] | None = None) -> tuple[Version, Facts]:
    """A version of texts, (label, text) each, all of them training but the last two of each label."""
    labels = tuple(sorted({label for label, _ in rows}))
    items, left = [], {label: sum(row[0] == label for row in rows) for label in labels}
    for number, (label, text) in enumerate(rows):
        side = {2: "val", 1: "test"}.get(left[label], "train")
        left[label] -= 1
        items.append(Item(hashlib.sha256(text.encode()).hexdigest(), f"rows.csv:{number + 2}", labels.index(label), side, length=len(text)))  # type: ignore[arg-type]
    spoken = {item.sha: (languages or {}).get(text, "en") for item, (_, text) in zip(items, rows)}
    return Version(labels, tuple(items), fixed_splits=True, task="text"), Facts(language=spoken)
