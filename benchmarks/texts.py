"""What models reach on tables of texts, beside word counts with a linear classifier, which ask for no network at all.

    python benchmarks/texts.py TABLE.csv[,TEST.csv] ... [--models graft-words minilm] [--presets instant balanced] [--most 100000]

Without a table of its own to test with, 10 % of the rows (by a hash of the text, the same for all) are held out. Each run is one of
`python -m core train` in an empty workspace, so seconds count everything but the import of the libraries.
"""
from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

ROOT = Path(__file__).resolve().parents[1]
Rows = list[tuple[str, str]]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Train on tables of texts and print what is reached.")
    parser.add_argument("tables", nargs="+", metavar="TABLE.csv[,TEST.csv]")
    parser.add_argument("--models", nargs="+", default=["graft-words", "graft-words-lstm"])
    parser.add_argument("--presets", nargs="+", default=["instant"])
    parser.add_argument("--most", type=int, default=10**9, help="training rows that are used")
    options = parser.parse_args(arguments)
    print("| table | training rows | test rows | model | preset | test accuracy | s |")
    print("|---|---|---|---|---|---|---|")
    for name in options.tables:
        train, test = sides(name)
        train = train[:options.most]
        began = time.perf_counter()
        score = counted(train, test)
        say(name, train, test, "TF-IDF + linear SVM", "", score, time.perf_counter() - began)
        for model in options.models:
            for preset in options.presets:
                score, seconds = trained(train, test, model, preset)
                say(name, train, test, model, preset, score, seconds)


def say(name: str, train: Rows, test: Rows, model: str, preset: str, score: float, seconds: float) -> None:
    print(f"| {Path(name.split(',')[0]).parent.name} | {len(train)} | {len(test)} | {model} | {preset} | {score:.3f} | {seconds:.0f} |", flush=True)


def sides(name: str) -> tuple[Rows, Rows]:
    first, *other = name.split(",")
    rows = read(Path(first))
    if other:
        return rows, read(Path(other[0]))
    held = {text for text, _ in rows if int(hashlib.sha256(text.encode()).hexdigest(), 16) % 10 == 0}
    return [row for row in rows if row[0] not in held], [row for row in rows if row[0] in held]


def read(path: Path) -> Rows:
    """The rows in a fixed but mixed order."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [(line["text"], line["label"]) for line in csv.DictReader(file)]
    return sorted(rows, key=lambda row: hashlib.sha256(row[0].encode()).hexdigest())


def counted(train: Rows, test: Rows) -> float:
    features = make_union(TfidfVectorizer(token_pattern=r"\w+", ngram_range=(1, 2), sublinear_tf=True),
                          TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True))
    learner = make_pipeline(features, LinearSVC()).fit(*zip(*train))
    return float(learner.score(*zip(*test)))


def trained(train: Rows, test: Rows, model: str, preset: str) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        for side, rows in (("train", train), ("test", test)):
            with (Path(folder) / f"{side}.csv").open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([("text", "label"), *rows])
        done = subprocess.run(
            [sys.executable, "-m", "core", "train", "--data", f"{folder}/train.csv", "--test", f"{folder}/test.csv", "--model", model, "--preset", preset,
             "--leaks", "accept", "--json"], cwd=ROOT, env={**os.environ, "GRAFT_HOME": f"{folder}/home"}, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout.splitlines()[-1])
    return answer["test_score"], answer["seconds"]


if __name__ == "__main__":
    main()
