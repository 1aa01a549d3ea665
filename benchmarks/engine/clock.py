"""One measurement, in the process that was started for it: `python -m benchmarks.engine.clock JOB STARTED`."""
from __future__ import annotations

import os
import sys
import time
from importlib import import_module

from benchmarks.engine.cases import CONTENDERS, Job, Measured
from core.specs import from_json, to_json


class Clock:
    """Starts when it is made: libraries and weights are loaded, nothing of the data is read."""

    def __init__(self, job: Job, start_up_s: float) -> None:
        self.precision, self.score, self.stages = "bf16" if CONTENDERS[job.contender].bf16 else "fp32", None, dict[str, float]()
        self._job, self._start_up_s, self._ends, self._began = job, start_up_s, list[float](), time.perf_counter()

    def now(self) -> float:
        return time.perf_counter() - self._began

    def epoch(self, score: float) -> bool:
        """An epoch has been validated; of all scores the best one counts. True: its time is up."""
        self._ends.append(self.now())
        self.score = score if self.score is None else max(self.score, score)
        return bool(self._job.budget_s) and len(self._ends) > 1 and self._ends[-1] > self._job.budget_s

    def took(self, seconds: float) -> None:
        """Of what has no epochs."""
        self._ends.append(seconds)

    def measured(self) -> Measured:
        first, last, n = self._ends[0], self._ends[-1], len(self._ends)
        missing = self._job.epochs - n if self._job.budget_s else 0
        seconds, last_epoch = last + missing * (last - first) / max(1, n - 1), last - (self._ends[-2] if n > 1 else 0.0)
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
        return Measured(seconds, n, self.score, self._start_up_s, last_epoch, self.precision, self.stages, load)


def main() -> None:
    job = from_json(Job, sys.argv[1])
    run = import_module(f"benchmarks.engine.{CONTENDERS[job.contender].module}").prepare(job)
    clock = Clock(job, time.time() - float(sys.argv[2]))
    run(clock)
    print(to_json(clock.measured()).decode())


if __name__ == "__main__":
    main()
