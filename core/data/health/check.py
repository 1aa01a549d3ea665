"""What is wrong with a dataset, in plain words and worst first, before anything is trained on it."""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from core.data.facts import Facts
from core.data.health import copies, label_names
from core.data.intake import entries, foreign
from core.data.versions import Item, Rejected, Version
from core.specs import SIDES, SplitName

Severity = Literal["holds", "bad", "minor"]
"""`holds`: training waits until it is settled or overruled."""
ORDER: tuple[Severity, ...] = ("holds", "bad", "minor")
SHOWN = 24
LEAK = "near_copies_across_splits"

FEW = 10
"""Items below which a label is hardly learned, and its score is a guess."""
IMBALANCE = 10
TINY_PX = 32
HUGE_PIXELS = 12_000_000
ODD_RATIO = 4
LONG_CHARS = 2000
SHORT_CHARS = 3
SHORTCUT = 0.5
"""Cramér's V between a trait and the labels from which on the trait gives the label away."""
STRAY_ITEMS, STRAY_SHARE = 3, 0.02
"""Fewer odd items are not worth a word; of languages neither is a smaller share, which may be errors of the guess."""

LEFT_OUT = ("unreadable", "empty", "left_out")
"""Kinds of problem that concern what is in no dataset."""
EMPTY = frozenset({"The file is empty.", "The text is empty.", "The row is empty."})
"""Keys of the translation catalogue: the reasons why a file or row without content was left out."""
DAMAGED = frozenset({"The picture is damaged.", "The picture breaks off: the file is incomplete.", "It holds values that are no numbers.",
                     "Some of it can't be read as text in the encoding {encoding}."})
"""Keys of the translation catalogue: the reasons why a damaged file was left out; those of foreign files stand where they are found."""
UNREADABLE = DAMAGED | {entries.NOT_OPENED, entries.NOT_WHOLE, entries.DAMAGED_INSIDE, foreign.TEXT, foreign.OTHER,
                        *(reason for _, reason in foreign.SIGNATURES)}


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind of problem. `title`, `advice` and `fix` are templates of the translation catalogue, filled by `params`.

    `kind`: stable key, as "exact_duplicates". `count`: items (or files, labels) concerned. `groups`: the items concerned, as positions
    in the version's items, together where they belong together (a pair of copies); at most `SHOWN` groups of at most `SHOWN`, worst
    first. `names`: of the files concerned, at most `SHOWN`. `fix`: what the button says; empty where nothing but the reader's own work
    helps.
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
    """Every problem of a version, worst first; empty when there is none."""
    found = (problem for look in CHECKS if look not in NOT_FOR.get(version.objective, ()) for problem in look(version, facts))
    return tuple(sorted(found, key=lambda problem: ORDER.index(problem.severity)))


def holds(version: Version, facts: Facts) -> int:
    """Items with copies across the split that training must wait for; 0 when there are none or they were overruled. An edit that
    brings more of them than were overruled lets it hold again."""
    n = len(copies.leaks(version, facts))
    return n if n > version.overruled else 0


Found = Iterable[Problem]


def _between(sides: set[tuple[SplitName, str]]) -> str:
    if sides == {("train", "test")}:
        return "They are in training and in test: what was learned by heart would count as right, so leave them out of training."
    if sides == {("train", "val")}:
        return "They are in training and in validation: what was learned by heart would count as right, so leave them out of training."
    if sides == {("val", "test")}:
        return "They are in validation and in test, so the test would not be new: leave them out of validation."
    return ("Between training and test {train_test}, training and validation {train_val}, validation and test {val_test}: what was learned by "
            "heart would count as right, so leave them out.")


def _leaks(version: Version, facts: Facts) -> Found:
    found = copies.leaks(version, facts)
    if not found:
        return
    sides = Counter((version.items[leak.item].split, side) for leak in found for side in leak.copies)
    params: dict[str, str | int | float] = {
        "n": len(found), "train_test": sides["train", "test"], "train_val": sides["train", "val"], "val_test": sides["val", "test"]}
    accepted = len(found) <= version.overruled
    yield Problem(
        LEAK, "bad" if accepted else "holds", len(found),
        "Near-copies on both sides of the split, accepted: {n}" if accepted else "Near-copies on both sides of the split: {n}",
        "They were let stand on purpose: the score may look better than it is." if accepted else _between(set(sides)),
        params, tuple((leak.item, leak.worst[1]) for leak in found[:SHOWN]), fix="Leave them out")


def _two_labels(version: Version, facts: Facts) -> Found:
    found = copies.two_labels(version)
    if found:
        yield Problem("same_item_two_labels", "bad", len(found), "The same item under two labels: {n}",
                      "At most one of the labels is right: correct it, or remove all of its copies.",
                      {"n": len(found)}, _shown(found), fix="Remove all their copies")


def _near_two_labels(version: Version, facts: Facts) -> Found:
    found = copies.near_two_labels(version, facts)
    if found:
        yield Problem("near_copies_two_labels", "bad", len(found), "Near-copies under different labels: {n}",
                      "Look at each pair: one of the two labels is probably wrong.", {"n": len(found)}, _shown(found), fix="Remove all their copies")


def spellings(version: Version) -> tuple[tuple[str, ...], ...]:
    """Labels that are probably the same, the most common spelling first."""
    return label_names.spellings({version.labels[label]: n for label, n in _label_counts(version).items()})


def _label_typos(version: Version, facts: Facts) -> Found:
    sets = spellings(version)
    if not sets:
        return
    wrong = {label for labels in sets for label in labels[1:]}
    sure = any(label_names.plain(labels[0]) == label_names.plain(label) for labels in sets for label in labels[1:])
    yield Problem("label_typos", "bad" if sure else "minor", len(wrong), "Labels that look like another spelling: {n}",
                  "Each would be learned as a label of its own: {sets}. Merge them if they mean the same.",
                  {"n": len(wrong), "sets": _listed([" = ".join(f"“{label}”" for label in labels) for labels in sets], "; ")},
                  _by_label(version, {idx for idx, label in enumerate(version.labels) if label in wrong}), fix="Merge into the most common spelling")


def _groups(version: Version, facts: Facts) -> Found:
    sides: dict[str, set[SplitName]] = {}
    for item in version.items:
        if item.group:
            sides.setdefault(item.group, set()).add(item.split)
    torn = {group for group, on in sides.items() if len(on) > 1}
    if torn:
        items: dict[str, list[int]] = {group: [] for group in sorted(torn)}
        for position, item in enumerate(version.items):
            if item.group in torn:
                items[item.group].append(position)
        yield Problem("groups_across_splits", "bad", len(torn), "Groups on both sides of the split: {n}",
                      "What is known of a group from training helps on its other items, so the score looks better than it is: split again "
                      "with the groups kept whole.", {"n": len(torn)}, _shown(items.values()), fix="Split again")


def _missing_on_side(version: Version, facts: Facts) -> Found:
    there = version.counts()
    missing: dict[SplitName, list[str]] = {
        side: [label for idx, label in enumerate(version.labels) if not there[side][idx]] if there[side] else [] for side in there}
    labels = set().union(*missing.values())
    if labels:
        params: dict[str, str | int | float] = {side: _listed(names) or "–" for side, names in missing.items()}
        yield Problem("missing_on_side", "bad" if missing["train"] else "minor", len(labels), "Labels with no item on one side of the split: {n}",
                      "Missing in training: {train}; in validation: {val}; in test: {test}. What is missing can't be learned or measured: "
                      "add items, or split again.", {"n": len(labels)} | params, fix="Split again" if _enough_for_all_sides(version, labels) else "")


def _enough_for_all_sides(version: Version, labels: set[str]) -> bool:
    """Whether a given split is to blame, and not that there are too few different items."""
    different = {label: len({item.sha for item in version.items if version.labels.index(label) in item.borne}) for label in labels}
    return version.fixed_splits and not any(item.group for item in version.items) and min(different.values()) >= len(SIDES)


def few_items(version: Version) -> frozenset[int]:
    """Labels with fewer than `FEW` items."""
    return frozenset(label for label, n in _label_counts(version).items() if n < FEW)


def _few_items(version: Version, facts: Facts) -> Found:
    few = few_items(version)
    if few:
        rest = len(version.labels) - len(few)
        yield Problem("few_items", "bad", len(few), "Labels with fewer than {m} items: {n}",
                      "So few are hardly learned, and their score is a guess: add items of {labels}, or drop the labels.",
                      {"n": len(few), "m": FEW, "labels": _listed([version.labels[label] for label in sorted(few)])},
                      _by_label(version, few), fix="Drop these labels" if rest >= 2 else "")


def _imbalance(version: Version, facts: Facts) -> Found:
    counts = _label_counts(version)
    (most, high), (least, low) = max(counts.items(), key=lambda row: row[1]), min(counts.items(), key=lambda row: row[1])
    if high > IMBALANCE * low:
        rare = {label for label, n in counts.items() if high > IMBALANCE * n}
        yield Problem("imbalance", "bad", len(rare), "Rare labels, with less than 1/{m} of the items of the largest: {n}",
                      "“{most}” has {high} items, “{least}” {low}: add items of the rare ones, or let them count more in training.",
                      {"n": len(rare), "m": IMBALANCE, "most": version.labels[most], "high": high, "least": version.labels[least], "low": low},
                      _by_label(version, rare))


def _gray(version: Version, facts: Facts) -> Found:
    pictures = [item.width > 0 for item in version.items]
    gray = [item.sha in facts.gray for item in version.items]
    n, n_gray = sum(pictures), sum(gray)
    if min(n_gray, n - n_gray) < STRAY_ITEMS:
        return
    rare_is_gray = 2 * n_gray <= n
    odd = [position for position, (picture, is_gray) in enumerate(zip(pictures, gray)) if picture and is_gray == rare_is_gray]
    told = _tells_label(version, odd)
    yield Problem(
        "gray_in_colour", "bad" if told else "minor", len(odd),
        "Gray pictures among colour ones: {n}" if rare_is_gray else "Colour pictures among gray ones: {n}",
        "They stand mostly under {labels}, so the network may learn the missing or added colour instead of the thing: make all pictures gray, "
        "or find others." if told else "They are spread over the labels, which does little harm.",
        {"n": len(odd), "labels": told}, _singles(odd))


def _languages(version: Version, facts: Facts) -> Found:
    spoken = Counter(facts.language[item.sha] for item in version.items if item.sha in facts.language)
    least = max(STRAY_ITEMS, STRAY_SHARE * spoken.total())
    others = [language for language, n in spoken.most_common()[1:] if n >= least]
    if others:
        odd = [position for position, item in enumerate(version.items) if facts.language.get(item.sha) in others]
        told = _tells_label(version, odd)
        yield Problem(
            "several_languages", "bad" if told else "minor", len(odd), "Texts in another language than most: {n}",
            "Besides “{main}” there are {others}, mostly under {labels}: the network may learn the language instead of the meaning." if told else
            "Besides “{main}” there are {others}: choose a model that knows all of them, or keep one language.",
            {"n": len(odd), "main": spoken.most_common(1)[0][0], "others": _listed([f"“{language}”" for language in others]), "labels": told},
            _singles(odd))


def _exact_duplicates(version: Version, facts: Facts) -> Found:
    found = copies.exact_duplicates(version)
    n = sum(len(one.spare) for one in found)
    if found:
        yield Problem("exact_duplicates", "minor", n, "Exact duplicates: {n}", "They count several times and add nothing: one of each is enough.",
                      {"n": n}, _spare(found), fix="Keep one of each")


def _near_duplicates(version: Version, facts: Facts) -> Found:
    found = copies.near_duplicates(version, facts)
    n = sum(len(one.spare) for one in found)
    if found:
        yield Problem("near_duplicates", "minor", n, "Near-copies on one side of the split: {n}",
                      "On one side they do no harm; they only make the dataset look larger than it is.",
                      {"n": n}, _spare(found), fix="Keep one of each")


def left_out(version: Version, kind: str) -> tuple[Rejected, ...]:
    """What an import left out, by the kinds of problem "unreadable", "empty" and "left_out" (everything else)."""
    def kind_of(file: Rejected) -> str:
        return "unreadable" if file.reason in UNREADABLE else "empty" if file.reason in EMPTY else "left_out"
    return tuple(file for file in version.rejected if kind_of(file) == kind)


def _rejected(version: Version, facts: Facts) -> Found:
    damaged, empty, other = ([file.name for file in left_out(version, kind)] for kind in LEFT_OUT)
    if damaged:
        yield Problem("unreadable", "minor", len(damaged), "Unreadable or damaged files, left out: {n}",
                      "Save them again as JPEG or PNG, or as UTF-8 text, and import again if they matter.", {"n": len(damaged)},
                      names=tuple(damaged[:SHOWN]))
    if empty:
        yield Problem("empty", "minor", len(empty), "Empty files or texts, left out: {n}", "There is nothing in them to learn from.",
                      {"n": len(empty)}, names=tuple(empty[:SHOWN]))
    if other:
        yield Problem("left_out", "minor", len(other), "Other files or rows, left out: {n}",
                      "The list of what was left out gives the reason for each.", {"n": len(other)}, names=tuple(other[:SHOWN]))


def tiny(version: Version) -> tuple[int, ...]:
    """Pictures with a side below `TINY_PX`, the smallest first."""
    found = [(min(item.width, item.height), position) for position, item in enumerate(version.items) if 0 < min(item.width, item.height) < TINY_PX]
    return tuple(position for _, position in sorted(found))


def _tiny(version: Version, facts: Facts) -> Found:
    found = tiny(version)
    if found:
        few = 2 * len(found) <= len(version.items)
        yield Problem("tiny", "minor", len(found), "Tiny pictures, under {px} pixels: {n}",
                      "They are enlarged until little can be made out: find larger ones, or remove them." if few else
                      "The dataset is made of small pictures, which are enlarged: choose a small input size.",
                      {"n": len(found), "px": TINY_PX}, _singles(found), fix="Remove them" if few else "")


def odd_shapes(version: Version) -> tuple[int, ...]:
    """Pictures with one side more than `ODD_RATIO` times the other, the worst first."""
    def ratio(item: Item) -> float:
        return max(item.width, item.height) / min(item.width, item.height) if item.width and item.height else 0.0
    return tuple(_worst(version, ratio, ODD_RATIO))


def _odd_shape(version: Version, facts: Facts) -> Found:
    found = odd_shapes(version)
    if found:
        yield Problem("odd_shape", "minor", len(found), "Very wide or very tall pictures: {n}",
                      "Only the square in the middle is seen, which loses most of them: cut them to what matters, or remove them.", {"n": len(found)},
                      _singles(found), fix="Remove them" if 2 * len(found) <= len(version.items) else "")


def _huge(version: Version, facts: Facts) -> Found:
    found = _worst(version, lambda item: item.width * item.height, HUGE_PIXELS)
    if found:
        yield Problem("huge", "minor", len(found), "Pictures of more than {m} million pixels: {n}",
                      "They are only slow to read; the network sees them small anyway.", {"n": len(found), "m": HUGE_PIXELS // 10**6},
                      _singles(found))


def short_texts(version: Version) -> tuple[int, ...]:
    """Texts of fewer than `SHORT_CHARS` characters, the shortest first."""
    if version.task != "text":
        return ()
    found = [(item.length, position) for position, item in enumerate(version.items) if item.length < SHORT_CHARS]
    return tuple(position for _, position in sorted(found))


def _short_texts(version: Version, facts: Facts) -> Found:
    found = short_texts(version)
    if found:
        yield Problem("short_texts", "minor", len(found), "Empty or very short texts: {n}",
                      "Fewer than {m} characters say little about a label: complete them, or remove them.", {"n": len(found), "m": SHORT_CHARS},
                      _singles(found), fix="Remove them")


def _long_texts(version: Version, facts: Facts) -> Found:
    found = _worst(version, lambda item: item.length, LONG_CHARS)
    if found:
        yield Problem("long_texts", "minor", len(found), "Long texts, over {m} characters: {n}",
                      "Most networks read only the beginning: see that what matters stands there.",
                      {"n": len(found), "m": f"{LONG_CHARS:,}"}, _singles(found))


CHECKS: tuple[Callable[[Version, Facts], Found], ...] = (
    _leaks, _groups, _two_labels, _near_two_labels, _label_typos, _missing_on_side, _few_items, _gray, _languages, _imbalance, _rejected,
    _exact_duplicates, _short_texts, _tiny, _odd_shape, _long_texts, _near_duplicates, _huge)
"""Worst first among those of the same severity."""
_OF_TWO_LABELS = (_near_two_labels, _gray, _languages)
NOT_FOR: dict[str, tuple[Callable[[Version, Facts], Found], ...]] = {
    "multi_label": _OF_TWO_LABELS, "regression": (*_OF_TWO_LABELS, _two_labels, _label_typos, _few_items, _imbalance)}
"""By objective, checks that mean nothing: where labels don't exclude one another, a trait can't stand for one instead of another; numbers
are no labels."""


def _label_counts(version: Version) -> Counter[int]:
    """Items of every label, those without any too."""
    counts = Counter({label: 0 for label in range(len(version.labels))})
    counts.update(label for item in version.items for label in item.borne)
    return counts


def _tells_label(version: Version, odd: Sequence[int]) -> str:
    """The labels under which a trait stands so often that it gives them away, by Cramér's V (1946) of trait and label; else empty."""
    counts, with_trait = _label_counts(version), Counter(version.items[position].label for position in odd)
    n, share = len(version.items), len(odd) / len(version.items)
    chi2_over_n = sum(total / n * (with_trait[label] / total - share) ** 2 for label, total in counts.items() if total) / (share * (1 - share)) \
        if 0 < share < 1 else 0.0
    if len(odd) < STRAY_ITEMS or chi2_over_n ** 0.5 < SHORTCUT:
        return ""
    leading = sorted((label for label, k in with_trait.items() if k / counts[label] > share), key=lambda label: -with_trait[label] / counts[label])
    return _listed([f"“{version.labels[label]}”" for label in leading])


def _worst(version: Version, size: Callable[[Item], float], limit: float) -> tuple[int, ...]:
    """Items whose size is beyond the limit, the largest first."""
    found = [(-value, position) for position, value in enumerate(map(size, version.items)) if value > limit]
    return tuple(position for _, position in sorted(found))


def _shown(groups: Iterable[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(group[:SHOWN]) for group in list(groups)[:SHOWN])


def _singles(items: Iterable[int]) -> tuple[tuple[int, ...], ...]:
    return _shown((item,) for item in items)


def _spare(found: Sequence[copies.Spare]) -> tuple[tuple[int, ...], ...]:
    return _shown((one.kept, *one.spare) for one in sorted(found, key=lambda one: -len(one.spare)))


def _by_label(version: Version, labels: Iterable[int]) -> tuple[tuple[int, ...], ...]:
    """The items of each label together, the label with the fewest first."""
    items: dict[int, list[int]] = {label: [] for label in labels}
    for position, item in enumerate(version.items):
        for label in item.borne:
            if label in items:
                items[label].append(position)
    return _shown(sorted((group for group in items.values() if group), key=len))


def _listed(names: Sequence[str], between: str = ", ", most: int = 5) -> str:
    return between.join(names[:most]) + (" …" if len(names) > most else "")
