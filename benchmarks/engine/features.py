"""Features in fp32, computed once, and scikit-learn's LogisticRegression on them."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from benchmarks.engine.cases import Job
from benchmarks.engine.clock import Clock
from benchmarks.engine.source import Items, logits_of, module_of


def prepare(job: Job) -> Callable[[Clock], None]:
    module, _, _ = module_of(job)
    items, head = Items(job), [part for part in module.modules() if isinstance(part, nn.Linear)][-1]
    head.forward = lambda x: x  # type: ignore[method-assign]  # what enters it are the features
    module.eval()

    def features(side: str) -> tuple[np.ndarray, np.ndarray]:
        with torch.inference_mode():
            found = [(logits_of(module, inputs), labels) for inputs, labels in items.loader(side)]
        return torch.cat([x for x, _ in found]).numpy(), torch.cat([y for _, y in found]).numpy()

    def run(clock: Clock) -> None:
        learner = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(*features("train"))
        clock.epoch(learner.score(*features("val")))
    return run
