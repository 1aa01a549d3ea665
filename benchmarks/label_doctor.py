"""How many planted label errors the label doctor finds, and how many labels it doubts where none was planted.

    python benchmarks/label_doctor.py [folder of pictures | table.csv with the columns text, label] ... [--most 1000]

Without arguments, the built-in sample sets. Labels are taken for right as they come, so what is found without planted errors counts as
false alarms even where a label really is wrong.
"""
from __future__ import annotations

import argparse
import csv
import hashlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.data.intake.importing import import_path, import_sample
from core.data.samples.sets import SAMPLES
from core.data.texts import load_texts
from core.data.versions import Item, Version, load_version
from core.evaluation.doctor import Features, chosen, doubts_of, judge, out_of_fold, picture_features, text_features, units_of
from core.workspace import Workspace

SHARES = (0.0, 0.05, 0.1)
OWNER = "benchmark"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Plant label errors and count those that are found.")
    parser.add_argument("data", nargs="*", type=Path, help="folders of pictures, or CSV files with the columns text and label")
    parser.add_argument("--most", type=int, default=10**9, help="items of a set that are used, by a hash of their content")
    options = parser.parse_args(arguments)
    print("| data | items | planted | doubtful | precision | recall | of the top k | learner right | features s | rest s |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, version, features, seconds in sets(Workspace.open(folder), options.data, options.most):
            for share in SHARES:
                print(row(name, version, features, share, seconds), flush=True)


def sets(ws: Workspace, paths: Sequence[Path], most: int) -> Iterator[tuple[str, Version, Features, float]]:
    """Each set with its features and the seconds that they took."""
    for path in paths or [Path(key) for key in SAMPLES]:
        if path.suffix == ".csv":
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = [(line["text"], line["label"]) for line in csv.DictReader(file)]
            version = fewer(of_texts(rows), most)
            texts = {sha_of(text): text for text, _ in rows}
            began = time.perf_counter()
            features: Features = text_features([texts[item.sha] for item in version.items])
        else:
            data = import_path(ws, path, name=path.name, owner=OWNER, progress=lambda *_: None) if paths else import_sample(
                ws, str(path), OWNER, lambda *_: None)
            version = fewer(load_version(ws, data), most)
            began = time.perf_counter()
            features = FEATURES[version.task](ws, data.dataset, [item.sha for item in version.items])
        yield f"{path.parent.name}/{path.name}" if path.suffix else path.name, version, features, time.perf_counter() - began


def _picture_features(ws: Workspace, dataset: str, shas: Sequence[str]) -> Features:
    return picture_features(ws, shas, lambda *_: None)


def _text_features(ws: Workspace, dataset: str, shas: Sequence[str]) -> Features:
    texts = load_texts(ws, dataset)
    return text_features([texts[sha] for sha in shas])


FEATURES: dict[str, Callable[[Workspace, str, Sequence[str]], Features]] = {"image": _picture_features, "text": _text_features}


def of_texts(rows: Sequence[tuple[str, str]]) -> Version:
    labels = tuple(sorted({label for _, label in rows}))
    items = (Item(sha_of(text), f"row:{number}", labels.index(label), "train", length=len(text))
             for number, (text, label) in enumerate(rows, 1))
    return Version(labels, tuple(items), task="text")


def sha_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def fewer(version: Version, most: int) -> Version:
    return replace(version, items=tuple(sorted(version.items, key=lambda item: item.sha)[:most]))


def row(name: str, version: Version, features: Features, share: float, seconds: float) -> str:
    """One line of the table, with `share` of the labels replaced by another one at random."""
    generator, n = np.random.default_rng(0), len(version.items)
    planted = set(generator.choice(n, round(share * n), replace=False).tolist())
    steps = generator.integers(1, len(version.labels), n)
    items = tuple(replace(item, label=int(item.label + steps[i]) % len(version.labels)) if i in planted else item
                  for i, item in enumerate(version.items))
    flipped = replace(version, items=items)
    positions, left_out = chosen(flipped, most=n)
    began = time.perf_counter()
    findings = judge(flipped, positions, left_out, features[positions], (), lambda *_: None)
    took = time.perf_counter() - began
    found = {suspect.position for suspect in findings.suspects}
    hits = len(found & planted)
    shown = "– | – | –"
    if planted and found:
        shown = f"{hits / len(found):.2f} | {hits / len(planted):.2f} | {top(flipped, positions, features, planted):.2f}"
    more = "" if findings.n_doubtful == len(found) else f" of {findings.n_doubtful}"
    return (f"| {name} | {n:,} | {len(planted)} | {len(found)}{more} | {shown} | {findings.accuracy:.0%} | {seconds:.1f} | {took:.1f} |")


def top(version: Version, positions: Sequence[int], features: Features, planted: set[int]) -> float:
    """Share of planted errors among as many of the worst items as were planted."""
    items = [version.items[position] for position in positions]
    y, units = np.array([item.label for item in items]), units_of(items)
    doubts = doubts_of(features[positions], y, units, out_of_fold(features[positions], y, units, lambda *_: None))
    return sum(positions[doubt.row] in planted for doubt in doubts[:len(planted)]) / len(planted)


if __name__ == "__main__":
    main()
