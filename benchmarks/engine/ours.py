"""The engine as a run uses it, in a workspace that has the data and nothing else: nothing is measured, decoded or stored yet."""
from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.engine.cases import BATCH_SIZE, LR_SCALE, Job
from benchmarks.engine.clock import Clock
from benchmarks.engine.undecoded import decode_every_time
from core.data.versions import load_version
from core.events import Done, EpochEnd, Preparing
from core.jobs import assemble
from core.models.answers import answers_of
from core.models.build import build
from core.models.catalog import find
from core.shelf import Shelf
from core.specs import ModelSpec, RunSpec, TrainConfig
from core.tasks import images, texts  # noqa: F401  (loaded before the clock starts)
from core.tasks.registry import TASKS
from core.training.fit import fit
from core.training.presets import plan_for
from core.workspace import Workspace


def fresh(job: Job) -> Workspace:
    """A copy of the workspace; it goes when this process ends."""
    folder = tempfile.mkdtemp(dir=Path(job.data.workspace).parent)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Workspace.open(shutil.copytree(job.data.workspace, folder, copy_function=os.link, dirs_exist_ok=True))


def loaded(job: Job, ws: Workspace) -> RunSpec:
    """The run. Its weights and its tokenizer are loaded: `assemble` finds the network made."""
    case, row = job.case, find(job.case.model)
    config = TrainConfig("custom", job.epochs, "lbfgs" if job.contender == "instant" else "adamw", case.learning_rate, schedule="constant",
                         batch_size=BATCH_SIZE, seed=job.seed, store_activations=job.stores,
                         precision="auto" if job.own_precision else "fp32")
    run = RunSpec("benchmark", "benchmark", "local", time.time(), job.data.spec, ModelSpec(row.key, case.pretrained),
                  plan_for(row, case.plan, lr_scale=LR_SCALE), config)
    network = build(row, answers_of(load_version(ws, run.data), run.plan.head), job.seed, pretrained=case.pretrained, store=ws.models)
    assemble.build = lambda *_, **__: network
    TASKS[row.task].facts().preprocess(ws, row, config)
    ws.run(run.id).mkdir()
    return run


class Progress:
    """Notes when the items have been read."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def reading(self, done: int, total: int) -> None:
        self._clock.stages["reading"] = self._clock.now()

    def fetching(self, done: int, total: int) -> None:
        """Nothing is fetched: the network is made already."""


def prepare(job: Job) -> Callable[[Clock], None]:
    torch.set_flush_denormal(True)  # as in every worker
    ws = fresh(job)
    run = loaded(job, ws)
    if not job.decoded_once:
        decode_every_time()

    def train(clock: Clock) -> None:
        parts = assemble.assemble(ws, run, Progress(clock))
        clock.precision, assembled, stored = parts.precision, clock.now(), 0.0
        clock.stages |= {"timing this machine": assembled - clock.stages.get("reading", 0.0), "storing": 0.0}
        shelf, folder = Shelf(ws.activations), ws.run(run.id)
        for event in fit(run, parts.network, parts.splits, job.data.n_labels, folder, lambda: "go", parts.precision, shelf):
            if isinstance(event, Preparing):
                clock.stages["storing"] = stored = clock.now() - assembled
            elif isinstance(event, EpochEnd):
                clock.epoch(event.val_score or 0.0)
                clock.stages["learning and judging"] = clock.now() - assembled - stored
            elif isinstance(event, Done):
                clock.score = event.val_score

    def profiled(clock: Clock) -> None:
        every_thread = torch._C._profiler._ExperimentalConfig(profile_all_threads=True)
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], experimental_config=every_thread) as found:
            train(clock)
        clock.stages = {one.key: one.self_cpu_time_total / 1e6 for one in found.key_averages()}
    return profiled if job.profiled else train
