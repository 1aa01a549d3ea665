"""One training twice: as the app carries it out, and by the script that shows it, run beside its kit."""
from __future__ import annotations

import contextlib
import io
import itertools
import os
import re
import runpy
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch

from core.code.kit import kit
from core.code.script import FILE, asked_of, script
from core.data.split import Split
from core.data.versions import load_version
from core.evaluation.judge import evaluate
from core.evaluation.predictions import probabilities
from core.evaluation.report import Report
from core.events import EpochEnd
from core.jobs.assemble import assemble
from core.models.blocks import Network
from core.models.catalog import find
from core.models.rows import ModelRow
from core.specs import DataSpec, FreezePlan, HeadPlan, ModelSpec, RunSpec, TrainConfig
from core.training.fit import fit
from core.training.losses import LOSSES
from core.training.machine import record_precision, record_speed
from core.training.presets import PlanKind, plan_for
from core.workspace import Workspace

SETTINGS = TrainConfig("custom", epochs=2, batch_size=8, precision="fp32", learning_rate=1e-2)
_count = itertools.count()


@dataclass(frozen=True, slots=True)
class Said:
    """What a training printed or logged: the loss before it began, the training loss of each epoch, the score at the end."""
    initial: float
    epochs: tuple[float, ...]
    score: float


def run_of(data: DataSpec, row: ModelRow, plan: FreezePlan | PlanKind, pretrained: bool = True, head: HeadPlan = HeadPlan(),
           **settings: object) -> RunSpec:
    plan = plan_for(row, plan) if isinstance(plan, str) else plan
    return RunSpec(f"coderun{next(_count)}", "run", "local", 0.0, data, ModelSpec(row.key, pretrained), replace(plan, head=head),
                   replace(SETTINGS, **settings))


def in_app(ws: Workspace, run: RunSpec) -> tuple[Said, Report]:
    record_precision(ws, "fp32")
    record_speed(ws, run.model.key, 1e9)
    parts = assemble(ws, run, _Silent())
    initial = _loss(parts.network, parts.splits["train"], run.data.objective)
    folder = ws.run(run.id)
    folder.mkdir(parents=True)
    log = list(fit(run, parts.network, parts.splits, len(parts.version.labels), folder, lambda: "go"))
    side = parts.splits["test"]
    report = evaluate(probabilities(parts.network, side, run.data.objective), side.targets.tolist(), parts.version.labels, split="test",
                      shas=side.shas, names=side.shas, objective_key=run.data.objective)
    return Said(initial, tuple(event.train_loss for event in log if isinstance(event, EpochEnd)), report.score), report


def _loss(network: Network, side: Split, objective: str) -> float:
    loss = LOSSES[objective]
    with torch.inference_mode():
        logits = network.eval().run(side.inputs(torch.arange(len(side)))).x
        value = loss.loss(logits, side.targets, loss.terms(side.targets, 0).plain())
    network.train()
    return float(value)


def by_script(ws: Workspace, run: RunSpec, changed: Callable[[str], str] = lambda text: text) -> Said:
    """`changed`: what is done to the script before it is run."""
    folder, version, row = ws.run(run.id) / "script", load_version(ws, run.data), find(run.model.key, ws)
    folder.mkdir(parents=True, exist_ok=True)
    zipfile.ZipFile(io.BytesIO(b"".join(kit(ws, run.data, version, row)))).extractall(folder)
    text = script(asked_of(ws, row, run.plan, run.config, version, run.model.pretrained))
    assert not (row.repo and os.path.isabs(row.repo) and row.repo in text), "it names a folder of this machine"
    (folder / FILE).write_text(changed(text), encoding="utf-8")
    out = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out):
        runpy.run_path(FILE)
    said = out.getvalue()
    numbers = [float(found) for found in re.findall(r"training loss (\S+?)(?:,|\n)", said)]
    return Said(float(re.search(r"initial loss (\S+)", said)[1]), tuple(numbers), float(said.split()[-1]))


def trains_alike(ws: Workspace, run: RunSpec, loss: float = 2e-4) -> None:
    """`loss`: by how much the losses of epochs may differ."""
    (app, report), ours = in_app(ws, run), by_script(ws, run)
    assert ours.initial == pytest.approx(app.initial, abs=1e-4)
    assert ours.epochs == pytest.approx(app.epochs, abs=loss, rel=loss)
    assert report.low is not None and report.low <= ours.score <= report.high


class _Silent:
    def reading(self, done: int, total: int) -> None: ...

    def fetching(self, done: int, total: int) -> None: ...
