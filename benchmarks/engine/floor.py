"""What no engine can do without: a pass that decodes (or tokenises) every item, and a forward pass, each at the best throughput seen."""
from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product

import torch
from torch import Tensor

from benchmarks.engine.cases import Job
from benchmarks.engine.clock import Clock
from benchmarks.engine.ours import SILENT, fresh, loaded
from core.bundle import predict, reading
from core.data.split import Split
from core.data.texts import load_texts
from core.jobs import assemble
from core.models.blocks import Network
from core.tasks.text_facts import opened
from core.training.order import batches_by_length

CORES = os.cpu_count() or 1
BATCHES = (8, 32, 128)
TRIED = 256
"""Items that tell the best way."""


def prepare(job: Job) -> Callable[[Clock], None]:
    torch.set_flush_denormal(True)
    ws = fresh(job)
    run = loaded(job, ws)

    def measure(clock: Clock) -> None:
        parts = assemble.assemble(ws, run, SILENT)
        shas = sorted({item.sha for item in parts.version.items})
        if job.case.what == "pictures":
            files = [ws.blob(sha) for sha in shas]
            read = min(_seconds(partial(_decoded, files, parts.preprocess, threads)) for threads in {1, CORES})
            parts.splits["train"].pixels.read(SILENT.reading)  # of all sides: the forward pass is timed without it
        else:
            known = load_texts(ws, run.data.dataset)
            read = _seconds(lambda: reading.read(opened(parts.preprocess.tokenizer), [known[sha] for sha in shas], parts.preprocess))
        parts.network.freeze(())
        parts.network.to(memory_format=torch.channels_last)
        sides = [side for side in parts.splits.values() if len(side)]
        ways = list(product(("fp32", "bf16"), {1, CORES}, BATCHES))
        best = min(ways, key=lambda way: _seconds(lambda: _forward(parts.network, sides[0], TRIED, *way)))
        forward = sum(_seconds(lambda: _forward(parts.network, side, len(side), *best)) for side in sides)
        clock.precision, clock.stages = best[0], {"reading": read, "forward": forward, "at once": best[1], "batch": best[2]}
        clock.took(read + forward)
    return measure


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _decoded(files: Sequence[object], preprocess: object, threads: int) -> None:
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda file: predict.square(predict.open_picture(file, preprocess.resize_size), preprocess), files))


def _forward(network: Network, side: Split, n: int, precision: str, at_once: int, batch: int) -> None:
    """Of the first n items, so many batches at once, each with its share of the cores."""
    network.precision = precision

    def one(idx: Tensor) -> Tensor:
        torch.set_num_threads(CORES // at_once)
        with torch.inference_mode():
            return network.run(side.inputs(idx)).x
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(one, [idx[idx < n] for idx in batches_by_length(side, batch) if (idx < n).any()]))
