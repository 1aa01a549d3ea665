"""One click against one kind of problem: each fix makes a new version in which the health report no longer shows it."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from core.data import copies, health, label_names
from core.data.edit import Edit
from core.data.facts import Facts
from core.data.versions import Version
from core.errors import DataError


def fix(version: Version, facts: Facts, kind: str) -> Edit:
    """The edit that settles a kind of problem. Raises `DataError` when fewer than two labels, or nothing to learn of one, would be left;
    `KeyError` for a kind that no click can settle."""
    return FIXES[kind](version, facts)


def overrule(version: Version, facts: Facts) -> Edit:
    """Let the copies across the split stand. Training may start, its report says so, and more of them than now hold it again."""
    n = len(copies.leaks(version, facts))
    return Edit(replace(version, overruled=n), "Let {n} near-copies stand on both sides of the split", {"n": n})


def settlements(version: Version, facts: Facts) -> tuple[Edit, ...]:
    """Both ways to let training start where copies across the split hold it; none where nothing holds it or one of them can't be gone."""
    if not health.holds(version, facts):
        return ()
    try:
        return fix(version, facts, health.LEAK), overrule(version, facts)
    except DataError:
        return (overrule(version, facts),)


def _leave_out_leaks(version: Version, facts: Facts) -> Edit:
    found = [leak.item for leak in copies.leaks(version, facts)]
    return Edit(replace(without(version, found), overruled=0), "Left {n} items with copies on the other side of the split out of training",
                {"n": len(found)})


def _keep_one_exact(version: Version, facts: Facts) -> Edit:
    found = [item for one in copies.exact_duplicates(version) for item in one.spare]
    return Edit(without(version, found), "Kept one of each exact duplicate: {n} fewer", {"n": len(found)})


def _keep_one_near(version: Version, facts: Facts) -> Edit:
    found = [item for one in copies.near_duplicates(version, facts) for item in one.spare]
    return Edit(without(version, found), "Kept one of each near-copy: {n} fewer", {"n": len(found)})


def _remove_two_labels(version: Version, facts: Facts) -> Edit:
    found = [item for group in copies.two_labels(version) for item in group]
    return Edit(without(version, found), "Removed {n} items that stood under two labels", {"n": len(found)})


def _merge_spellings(version: Version, facts: Facts) -> Edit:
    counts = {label: 0 for label in version.labels}
    for item in version.items:
        counts[version.labels[item.label]] += 1
    sets = label_names.spellings(counts)
    into = {version.labels.index(label): version.labels.index(labels[0]) for labels in sets for label in labels[1:]}
    merged = replace(version, items=tuple(replace(item, label=into.get(item.label, item.label)) for item in version.items))
    return Edit(without(merged, ()), "Merged {n} spellings into the most common ones", {"n": len(into)})


def _drop_few(version: Version, facts: Facts) -> Edit:
    few = health.few_items(version)
    items = [position for position, item in enumerate(version.items) if item.label in few]
    return Edit(without(version, items), "Dropped {n} labels with fewer than {m} items", {"n": len(few), "m": health.FEW})


def _remove_tiny(version: Version, facts: Facts) -> Edit:
    found = health.tiny(version)
    return Edit(without(version, found), "Removed {n} tiny pictures", {"n": len(found)})


def _remove_short(version: Version, facts: Facts) -> Edit:
    found = health.short_texts(version)
    return Edit(without(version, found), "Removed {n} empty or very short texts", {"n": len(found)})


FIXES: dict[str, Callable[[Version, Facts], Edit]] = {
    health.LEAK: _leave_out_leaks,
    "same_item_two_labels": _remove_two_labels,
    "label_typos": _merge_spellings,
    "few_items": _drop_few,
    "exact_duplicates": _keep_one_exact,
    "near_duplicates": _keep_one_near,
    "tiny": _remove_tiny,
    "short_texts": _remove_short,
}
"""By the kind of the problem."""


def without(version: Version, items: Iterable[int]) -> Version:
    """A version without these items, and without the labels that are left with none. Raises `DataError` when fewer than two labels
    are left, or one has lost all that could be learned of it."""
    gone = set(items)
    kept = tuple(item for position, item in enumerate(version.items) if position not in gone)
    used = sorted({item.label for item in kept})
    if len(used) < 2:
        raise DataError("Fewer than two labels would be left.", "{n} of {all} items would go.", "Add more items, or leave these as they are.",
                        n=len(gone), all=len(version.items))
    lost = {item.label for item in version.items if item.split == "train"} - {item.label for item in kept if item.split == "train"}
    if lost & set(used):
        raise DataError("Nothing of “{c}” would be left to learn from.", "All of its training items would go, and others of it would stay.",
                        "Split the data again on the Data page, or leave these items as they are.", c=version.labels[min(lost & set(used))])
    index = {label: idx for idx, label in enumerate(used)}
    return replace(version, labels=tuple(version.labels[label] for label in used), items=tuple(replace(item, label=index[item.label]) for item in kept))
