"""What is asked about the items of a dataset, and asking it otherwise: one label or several, yes or no, a number."""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from core.data.edit import Edit, bearing
from core.data.intake.label_cells import number, positive_of
from core.data.versions import Version
from core.errors import DataError
from core.objectives import OBJECTIVES, objective

MANY_NUMBERS = 10
"""Labels that are all numbers, and more than so many of them, are probably meant as numbers."""


def askable(version: Version) -> tuple[str, ...]:
    """Keys of the objectives that the labels as they are can serve, its own among them, in the order of `core.objectives`."""
    return tuple(key for key in OBJECTIVES if key == version.objective or FITS[key](version))


def proposed(version: Version) -> str:
    """The objective that the labels look made for, where that is another one than theirs; else empty."""
    if objective(version.objective).labels_exclude:
        if len(version.labels) > MANY_NUMBERS and FITS["regression"](version):
            return "regression"
        if version.objective == "single_label" and len(version.labels) == 2:
            return "binary"
    return ""


def ask(version: Version, key: str, positive: str = "") -> Edit:
    """The same items with their labels taken for another objective. `positive`: of a yes-or-no question the label that is looked for; by
    default the one that means yes, else the rarer one. Raises `DataError` when the labels can't serve."""
    row = objective(key)
    if key not in askable(version):
        raise DataError("The labels don't fit this question.", "“{question}” can't be asked about labels such as {labels}.",
                        "Choose another question, or read the table again with another column.", question=row.title,
                        labels=", ".join(f"“{label}”" for label in version.labels[:4]))
    if positive and positive not in version.labels:
        raise DataError("There is no such label.", "“{label}” is not among {labels}.", "Choose one of its labels.", label=positive,
                        labels=", ".join(version.labels[:8]))
    changed = TAKEN[key](_as_single(version), positive)
    if row.ordered:
        return Edit(changed, "Asked for “{label}”: yes or no", {"label": changed.labels[1]})
    return Edit(changed, ASKED[key])


ASKED = {"single_label": "Asked for one label an item", "multi_label": "Asked for several labels an item", "regression": "Asked for a number"}
"""By objective, templates of the translation catalogue."""


def positive_label(version: Version) -> str:
    """Of two labels the one that is looked for, or would be."""
    if objective(version.objective).ordered:
        return version.labels[1]
    return positive_of(Counter(version.labels[item.label] for item in version.items))


def _one_each(version: Version) -> bool:
    return not objective(version.objective).numeric and all(len(item.borne) == 1 for item in version.items)


def _two(version: Version) -> bool:
    return _one_each(version) and len(version.labels) == 2


def _labels(version: Version) -> bool:
    return not objective(version.objective).numeric and len(version.labels) > 1


def _numbers(version: Version) -> bool:
    return _one_each(version) and all(number(label) is not None for label in version.labels)


FITS: dict[str, Callable[[Version], bool]] = {"single_label": lambda version: _one_each(version) and len(version.labels) > 1, "binary": _two,
                                              "multi_label": _labels, "regression": _numbers}


def _as_single(version: Version) -> Version:
    """Labels in the order of their names, whatever they were asked for."""
    if objective(version.objective).numeric:
        return version
    labels = tuple(sorted(version.labels))
    places = [labels.index(label) for label in version.labels]
    return replace(version, labels=labels, items=tuple(bearing(item, [places[label] for label in item.borne]) for item in version.items))


def _single(version: Version, positive: str) -> Version:
    return replace(version, objective="single_label", items=tuple(replace(item, label=item.borne[0], labels=None) for item in version.items))


def _binary(version: Version, positive: str) -> Version:
    single = _single(version, "")
    positive = positive or positive_label(single)
    if single.labels[1] == positive:
        return replace(single, objective="binary")
    return replace(single, objective="binary", labels=single.labels[::-1], items=tuple(replace(item, label=1 - item.label) for item in single.items))


def _several(version: Version, positive: str) -> Version:
    return replace(version, objective="multi_label", items=tuple(replace(item, labels=item.borne) for item in version.items))


def _measured(version: Version, positive: str) -> Version:
    if objective(version.objective).numeric:
        return version
    values = [number(label) for label in version.labels]
    name = version.table.choice.label_column if version.table else ""
    return replace(version, objective="regression", labels=(name or NAMELESS,),
                   items=tuple(replace(item, label=0, labels=None, value=values[item.borne[0]]) for item in version.items))


NAMELESS = "number"
"""What is measured, where nothing says what it is."""
TAKEN: dict[str, Callable[[Version, str], Version]] = {"single_label": _single, "binary": _binary, "multi_label": _several, "regression": _measured}
