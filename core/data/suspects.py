"""Items whose label is probably wrong, as the label doctor found them, and what was decided about them.

    datasets/<id>/ doctor-<version>.json   what was found in a version; immutable, as the version is
                   doctor-kept.json        (sha, label) of each item whose label somebody looked at and kept

Suspects are known by content and by the names of labels, so what was found in one version holds in those that were made from it.
"""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from filelock import FileLock

from core.data.edit import Edit, change_labels
from core.data.versions import Version
from core.specs import DataSpec, from_json, to_json
from core.workspace import Workspace, write_atomic

MOST_ITEMS, MOST_SUSPECTS = 20_000, 500
"""Of more items a sample is looked at; of more suspects the worst are kept."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An item that looks much like a suspect. `position`: in the version's items. `likeness`: cosine, at most 1."""
    position: int
    sha: str
    label: str
    likeness: float


@dataclass(frozen=True, slots=True)
class Suspect:
    """An item whose label is doubtful. `position`: in the version's items; `given` and `suggested`: names of labels; `p_given` and
    `p_suggested`: how likely each is to somebody who learned from all other items; `quality`: 0 (surely wrong) to 1; `neighbours`: the
    nearest other items, nearest first."""
    position: int
    sha: str
    given: str
    suggested: str
    p_given: float
    p_suggested: float
    quality: float
    neighbours: tuple[Neighbour, ...] = ()


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found in a version. `looked_at` of its `total` items were judged; `left_out`: labels with too few items to be judged;
    `suspects`: the worst, worst first, of the `n_doubtful` that there are; `expected`: estimated number of wrong labels among the items
    looked at; `accuracy`: share of them whose given label is also the most likely one; `method`: a template of the translation catalogue,
    filled by `params`."""
    looked_at: int
    total: int
    left_out: tuple[str, ...]
    suspects: tuple[Suspect, ...]
    n_doubtful: int
    expected: int
    accuracy: float
    method: str
    params: dict[str, str | int | float]


Kept = frozenset[tuple[str, str]]
"""(sha, label) of items whose label was looked at and kept."""


def load_findings(ws: Workspace, data: DataSpec) -> Findings | None:
    """Those of exactly this version; None when nobody has looked."""
    try:
        return from_json(Findings, (ws.dataset(data.dataset) / f"doctor-{data.version}.json").read_bytes())
    except FileNotFoundError:
        return None


def write_findings(ws: Workspace, data: DataSpec, findings: Findings) -> None:
    write_atomic(ws.dataset(data.dataset) / f"doctor-{data.version}.json", to_json(findings))


def load_kept(ws: Workspace, dataset_id: str) -> Kept:
    try:
        rows = from_json(list[tuple[str, str]], (ws.dataset(dataset_id) / "doctor-kept.json").read_bytes())
    except FileNotFoundError:
        return frozenset()
    return frozenset(rows)


def keep(ws: Workspace, dataset_id: str, suspects: Kept) -> None:
    """Remember that these items bear their labels rightly."""
    folder = ws.dataset(dataset_id)
    with FileLock(folder / ".doctor.lock"):  # two tabs that decide at once must not lose one another's answers
        write_atomic(folder / "doctor-kept.json", to_json(sorted(load_kept(ws, dataset_id) | suspects)))


def still_open(findings: Findings, version: Version, kept: Kept) -> tuple[Suspect, ...]:
    """The suspects that still wait for a decision in `version`, which may be another one than they were found in: those that are there
    with the same label, and which nobody has kept. Positions, and labels of neighbours, are those of `version`. One whose suggested
    label is gone has nothing that it could become, and is left out too."""
    places: dict[str, list[int]] = defaultdict(list)
    for position, item in enumerate(version.items):
        places[item.sha].append(position)
    found = []
    for suspect in findings.suspects:
        same = [place for place in places[suspect.sha] if version.labels[version.items[place].label] == suspect.given]
        if same and suspect.suggested in version.labels and (suspect.sha, suspect.given) not in kept:
            near = tuple(replace(one, position=places[one.sha][0], label=version.labels[version.items[places[one.sha][0]].label])
                         for one in suspect.neighbours if places[one.sha])
            position = suspect.position if suspect.position in same else same[0]
            found.append(replace(suspect, position=position, neighbours=near))
    return tuple(found)


Decision = Literal["relabel", "keep", "remove"]
"""Give it the suggested label, leave it as it is, take it out."""


def correct(version: Version, decisions: Sequence[tuple[Suspect, Decision]]) -> Edit:
    """Carry out what was decided about suspects of `version`, for all copies with the same label, as one change; "keep" changes nothing
    (see `keep`). Raises `DataError` when a label would be left with too little, or when nothing is to be changed."""
    labels: dict[int, str | None] = {}
    for suspect, decision in decisions:
        if decision != "keep":
            labels |= dict.fromkeys(_places(version, suspect), suspect.suggested if decision == "relabel" else None)
    n_gone = list(labels.values()).count(None)
    return Edit(change_labels(version, labels), "Label doctor: {n} labels changed, {m} items removed",
                {"n": len(labels) - n_gone, "m": n_gone})


def _places(version: Version, suspect: Suspect) -> set[int]:
    return {position for position, item in enumerate(version.items)
            if item.sha == suspect.sha and version.labels[item.label] == suspect.given}
