"""`evaluate` and `predict`: what a model that was taken home is worth, and what it says."""
from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from core.cli.given import Command, add_columns, imported
from core.evaluation.report import in_words
from core.workspace import Workspace


def add(command: Command) -> None:
    evaluate = command("evaluate", "Measure a bundle on labeled files.", _evaluate)
    evaluate.add_argument("bundle")
    evaluate.add_argument("--data", required=True, metavar="DIR")
    add_columns(evaluate)
    predict = command("predict", "Ask a bundle about pictures or texts.", _predict)
    predict.add_argument("bundle")
    predict.add_argument("items", nargs="*", metavar="FILE_OR_TEXT", help="pictures' files or texts, as the bundle takes them")
    predict.add_argument("--file", metavar="FILE", help="a UTF-8 file with one more of them on each line")


def _evaluate(options: argparse.Namespace) -> dict[str, Any]:
    from core.evaluation.outside import evaluate_bundle

    ws = Workspace.open()
    report = evaluate_bundle(ws, Path(options.bundle), imported(ws, options))
    if not options.json:
        print(in_words(report))
    return {"split": report.split, "metric": report.metric, "score": report.score, report.metric: report.score, "low": report.low,
            "high": report.high, "n": report.n, "unit": report.unit, "figures": dict(report.figures)}


def _predict(options: argparse.Namespace) -> dict[str, Any]:
    from core.evaluation.outside import ask as ask_bundle
    from core.evaluation.outside import lines_of, said_briefly

    items = options.items + (lines_of(Path(options.file)) if options.file else [])
    labels, answers = ask_bundle(Path(options.bundle), items)
    if not options.json:
        print("\n".join(f"{item}: {said_briefly(answer)}" for item, answer in zip(items, answers)))
    return {"labels": list(labels), "predictions": answers}
