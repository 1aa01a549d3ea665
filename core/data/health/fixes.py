"""One click against one kind of problem: each fix makes a new version in which the health report no longer shows it."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from core.data.edit import Edit, drop_labels, merge_labels, remove, resplit
from core.data.facts import Facts
from core.data.health import check as health
from core.data.health import copies
from core.data.versions import Version
from core.errors import DataError


def fix(version: Version, facts: Facts, kind: str) -> Edit:
    """The edit that settles a kind of problem. Raises `DataError` when too little of a label, or fewer than two labels, would be left;
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
    return Edit(remove(version, found).version, "Left out {n} items with copies on the other side of the split", {"n": len(found)})


def _keep_one_exact(version: Version, facts: Facts) -> Edit:
    found = [item for one in copies.exact_duplicates(version) for item in one.spare]
    return Edit(remove(version, found).version, "Kept one of each exact duplicate: {n} fewer", {"n": len(found)})


def _keep_one_near(version: Version, facts: Facts) -> Edit:
    found = [item for one in copies.near_duplicates(version, facts) for item in one.spare]
    return Edit(remove(version, found).version, "Kept one of each near-copy: {n} fewer", {"n": len(found)})


def _remove_two_labels(version: Version, facts: Facts) -> Edit:
    found = [item for group in copies.two_labels(version) for item in group]
    return Edit(remove(version, found).version, "Removed {n} items that stood under two labels", {"n": len(found)})


def _remove_near_two_labels(version: Version, facts: Facts) -> Edit:
    found = {item for group in copies.near_two_labels(version, facts) for item in group}
    return Edit(remove(version, found).version, "Removed {n} near-copies that stood under two labels", {"n": len(found)})


def _remove_odd(version: Version, facts: Facts) -> Edit:
    found = health.odd_shapes(version)
    return Edit(remove(version, found).version, "Removed {n} very wide or very tall pictures", {"n": len(found)})


def _split_again(version: Version, facts: Facts) -> Edit:
    return resplit(version, version.shares, facts.pairs())


def _remove_tiny(version: Version, facts: Facts) -> Edit:
    found = health.tiny(version)
    return Edit(remove(version, found).version, "Removed {n} tiny pictures", {"n": len(found)})


def _remove_short(version: Version, facts: Facts) -> Edit:
    found = health.short_texts(version)
    return Edit(remove(version, found).version, "Removed {n} empty or very short texts", {"n": len(found)})


def _drop_few(version: Version, facts: Facts) -> Edit:
    few = health.few_items(version)
    return Edit(drop_labels(version, sorted(few)).version, "Dropped {n} labels with fewer than {m} items", {"n": len(few), "m": health.FEW})


def _merge_spellings(version: Version, facts: Facts) -> Edit:
    sets = health.spellings(version)
    merged = version
    for labels in sets:
        merged = merge_labels(merged, [merged.labels.index(label) for label in labels], labels[0]).version
    return Edit(merged, "Merged {n} spellings into the most common ones", {"n": sum(len(labels) - 1 for labels in sets)})


FIXES: dict[str, Callable[[Version, Facts], Edit]] = {
    health.LEAK: _leave_out_leaks,
    "same_item_two_labels": _remove_two_labels,
    "near_copies_two_labels": _remove_near_two_labels,
    "groups_across_splits": _split_again,
    "missing_on_side": _split_again,
    "odd_shape": _remove_odd,
    "label_typos": _merge_spellings,
    "few_items": _drop_few,
    "exact_duplicates": _keep_one_exact,
    "near_duplicates": _keep_one_near,
    "tiny": _remove_tiny,
    "short_texts": _remove_short,
}
"""By the kind of the problem."""
