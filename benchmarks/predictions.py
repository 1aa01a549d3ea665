"""How far off predictions are: seconds of an epoch, seconds paid for once, peak memory, of models and plans on made-up items.

    python benchmarks/predictions.py [--models graft-resnet10 minilm] [--plans head all] [--items 160] [--json out.json]

Each model is measured in a process of its own, as the Model page has it done; then runs of two epochs are predicted and carried out, one
plan after the other, also in processes of their own; what a run took corrects the next prediction, as it does for users. Models whose weights are not on this machine run with random ones: time and memory are the same.
Look at the load that is printed: what else the machine does while it measures or learns is part of the error.
"""
from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import os
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from core.data.intake.importing import import_path  # noqa: E402
from core.data.versions import load_version  # noqa: E402
from core.jobs import probe, worker  # noqa: E402
from core.jobs.probe import Wish  # noqa: E402
from core.jobs.processes import calm_environment  # noqa: E402
from core.jobs.runs import submit  # noqa: E402
from core.jobs.usage import Compared, compare, note_prediction  # noqa: E402
from core.models.catalog import find, on_this_machine  # noqa: E402
from core.owners import LOCAL_OWNER  # noqa: E402
from core.specs import DataSpec, ModelSpec, TrainConfig  # noqa: E402
from core.tasks.registry import TASKS  # noqa: E402
from core.training.presets import PlanKind, plan_for  # noqa: E402
from core.workspace import Workspace  # noqa: E402

MODELS = {"graft-words": 600, "graft-resnet10": 256, "minilm": 256, "squeezenet1_0": 160, "mobilenet_v2": 160, "graft-words-lstm": 256,
          "resnet18": 96, "vit_b_16": 32}
"""Models, with the items that a run of each has."""
PLANS: tuple[PlanKind, ...] = ("head", "last-stage", "all", "lora")
TARGETS = {"epoch": 0.30, "memory": 0.25}
LOADED = ["core.jobs.assemble", "core.jobs.probe", "core.models.lora", "core.tasks.images", "core.tasks.texts", "core.training.fit"]
"""What each process has imported from its beginning."""


@dataclass(frozen=True, slots=True)
class Case:
    model: str
    plan: str
    load: float
    found: Compared


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Compare predictions with what runs took.")
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--plans", nargs="+", default=list(PLANS), choices=PLANS)
    parser.add_argument("--items", type=int, help="items of every run, instead of what suits each model")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--json", type=Path, help="where to put the figures")
    options = parser.parse_args(arguments)
    os.environ.update(calm_environment())
    multiprocessing.get_context("forkserver").set_forkserver_preload(LOADED)
    print("| model | plan | load | epoch s | took | off | once s | took | memory MB | took | off |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    cases = []
    for model in options.models:
        with tempfile.TemporaryDirectory() as folder:
            ws = Workspace.open(folder)
            data = made_up(ws, find(model).task, options.items or MODELS.get(model, 100))
            measure(ws, data, model, options.batch_size)
            for plan in options.plans:
                if plan == "lora" and not any(block.lora_unit for block in find(model).blocks):
                    continue
                cases.append(measured(ws, data, model, plan, options.batch_size))
                say(cases[-1])
    summary(cases)
    if options.json:
        options.json.write_text(json.dumps([asdict(case) for case in cases], indent=1), encoding="utf-8")


def settings(batch_size: int) -> TrainConfig:
    return TrainConfig(epochs=2, batch_size=batch_size, learning_rate=1e-4)


def measure(ws: Workspace, data: DataSpec, model: str, batch_size: int) -> None:
    row, config = find(model), settings(batch_size)
    work = TASKS[row.task].facts().cost(ws, row, config, data, load_version(ws, data)).work
    child(carry_out, ws, Wish(model, config, work), on_this_machine(row))


def measured(ws: Workspace, data: DataSpec, model: str, plan: PlanKind, batch_size: int) -> Case:
    row, config = find(model), settings(batch_size)
    run = submit(ws, LOCAL_OWNER, data, ModelSpec(model, on_this_machine(row)), plan_for(row, plan, lr_scale=0.1), config)
    note_prediction(ws, run)
    child(learned, ws.run(run.id))
    found = compare(ws.run(run.id))
    if found is None:
        sys.exit((ws.run(run.id) / "worker.log").read_text(encoding="utf-8"))
    return Case(model, plan, os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0, found)


def child(work: Callable[..., None], *arguments: object) -> None:
    process = multiprocessing.get_context("forkserver").Process(target=work, args=arguments)
    process.start()
    process.join()


def carry_out(ws: Workspace, wish: Wish, pretrained: bool) -> None:
    probe.carry_out(ws, wish, pretrained=pretrained)


def learned(folder: Path) -> None:
    import torch

    torch.set_flush_denormal(True)
    worker.run(folder)


def made_up(ws: Workspace, task: str, n: int) -> DataSpec:
    """Noise with labels; a fifth each of the items is for validation and for the test."""
    chance = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        if task == "image":
            for i in range(n * 5 // 3):
                where = path / f"label {i % 5}"
                where.mkdir(exist_ok=True)
                Image.frombytes("RGB", (16, 16), chance.randbytes(768)).resize((240, 240)).save(where / f"{i}.png")
        else:
            words = ["".join(chance.choices("aeionrstldcum", k=chance.randint(2, 8))) for _ in range(500)] + "the of and to in is for on with good bad".split() * 40
            path /= "texts.csv"
            with path.open("w", encoding="utf-8", newline="") as file:
                rows = [(" ".join(chance.choices(words, k=chance.randint(5, 40))), f"label {i % 5}") for i in range(n * 5 // 3)]
                csv.writer(file).writerows([("text", "label"), *rows])
        return import_path(ws, path, name="made up", owner=LOCAL_OWNER, progress=lambda done, total: None)


def off(share: float | None) -> str:
    return "" if share is None else f"{share:+.0%}"


def say(case: Case) -> None:
    one = case.found
    print(f"| {case.model} | {case.plan} | {case.load:.1f} | {one.predicted_epoch_s:.2f} | {one.epoch_s or 0:.2f} | {off(one.time_off)} | "
          f"{one.predicted_once_s:.2f} | {one.once_s:.2f} | {(one.predicted_peak_bytes or 0) / 1e6:.0f} | {(one.peak_bytes or 0) / 1e6:.0f} | "
          f"{off(one.memory_off)} |", flush=True)


def summary(cases: Sequence[Case]) -> None:
    """Errors as fractions of what was taken, half of the cases are below the median."""
    for name, errors in {"epoch": [abs(c.found.predicted_epoch_s / c.found.epoch_s - 1) for c in cases if c.found.epoch_s],
                         "memory": [abs(c.found.predicted_peak_bytes / c.found.peak_bytes - 1) for c in cases
                                    if c.found.predicted_peak_bytes and c.found.peak_bytes]}.items():
        if errors:
            print(f"{name}: median error {median(errors):.0%} over {len(errors)} cases, target {TARGETS[name]:.0%}")


if __name__ == "__main__":
    main()
