"""A health report for the command line: as lines to read, and as a record for scripts. English, as all of the command line."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.data.health.check import LEAK, Problem
from core.data.versions import Version
from core.objectives import objective
from core.specs import SIDES

EXAMPLES = 5
TWO_LABELS = ("same_item_two_labels", "near_copies_two_labels")
COPIES = (LEAK, *TWO_LABELS, "exact_duplicates", "near_duplicates")
MARKS = {"holds": "HOLDS", "bad": "bad", "minor": "minor"}


def lines(version: Version, problems: Sequence[Problem]) -> list[str]:
    """Counts, the true split of each label, then every problem, worst first."""
    n = len(version.rejected)
    return [f"{len(version.items):,} items ({version.task}), {_asked(version)}, {n:,} left out",
            *_reading(version), "", *_splits(version), "",
            *(line for problem in problems for line in _problem(version, problem)),
            *([] if problems else ["Nothing wrong was found."])]


def record(version: Version, problems: Sequence[Problem]) -> dict[str, Any]:
    """What `python -m core check --json` prints. `encoding` and `columns` are null where no table was read."""
    choice = version.table.choice if version.table else None
    counts = version.counts()
    return {
        "task": version.task, "objective": version.objective, "unit": version.unit or None, "items": len(version.items), "fixed_splits": version.fixed_splits,
        "labels": {label: {side: counts[side][idx] for side in SIDES} for idx, label in enumerate(version.labels)},
        "rejected": [{"name": file.name, "reason": file.reason.format(**file.params)} for file in version.rejected],
        "problems": [{"kind": problem.kind, "severity": problem.severity, "count": problem.count, "title": problem.title.format(**problem.params),
                      "advice": problem.advice.format(**problem.params), "examples": _examples(version, problem)} for problem in problems],
        "encoding": choice.encoding if choice else None,
        "columns": {"text": choice.text_column, "label": choice.label_column, "group": choice.group_column or None} if choice else None,
    }


def _asked(version: Version) -> str:
    """What there is to learn."""
    row = objective(version.objective)
    if row.numeric:
        values = [item.value for item in version.items if item.value is not None]
        return f"numbers ({version.labels[0]}) from {min(values):g} to {max(values):g} {version.unit}".rstrip()
    kinds = {"single_label": "", "binary": f", asked for “{version.labels[-1]}”: yes or no", "multi_label": ", several an item"}
    return f"{len(version.labels)} labels{kinds[row.key]}"


def _reading(version: Version) -> list[str]:
    if not version.table:
        return []
    choice = version.table.choice
    group = f", groups from “{choice.group_column}”" if choice.group_column else ""
    return [f"Read as {choice.encoding}: text from “{choice.text_column}”, labels from “{choice.label_column}”{group}"]


def _splits(version: Version) -> list[str]:
    counts, width = version.counts(), min(max(len(label) for label in version.labels), 40)
    rows = [f"{label:<{width}} {counts['train'][idx]:>9,} {counts['val'][idx]:>12,} {counts['test'][idx]:>7,}" for idx, label in enumerate(version.labels)]
    return [f"{'label':<{width}} {'training':>9} {'validation':>12} {'test':>7}", *rows]


def _problem(version: Version, problem: Problem) -> list[str]:
    names = [_example(version, problem, group) for group in problem.groups[:EXAMPLES]] or list(problem.names[:EXAMPLES])
    return [f"[{MARKS[problem.severity]}] {problem.title.format(**problem.params)}", f"  {problem.advice.format(**problem.params)}",
            *(f"    {name}" for name in names), *(["    …"] if problem.count > len(names) > 0 else [])]


def _example(version: Version, problem: Problem, group: Sequence[int]) -> str:
    """Items that belong together on one line, with their labels where those are in question."""
    items = [version.items[position] for position in group[:EXAMPLES]]
    names = [f"{item.name} ({version.said(item)})" if problem.kind in TWO_LABELS else item.name for item in items]
    return (" = " if problem.kind in COPIES else ", ").join(names) + (" …" if len(group) > EXAMPLES else "")


def _examples(version: Version, problem: Problem) -> list[list[str]]:
    """Names of the items that belong together, or of single files; a large group is cut."""
    if problem.groups:
        return [[version.items[item].name for item in group[:EXAMPLES]] for group in problem.groups]
    return [[name] for name in problem.names]
