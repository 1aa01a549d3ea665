"""Whether "Which model suits my data?" tells what training would tell.

    python benchmarks/ranking.py FOLDER_OF_PICTURES|TABLE.csv ... [--items 600] [--test 400] [--models KEY ...] [--seeds 1] [--json FILE]

Every pretrained model on this machine that takes such data, and a twin of each with random weights, is ranked on the items that training
and validation would see, and then trained by its preset "instant" and judged on test items that the ranking never saw. A set that is not
there is left out, with a word. Needs no network.
"""
from __future__ import annotations

import argparse
import csv
import hashlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from core.data.edit import Edit, resplit, save
from core.data.intake.importing import import_path
from core.data.versions import Shares, load_version
from core.evaluation.judge import evaluate
from core.evaluation.predictions import probabilities
from core.jobs.advice_items import prepare
from core.jobs.assemble import assemble
from core.models.catalog import find, ready
from core.specs import DataSpec, ModelSpec, RunSpec, TrainConfig
from core.training.advice.findings import Ask, Fit, Ranking
from core.training.advice.ranking import advise, ranked
from core.training.fit import fit
from core.training.presets import preset_config, preset_plan
from core.workspace import Workspace

OWNER = "benchmark"
NEAR = 0.02
PICTURES = {".jpg", ".jpeg", ".png"}


@dataclass(frozen=True, slots=True)
class Line:
    """One model, or its twin with random weights, on one set: what was foreseen, and what training reached (the mean of the seeds)."""
    data: str
    model: str
    pretrained: bool
    rank: int
    fit: Fit
    trained: float
    train_s: float


class _Quiet:
    def reading(self, done: int, total: int) -> None: ...

    def fetching(self, done: int, total: int) -> None: ...


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Compare what the ranking of models says with what training reaches.")
    parser.add_argument("data", nargs="+", type=Path, help="folders with one sub-folder a label, or CSV files with the columns text and label")
    parser.add_argument("--items", type=int, default=600, help="items for training and validation")
    parser.add_argument("--test", type=int, default=400, help="items for the test")
    parser.add_argument("--models", nargs="+", default=None, help="keys; else all on this machine")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--json", type=Path, help="also write all figures there")
    options = parser.parse_args(arguments)
    lines: list[Line] = []
    for path in options.data:
        if path.exists():
            with tempfile.TemporaryDirectory() as folder:
                lines += of_set(Path(folder), path, options)
        else:
            print(f"{path} is not there: left out.", file=sys.stderr)
    print(verdict(lines))
    if options.json:
        options.json.write_text(json.dumps([asdict(line) for line in lines], indent=1), encoding="utf-8")


def of_set(folder: Path, path: Path, options: argparse.Namespace) -> list[Line]:
    name = path.parent.name if path.suffix else path.name
    ws = Workspace.open(folder / "home")
    data = imported(ws, folder, path, options.items, options.test)
    version = load_version(ws, data)
    keys = tuple(row.key for row in ready(version.task) if not options.models or row.key in options.models)
    print(f"\n{name}: {len(version.split('train'))} + {len(version.split('val'))} items, {len(version.split('test'))} for the test, "
          f"{len(version.labels)} labels\n| rank | model | weights | linear probe | range | LogME | looked s | trained, on test | s |\n"
          "|---|---|---|---|---|---|---|---|---|", flush=True)
    twins = {pretrained: final(ws, data, keys, pretrained) for pretrained in (True, False)}
    marked = [replace(fit, model=f"{fit.model}{'' if pretrained else ' (twin)'}") for pretrained, found in twins.items() for fit in found.fits]
    order, lines = ranked(marked, 0, (), True).fits, []
    for rank, fit_ in enumerate(order, 1):
        key, pretrained = fit_.model.removesuffix(" (twin)"), not fit_.model.endswith(" (twin)")
        began = time.perf_counter()
        score = float(np.mean([trained(ws, folder, data, key, pretrained, seed) for seed in range(options.seeds)]))
        line = Line(name, key, pretrained, rank, fit_, score, (time.perf_counter() - began) / options.seeds)
        lines.append(line)
        print(f"| {rank} | {key} | {'pretrained' if pretrained else 'random'} | {fit_.score.value:.3f} | {fit_.score.low:.3f}–{fit_.score.high:.3f} | "
              f"{fit_.logme:.3f} | {fit_.item_s * 600:.1f} | {score:.3f} | {line.train_s:.0f} |", flush=True)
    return lines


def final(ws: Workspace, data: DataSpec, keys: tuple[str, ...], pretrained: bool) -> Ranking:
    *_, last = advise(ws, Ask(data, keys, TrainConfig(), budget_s=0, pretrained=pretrained), prepare)
    assert isinstance(last, Ranking)
    for key, fault in last.untried:
        print(f"{key} could not be looked at: {fault}", file=sys.stderr)
    return last


def imported(ws: Workspace, folder: Path, path: Path, n_seen: int, n_test: int) -> DataSpec:
    """A sample of the set, the same items each time, with a test side that large."""
    sample = (table if path.suffix == ".csv" else pictures)(folder, path, n_seen + n_test)
    data = import_path(ws, sample, name=path.stem, owner=OWNER, progress=lambda *_: None)
    test = n_test / (n_seen + n_test)
    edit = resplit(load_version(ws, data), Shares(val=0.15 * (1 - test), test=test))
    return save(ws, data.dataset, OWNER, Edit(edit.version, edit.what, edit.params))


def table(folder: Path, path: Path, most: int) -> Path:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = sorted(((line["text"], line["label"]) for line in csv.DictReader(file)), key=lambda row: hash_of(row[0]))
    with (folder / path.name).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows[:most]])
    return folder / path.name


def pictures(folder: Path, path: Path, most: int) -> Path:
    """Copied into one folder a label, whatever sides they came with."""
    files = sorted((file for file in path.rglob("*") if file.suffix.lower() in PICTURES), key=lambda file: hash_of(str(file.relative_to(path))))
    for number, file in enumerate(files[:most]):
        place = folder / path.name / file.parent.name
        place.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place / f"{number}{file.suffix}")
    return folder / path.name


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def trained(ws: Workspace, folder: Path, data: DataSpec, key: str, pretrained: bool, seed: int) -> float:
    """What the test says after a training by the preset "instant"."""
    row, runs = find(key, ws), folder / "runs" / f"{key}-{pretrained}-{seed}"
    runs.mkdir(parents=True)
    run = RunSpec(runs.name, runs.name, OWNER, time.time(), data, ModelSpec(key, pretrained), preset_plan(row, "instant"),
                  replace(preset_config(row, "instant"), seed=seed))
    parts = assemble(ws, run, _Quiet())
    for _event in fit(run, parts.network, parts.splits, len(parts.version.labels), runs, lambda: "go", parts.precision):
        pass
    side = parts.splits["test"]
    shutil.rmtree(runs)
    return evaluate(probabilities(parts.network, side, data.objective), side.targets.tolist(), parts.version.labels,
                    objective_key=data.objective).score


def verdict(lines: Sequence[Line]) -> str:
    said = []
    for name in dict.fromkeys(line.data for line in lines):
        here = [line for line in lines if line.data == name]
        chosen, best = min(here, key=lambda line: line.rank), max(here, key=lambda line: line.trained)
        ranks = {(line.model, line.pretrained): line.rank for line in here}
        above = [model for model, pretrained in ranks if not pretrained and ranks[model, False] < ranks.get((model, True), 0)]
        said.append(f"{name}: recommended {chosen.model} {chosen.trained:.3f}, best {best.model} {best.trained:.3f}: "
                    f"{'within' if chosen.trained >= best.trained - NEAR else 'NOT within'} 2 points; twins above their original: "
                    f"{', '.join(above) or 'none'}")
    return "\n".join(["", *said])


if __name__ == "__main__":
    main()
