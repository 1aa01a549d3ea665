"""The engine as a run uses it, in a workspace that has the data and nothing else: nothing is measured, decoded or stored yet."""
from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from benchmarks.engine.cases import BATCH_SIZE, LR_SCALE, Job
from benchmarks.engine.clock import Clock
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


class Reading(images.Pixels):
    """Pictures, and the seconds in which they were read; where they are not `kept`, they are decoded whenever they are asked for."""
    seconds, kept = 0.0, True

    def __getitem__(self, rows: Tensor) -> Tensor:
        began = time.perf_counter()
        found = super().__getitem__(rows)
        if not Reading.kept:
            self._missing[rows] = True
        Reading.seconds += time.perf_counter() - began
        return found

    def read(self, progress: Any) -> None:
        if Reading.kept:
            self[torch.arange(len(self._files))]


class Stages:
    """Seconds from one event to the next, those of reading apart."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._last, self._read = clock, 0.0, 0.0

    def end(self, name: str) -> None:
        now, read = self._clock.now(), Reading.seconds
        for stage, seconds in (("reading", read - self._read), (name, now - self._last - (read - self._read))):
            self._clock.stages[stage] = self._clock.stages.get(stage, 0.0) + seconds
        self._last, self._read = now, read


FIRST_STAGE = {"pictures": "timing this machine", "texts": "tokenising, timing this machine"}
STAGES = {Preparing: "storing", EpochEnd: "learning and judging"}
SILENT = SimpleNamespace(reading=lambda done, total: None, fetching=lambda done, total: None)


def prepare(job: Job) -> Callable[[Clock], None]:
    torch.set_flush_denormal(True)  # as in every worker
    ws = fresh(job)
    run = loaded(job, ws)
    images.Pixels, Reading.kept = Reading, job.decoded_once

    def train(clock: Clock) -> None:
        stages, shelf, folder = Stages(clock), Shelf(ws.activations), ws.run(run.id)
        parts = assemble.assemble(ws, run, SILENT)
        stages.end(FIRST_STAGE[job.case.what])
        clock.precision = parts.precision
        for event in fit(run, parts.network, parts.splits, job.data.n_labels, folder, lambda: "go", parts.precision, shelf):
            if type(event) in STAGES:
                stages.end(STAGES[type(event)])
            if isinstance(event, EpochEnd):
                clock.epoch(event.val_score or 0.0)
            elif isinstance(event, Done):
                clock.score = event.val_score

    def profiled(clock: Clock) -> None:
        every_thread = torch._C._profiler._ExperimentalConfig(profile_all_threads=True)
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], experimental_config=every_thread) as found:
            train(clock)
        clock.stages = {one.key: one.self_cpu_time_total / 1e6 for one in found.key_averages()}
    return profiled if job.profiled else train
