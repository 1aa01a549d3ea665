"""RESULTS.md and results.json."""
from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from benchmarks.engine import results
from benchmarks.engine.cases import BATCH_SIZE, Case, Data
from benchmarks.engine.data import LEAST_TOKENS

LIBRARIES = ("torch", "torchvision", "transformers", "accelerate", "scikit-learn")
CLOCK = """The clock is alike for all: it starts when libraries and weights are loaded and stops at the last validation score; decoding or
tokenising, storing and the validation of every epoch lie between. Start-up comes before it. Seconds are medians over seeds, scores means.
Threads of all wait asleep (`OMP_WAIT_POLICY=PASSIVE`): where anything else runs, spinning ones take everybody several times as long.
fastai's `to_bf16` asks for CUDA's autocast, so on a processor it has nothing but fp32.
"""
Seconds = Mapping[str, float]


def write(options: argparse.Namespace, data: Mapping[str, Data], found: Mapping[Case, Mapping[str, results.Runs]], rows: list[results.Row],
          column: results.Column, more: Mapping[str, Mapping[str, Seconds]], profiles: Mapping[Case, Seconds]) -> None:
    """`more`: tables of seconds by their titles. `profiles`: operations of the engine where a target was missed."""
    text = ["# The engine beside its peers\n", _machine(options, column), CLOCK]
    text += [_items(options, what, one) for what, one in data.items()]
    text += ["## Targets\n", results.targets_table(rows)]
    for title, seconds in more.items():
        text += [f"## {title}\n", results.seconds_table(seconds)]
    for case, runs in found.items():
        text += [f"## {case.name[0].upper()}{case.name[1:]}\n", results.case_table(runs)]
        if case in profiles:
            text += ["What Graft's processor time goes to here:\n", results.profile_table(profiles[case])]
    suffix = "-avx2" if options.avx2 else ""
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / f"results{suffix}.json").write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    (options.out / f"RESULTS{suffix}.md").write_text("\n".join(text), encoding="utf-8")


def _machine(options: argparse.Namespace, column: results.Column) -> str:
    file = Path("/proc/cpuinfo")
    facts = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    cpu = next((line.partition(":")[2].strip() for line in facts if line.startswith("model name")), platform.processor())
    return (f"{cpu}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}, "
            f"{', '.join(f'{name} {version(name)}' for name in LIBRARIES)}. {'Kept to AVX2. ' if options.avx2 else ''}"
            f"Timed on this machine: {column}.\n\n{options.epochs} epochs, batches of {BATCH_SIZE}.\n")


def _items(options: argparse.Namespace, what: str, data: Data) -> str:
    given = {"pictures": options.images, "texts": options.text}[what]
    joined = f" Shorter texts of a label are joined until they have {LEAST_TOKENS} tokens." if what == "texts" and given else ""
    source = f"`{given.name}`" if given else "made up, so that their scores say little"
    return f"{what.capitalize()}: {source}; {data.n_train} to learn from, {data.n_val} to judge by, {data.n_labels} labels.{joined}\n"
