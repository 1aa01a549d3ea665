"""fastai's Learner around the same module: `freeze_to`, then `fit`. Normalisation in frozen parts rests, as in the other loops.

Its `to_bf16` asks for CUDA's autocast (fastai 2.8): on a processor it changes nothing, and is not measured."""
from __future__ import annotations

from collections.abc import Callable

import torch
from fastai.callback.core import Callback, CancelFitException
from fastai.callback.training import BnFreeze
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.losses import CrossEntropyLossFlat
from fastai.metrics import accuracy
from fastai.torch_core import default_device

from benchmarks.engine.cases import Job
from benchmarks.engine.clock import Clock
from benchmarks.engine.source import Items, module_of


class Watch(Callback):
    order = 99  # behind the recorder

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def after_epoch(self) -> None:
        if self._clock.epoch(self.learn.recorder.values[-1][-1]):  # the metric is the last of an epoch's values
            raise CancelFitException


def prepare(job: Job) -> Callable[[Clock], None]:
    torch.manual_seed(job.seed)
    default_device(False)
    module, frozen, groups = module_of(job)
    items, resting = Items(job), [p for part in frozen for p in part.parameters()]

    def run(clock: Clock) -> None:
        parts, rates = [group["params"] for group in groups], [group["lr"] for group in groups]
        if resting:
            parts, rates = [resting, *parts], [0.0, *rates]
        learner = Learner(DataLoaders(items.loader("train"), items.loader("val"), device="cpu"), module, CrossEntropyLossFlat(),
                          splitter=lambda _: parts, metrics=accuracy, wd=0.01, train_bn=False, cbs=[BnFreeze(), Watch(clock)])
        learner.freeze_to(int(bool(resting)))
        with learner.no_bar(), learner.no_logging():
            learner.fit(job.epochs, lr=rates)
    return run
