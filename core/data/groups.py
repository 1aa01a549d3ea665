"""Which items belong together, read from their names: all pictures of one patient, all pages of one document, all frames of one video.

Looks at names only. Groups that a table's own column gave stand in the items already.
"""
from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import median
from typing import Literal

from core.data.intake.layout import CONTAINERS, side_named
from core.data.versions import Version
from core.errors import DataError

RuleKind = Literal["folder", "prefix", "pattern"]
GROUP = "{group}"
PATTERN_CHARS = 200
SEPARATORS = ("_", "-", " ", ".")
DEEPEST = 3
"""Folders below the label, and pieces of a file name, that are looked at."""
FEWEST_GROUPS = 5
GROUPS_PER_LABEL = 3
"""One for each side of the split."""
COVERED = 0.9
"""Of the items, that fall in a group."""
EXAMPLES = 6
HOW_TO_WRITE = "Write the name of a file and put {example} where the group stands, such as {pattern}."
"""A template of the translation catalogue."""


@dataclass(frozen=True, slots=True)
class GroupRule:
    """How a name tells the group.

    folder: the folder at `level`, 0 for the outermost of the name. prefix: the file name up to its `level`-th `separator`.
    pattern: what stands at `{group}` in the file name, where `*` is any text; folders that the pattern names are looked at too.
    Raises `DataError` for a pattern that can't work.
    """
    kind: RuleKind
    level: int = 1
    separator: str = ""
    pattern: str = ""

    def __post_init__(self) -> None:
        if self.kind == "pattern":
            _check_pattern(self.pattern)
        elif self.level < (self.kind == "prefix") or self.kind == "prefix" and not self.separator:
            raise ValueError(f"no such rule: {self}")


@dataclass(frozen=True, slots=True)
class Preview:
    """What a rule would do. `smallest`, `largest`: items of a group. `examples`: names with their groups, several of one group where
    there are. `alone`: items that fall in no group, each of which stands for itself; `alone_names`: some of them."""
    n_groups: int
    smallest: int
    largest: int
    examples: tuple[tuple[str, str], ...]
    alone: int
    alone_names: tuple[str, ...]


def group_of(name: str, rule: GroupRule) -> str:
    """The group of an item with this name; empty where the rule finds none."""
    *folders, file = name.split("/")
    if rule.kind == "folder":
        return folders[rule.level] if rule.level < len(folders) else ""
    if rule.kind == "prefix":
        pieces = _stem(file).split(rule.separator)
        return rule.separator.join(pieces[:rule.level]).strip() if len(pieces) > rule.level else ""
    depth = rule.pattern.count("/")
    found = _compiled(rule.pattern).match("/".join([*folders[len(folders) - depth:], file]))
    return found[1].strip() if found else ""


def groups_of(version: Version, rule: GroupRule) -> tuple[str, ...]:
    """The group of each item, in their order."""
    return tuple(group_of(item.name, rule) for item in version.items)


def suggest(version: Version) -> list[GroupRule]:
    """Rules that make sense for these names: nearly every item falls in a group, groups have several items, and labels have enough
    groups to be split. Of rules that give the same groups only the first is named. Folders come before beginnings of file names."""
    found: dict[int, GroupRule] = {}
    for rule in _candidates([item.name for item in version.items]):
        groups = groups_of(version, rule)
        if _sensible(version, groups):
            found.setdefault(_partition(groups), rule)
    return list(found.values())


def preview(version: Version, rule: GroupRule) -> Preview:
    """The groups that a rule makes of a version, in numbers and examples."""
    groups = groups_of(version, rule)
    sizes = Counter(group for group in groups if group)
    names: dict[str, list[str]] = {group: [] for group, _ in sizes.most_common(EXAMPLES // 2)}
    alone: list[str] = []
    for item, group in zip(version.items, groups):
        if not group and len(alone) < EXAMPLES:
            alone.append(item.name)
        elif group in names and len(names[group]) < 2:
            names[group].append(item.name)
    examples = tuple((name, group) for group, some in names.items() for name in some)
    return Preview(len(sizes), min(sizes.values(), default=0), max(sizes.values(), default=0), examples,
                   len(groups) - sizes.total(), tuple(alone))


def _candidates(names: Sequence[str]) -> Iterator[GroupRule]:
    folders = [name.split("/")[:-1] for name in names]
    label = min((_label_level(path) for path in folders), default=0)
    for level in range(label + 1, label + 1 + DEEPEST):
        here = {path[level] for path in folders if len(path) > level}
        if here and not all(side_named(folder) for folder in here):
            yield GroupRule("folder", level)
    for separator in SEPARATORS:
        most = max((_stem(name.rpartition("/")[2]).count(separator) for name in names), default=0)
        for level in range(1, min(most, DEEPEST) + 1):
            yield GroupRule("prefix", level, separator)


def _label_level(folders: Sequence[str]) -> int:
    """Where the label's folder stands: after those of a split and what they are wrapped in."""
    for level, folder in enumerate(folders):
        if not side_named(folder) and (level == 0 or folder.lower() not in CONTAINERS):
            return level
    return len(folders)


def _sensible(version: Version, groups: Sequence[str]) -> bool:
    sizes = Counter(group for group in groups if group)
    if len(sizes) < FEWEST_GROUPS or sizes.total() < COVERED * len(groups):
        return False
    of_label: dict[int, set[str]] = defaultdict(set)
    for item, group in zip(version.items, groups):
        of_label[item.label].add(group)
    n_groups = len(sizes)
    if not any(map(str.isalpha, "".join(sizes))):  # numbers may begin anew with each label
        n_groups = sum(map(len, of_label.values()))
    several = sizes.total() >= 2 * n_groups and max(sizes.values()) * 2 <= len(groups)
    return several and median(map(len, of_label.values())) >= GROUPS_PER_LABEL


def _partition(groups: Sequence[str]) -> int:
    """The same for the same groups under other names."""
    first: dict[str, int] = {}
    return hash(tuple(first.setdefault(group, len(first)) if group else -1 for group in groups))


def _stem(file: str) -> str:
    stem, dot, ending = file.rpartition(".")
    return stem if dot and ending.isalnum() and len(ending) <= 5 else file


def _check_pattern(pattern: str) -> None:
    params = {"example": GROUP, "pattern": "*_{group}_*.png"}
    if pattern.count(GROUP) != 1:
        raise DataError("The pattern needs {example} once.", "It tells which part of the name is the group.", HOW_TO_WRITE, **params)
    if f"*{GROUP}" in pattern or f"{GROUP}*" in pattern:
        raise DataError("The pattern does not say where the group begins and ends.", "A * stands directly beside {example}.",
                        HOW_TO_WRITE, **params)
    if len(pattern) > PATTERN_CHARS:
        raise DataError("The pattern is too long.", "It has {n} characters; {most} are the most.", HOW_TO_WRITE, n=len(pattern),
                        most=PATTERN_CHARS, **params)


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    """Each wildcard takes as little as it can and never gives back (an atomic group), but for the last one: so no name takes long."""
    first, *rest = re.split(r"(\*+|\{group\})", pattern)
    pairs = list(zip(rest[::2], rest[1::2]))
    parts = [re.escape(first)]
    for wild, literal in pairs[:-1]:
        parts.append(f"(?>{'([^/]+?)' if wild == GROUP else '[^/]*?'}{re.escape(literal)})")
    wild, literal = pairs[-1]
    parts.append(f"{'([^/]+)' if wild == GROUP else '[^/]*'}{re.escape(literal)}\\Z")
    return re.compile("".join(parts), re.IGNORECASE)
