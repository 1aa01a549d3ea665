"""`make bench`: everything side by side, one measurement after the other, each in a process of its own."""
from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.engine import report, results
from benchmarks.engine.cases import CASES, CONTENDERS, Case, Data, Job, Measured, contenders_of
from benchmarks.engine.data import prepared
from core.jobs.processes import calm_environment
from core.models.catalog import find, on_this_machine
from core.specs import from_json, to_json

ROOT = Path(__file__).resolve().parents[2]
PEERS_PYTHON = ROOT / ".venv-bench" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
AFFORDABLE_S, REFERENCE_S = 60.0, 200.0
"""A peer that takes no longer runs with every seed; the second holds for those whose scores others are compared with."""
PROBED_ITEMS = 256
PROFILED_EPOCHS = 2
GAINS: dict[str, dict[str, Any]] = {
    "all at work": {}, "nothing stored": {"stores": False}, "fp32": {"own_precision": False}, "pixels not kept": {"decoded_once": False},
    "none of these": {"stores": False, "own_precision": False, "decoded_once": False}}
BUILT_IN, SHOWN = CASES[0], ("graft-resnet10", "minilm")
"""For which the gains are shown."""


class Bench:
    """Carries measurements out. Those that an earlier start left in `folder` are not made again."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self._log, self._environment = folder / "measured.jsonl", {**calm_environment(), **(AVX2 if options.avx2 else {})}
        lines = self._log.read_text(encoding="utf-8").splitlines() if self._log.is_file() else []
        self._known = {job: from_json(Measured, one) for job, one in map(json.loads, lines)}
        self.options, self._folder, self.data = options, folder, dict[str, Data]()

    def _items(self, case: Case) -> Data:
        if case.what not in self.data:
            source = {"pictures": self.options.images, "texts": self.options.text}[case.what]
            self.data[case.what] = prepared(case.what, source, self.options.items, self._folder / case.what)
        return self.data[case.what]

    def run(self, case: Case, contender: str, **settings: Any) -> tuple[Job, Measured]:
        job = Job(case, contender, self._items(case), **{"epochs": self.options.epochs, **settings})
        key, python = to_json(job).decode(), PEERS_PYTHON if CONTENDERS[contender].peer else sys.executable
        if key not in self._known:
            done = subprocess.run([str(python), "-m", "benchmarks.engine.clock", key, str(time.time())], cwd=ROOT, env=self._environment,
                                  capture_output=True, text=True, encoding="utf-8", errors="replace")
            if done.returncode:
                sys.exit(f"{case.name}, {contender}: ended with code {done.returncode}\n{done.stderr[-3000:]}")
            self._known[key] = one = from_json(Measured, done.stdout.splitlines()[-1])
            with self._log.open("a", encoding="utf-8") as log:
                log.write(json.dumps([key, to_json(one).decode()]) + "\n")
            print(f"{case.name}: {contender} {settings}: {one.seconds:.2f} s, {one.epochs} epochs, score {one.score}, load {one.load:.1f}",
                  flush=True)
        return job, self._known[key]


def main() -> None:
    options = _options()
    with nullcontext(options.work) if options.work else tempfile.TemporaryDirectory(prefix="graft-benchmark-") as folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        bench = Bench(options, Path(folder))
        cases = [case for case in _cases() if not options.cases or any(words in case.name for words in options.cases)]
        found = {case: _side_by_side(bench, case) for case in cases}
        precisions = {runs["ours"][0][1].precision for runs in found.values()}
        column: results.Column = "fast bf16" if "bf16" in precisions else "no fast bf16"
        rows = [row for case, runs in found.items() for row in results.compared(case, runs, column)]
        more = {"Where Graft's seconds go": {case.name: runs["ours"][0][1].stages for case, runs in found.items()}}
        if not options.peers:
            shown = [case for case in cases if case.model in SHOWN and case.plan != "all"]
            more["Where the gain comes from"] = {case.name: _gains(bench, case) for case in shown}
            queue = more["Runs through the queue"] = {BUILT_IN.model: bench.run(BUILT_IN, "queue")[1].stages}
            rows += results.of_queue(queue[BUILT_IN.model], column)
        report.write(options, bench.data, found, rows, column, more, _profiles(bench, rows, cases))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description="The engine beside what people would use instead.")
    parser.add_argument("--images", type=Path, metavar="DIR", help="pictures in folders by label, instead of made-up ones")
    parser.add_argument("--text", type=Path, metavar="FILE", help="a table of texts with labels, instead of made-up ones")
    parser.add_argument("--items", type=int, help="of each kind")
    parser.add_argument("--avx2", action="store_true", help="as on a processor that has no more than AVX2")
    parser.add_argument("--quick", action="store_true", help="few items, 2 epochs and one seed, to try it out")
    parser.add_argument("--cases", nargs="+", metavar="WORDS", help="those with any of these words in their names")
    peers = [key for key, one in CONTENDERS.items() if one.peer]
    parser.add_argument("--peers", nargs="+", choices=peers, help="these alone, and neither gains nor queue")
    parser.add_argument("--budget", type=float, default=120, metavar="SECONDS", help="of a peer's run; past it, it is scaled to all epochs")
    parser.add_argument("--work", type=Path, metavar="DIR", help="keep items and measurements here, and go on from those that are there")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks", metavar="DIR", help="where the results go")
    options = parser.parse_args()
    options.items = options.items or (160 if options.quick else 1500)
    options.epochs, options.seeds = (2, (0,)) if options.quick else (10, (0, 1, 2))
    return options


def _cases() -> list[Case]:
    """Networks of pictures without weights on this machine get random ones; those of texts are left out."""
    here = {case: case.pretrained and on_this_machine(find(case.model)) for case in CASES}
    return [replace(case, pretrained=here[case]) for case in CASES if here[case] or case.what == "pictures"]


def _side_by_side(bench: Bench, case: Case) -> dict[str, results.Runs]:
    options, found = bench.options, dict[str, results.Runs]()
    seeds = options.seeds if case.pretrained else (0,)
    for key in contenders_of(case):
        peer, settings, affordable = CONTENDERS[key].peer, dict[str, Any](), key != "floor"
        if peer and options.peers and key not in options.peers:
            continue
        if peer:
            reference = key == "features" or (key == "plain-fp32" and case.pretrained)  # it runs all epochs, whatever they take
            settings = {"workers": _workers(bench, case, key), "budget_s": 0.0 if reference else options.budget}
        found[key] = [bench.run(case, key, **settings)]
        if peer:
            seconds = found[key][0][1].seconds
            affordable = seconds < (REFERENCE_S if reference else AFFORDABLE_S) and not results.scaled(*found[key][0])
        found[key] += [bench.run(case, key, seed=seed, **settings) for seed in seeds[1:] if affordable]
    return found


def _workers(bench: Bench, case: Case, peer: str) -> int:
    """Of the peer's data loaders, 0 or 2: what is faster in the second epoch of a plain loop. Texts are tokens already."""
    if case.what == "texts":
        return 0
    plain = "plain-bf16" if CONTENDERS[peer].bf16 else "plain-fp32"
    return min((0, 2), key=lambda n: bench.run(case, plain, epochs=2, workers=n, n_items=PROBED_ITEMS)[1].last_epoch_s)


def _gains(bench: Bench, case: Case) -> dict[str, float]:
    """Seconds of our whole run, with parts of the engine switched off."""
    switches = {name: off for name, off in GAINS.items() if case.what == "pictures" or name != "pixels not kept"}
    return {name: bench.run(case, "ours", **off)[1].seconds for name, off in switches.items()}


def _profiles(bench: Bench, rows: list[results.Row], cases: list[Case]) -> dict[Case, dict[str, float]]:
    """Of the engine where it missed a target, in few epochs: what it is bounded by."""
    missed = {row.case for row in rows if row.met is False}
    return {case: bench.run(case, "ours", profiled=True, epochs=PROFILED_EPOCHS)[1].stages for case in cases if case.name in missed}


if __name__ == "__main__":
    main()
