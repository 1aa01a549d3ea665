"""Whether memory grows with the number of items: the peak of a run's process over few and over many pictures.

    python benchmarks/memory.py [--few 2000] [--many 20000] [--plan head last-stage all]

What is mapped from disk (decoded pictures, stored outputs) is not counted: the system takes it back when it is needed elsewhere.
"""
from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from core.data.intake.importing import import_path  # noqa: E402
from core.jobs import worker  # noqa: E402
from core.jobs.processes import calm_environment  # noqa: E402
from core.jobs.runs import submit  # noqa: E402
from core.models.catalog import find  # noqa: E402
from core.owners import LOCAL_OWNER  # noqa: E402
from core.specs import ModelSpec  # noqa: E402
from core.training.presets import plan_for, preset_config  # noqa: E402
from core.workspace import Workspace  # noqa: E402

MODEL, SIDE, TARGET = "graft-resnet10", 32, 1.2


def main() -> None:
    parser = argparse.ArgumentParser(description="Peak memory over few and many pictures.")
    parser.add_argument("--few", type=int, default=2000)
    parser.add_argument("--many", type=int, default=20000)
    parser.add_argument("--plan", nargs="+", default=["head", "last-stage"], choices=("head", "last-stage", "all"))
    options = parser.parse_args()
    os.environ.update(calm_environment())
    print("| plan | pictures | peak MB | pictures | peak MB | ratio | target |\n|---|---|---|---|---|---|---|")
    for plan in options.plan:
        few, many = (peak(plan, n) / 1e6 for n in (options.few, options.many))
        print(f"| {plan} | {options.few} | {few:.0f} | {options.many} | {many:.0f} | {many / few:.2f} | ≤ {TARGET} |", flush=True)


def peak(plan: str, n: int) -> float:
    """Bytes that the process of a run over so many pictures took for itself at most, by its own account."""
    with tempfile.TemporaryDirectory() as home:
        ws = Workspace.open(Path(home) / "workspace")
        data = import_path(ws, pictures(Path(home) / "pictures", n), name="many", owner=LOCAL_OWNER, progress=lambda done, total: None)
        row = find(MODEL)
        config = preset_config(row, "instant" if plan == "head" else "balanced")
        config = replace(config, epochs=2, input_size=SIDE)
        run = submit(ws, LOCAL_OWNER, data, ModelSpec(row.key, True), plan_for(row, plan), config)  # type: ignore[arg-type]
        process = multiprocessing.get_context("spawn").Process(target=worker.run, args=(ws.run(run.id),))
        process.start()
        process.join()
        return float(json.loads((ws.run(run.id) / "usage.json").read_bytes())["peak_bytes"])


def pictures(folder: Path, n: int) -> Path:
    """Noise in five folders."""
    chance = random.Random(0)
    for i in range(n):
        where = folder / f"label {i % 5}"
        where.mkdir(parents=True, exist_ok=True)
        Image.frombytes("RGB", (40, 40), chance.randbytes(4800)).save(where / f"{i}.jpg", quality=60)
    return folder


if __name__ == "__main__":
    main()
