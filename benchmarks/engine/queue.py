"""Runs as the page starts them, through queue, supervisor and waiting worker: how long until the first point of the curve, and how long in
all for a second run with another head behind what the first one stored."""
from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import psutil

from benchmarks.engine.cases import Job
from benchmarks.engine.clock import Clock
from benchmarks.engine.ours import fresh
from core.events import EpochEnd, Step, read
from core.jobs.processes import start_module
from core.jobs.runs import ENDED, state_of, submit
from core.models.catalog import find
from core.owners import LOCAL_OWNER
from core.specs import FreezePlan, ModelSpec, TrainConfig
from core.training.presets import preset_config, preset_plan

IDLE_S = 1.0
"""A worker that has computed nothing for so long is ready."""


def prepare(job: Job) -> Callable[[Clock], None]:
    ws, row = fresh(job), find(job.case.model)
    supervisor = start_module("core.jobs.supervisor", [str(ws.root)], log=ws.root / "supervisor.log")
    plan, config = preset_plan(row, "instant"), preset_config(row, "instant")
    other = replace(plan, head=replace(plan.head, kind="mlp")), replace(config, preset="custom", optimizer="adamw", epochs=job.epochs)

    def follow(plan: FreezePlan, config: TrainConfig) -> tuple[float, float, float]:
        """Seconds until the first point, until the last validation score, and until the run has ended, bundle and report included."""
        _wait_for_worker(supervisor.pid)
        began = time.time()
        run = submit(ws, LOCAL_OWNER, job.data.spec, ModelSpec(row.key, job.case.pretrained), plan, config)
        while state_of(ws.run(run.id)) not in ENDED:
            time.sleep(0.02)
        ended, log = time.time(), read(ws.run(run.id) / "events.jsonl")
        points = [event.t for event in log if isinstance(event, (Step, EpochEnd))]
        return points[0] - began, points[-1] - began, ended - began

    def measure(clock: Clock) -> None:
        try:
            for name, settings in (("first run", (plan, config)), ("second run", other)):
                for what, seconds in zip(("first point", "last score", "ended"), follow(*settings)):
                    clock.stages[f"{name}: {what}"] = seconds
        finally:
            supervisor.terminate()
            supervisor.wait()
        clock.took(clock.stages["second run: ended"])
    return measure


def _wait_for_worker(supervisor: int) -> None:
    """Until the supervisor's worker waits: all imports are done."""
    before = -1.0
    while True:
        workers = psutil.Process(supervisor).children()
        spent = sum(worker.cpu_times().user for worker in workers)
        if workers and spent == before:
            return
        before = spent
        time.sleep(IDLE_S)
