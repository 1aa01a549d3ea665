"""`train`: a run through the same queue, worker and log as those of the pages."""
from __future__ import annotations

import argparse
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from tqdm import tqdm

from core import events
from core.cli.given import Command, add_columns, imported, without_leaks
from core.errors import UserError
from core.evaluation.report import in_words, read_report
from core.jobs.life import ENDED, exit_of, state_of
from core.jobs.runs import submit
from core.jobs.supervisor import ensure_supervisor, resumes
from core.jobs.usage import note_prediction
from core.models.catalog import ModelRow, find
from core.models.from_runs import named
from core.objectives import objective
from core.owners import LOCAL_OWNER
from core.specs import BatchNorm, FreezePlan, HeadKind, LongTexts, ModelSpec, PoolingKey, RunSpec
from core.training.presets import PRESETS, PlanKind, anchored, fitted_at_once, gentle, plan_for, preset_config, preset_plan
from core.workspace import Workspace

LOOK_SECONDS = 0.1
CHANGEABLE = ("epochs", "batch_size", "learning_rate", "max_tokens", "long_texts", "lora_rank", "lora_alpha")
"""Settings of a run that have an option of their own."""
STEPWISE = {"epochs", "batch_size", "learning_rate"}
"""Those of a training in steps."""


def add(command: Command) -> None:
    sub = command("train", "Train a model on a folder or zip with one sub-folder a label, or on a table of texts.", _train)
    sub.add_argument("--data", required=True, metavar="DIR_OR_ZIP_OR_CSV")
    sub.add_argument("--test", metavar="CSV", help="a table of its own to test with, where --data is a table")
    add_columns(sub)
    sub.add_argument("--model", required=True, metavar="KEY", help="a model of `models`, or run:NAME to start where that run ended")
    sub.add_argument("--preset", choices=[*PRESETS, "few"], default="instant")
    sub.add_argument("--plan", choices=list(get_args(PlanKind)), help="what trains, instead of the preset's choice; lora: thin adapters")
    sub.add_argument("--lora-rank", type=int, metavar="N", help="width of the adapters of --plan lora")
    sub.add_argument("--lora-alpha", type=int, metavar="N", help="how much these count: by alpha / rank")
    sub.add_argument("--head", choices=get_args(HeadKind), help="the new head: one layer, or a hidden layer before it (mlp)")
    sub.add_argument("--head-width", dest="width", type=int, metavar="N", help="width of that hidden layer")
    sub.add_argument("--pooling", choices=get_args(PoolingKey), help="how the last features become one row of numbers")
    sub.add_argument("--batch-norm", choices=get_args(BatchNorm), help="statistics of BatchNorm: adapt in blocks that train, or keep the source's")
    sub.add_argument("--anchor", type=float, metavar="A", help="pull pretrained blocks that train back to the source by A (L2-SP)")
    sub.add_argument("--epochs", type=int)
    sub.add_argument("--batch-size", type=int)
    sub.add_argument("--learning-rate", type=float)
    sub.add_argument("--max-tokens", type=int, help="how much of a text is read at once")
    sub.add_argument("--long-texts", choices=get_args(LongTexts), help="what is read of longer texts: the start, both ends, or all in windows")
    sub.add_argument("--seed", type=int, default=0)
    sub.add_argument("--random-weights", action="store_true", help="start from random weights: what does pretraining bring?")
    sub.add_argument("--leaks", choices=["settle", "accept", "hold"], default="settle",
                       help="near-copies on both sides of the split: leave them out of training, let them stand, or don't start")
    sub.add_argument("--bundle", metavar="OUT.zip", help="where to put a copy of the trained model")


def _train(options: argparse.Namespace) -> dict[str, Any]:
    began, ws = time.monotonic(), Workspace.open()
    row = find(named(ws, options.model, LOCAL_OWNER), ws, LOCAL_OWNER)
    preset = preset_config(row, options.preset)
    asked = {name: value for name in CHANGEABLE if (value := getattr(options, name)) is not None}
    config = replace(preset, **asked, preset="custom" if asked or options.plan else options.preset, seed=options.seed)
    share = 1.0 if options.random_weights else gentle(row, "lora" if options.plan == "lora" else "trained")
    plan = plan_for(row, options.plan, lr_scale=share) if options.plan else preset_plan(row, options.preset)
    adapted = _adapted(row, plan, options)
    if adapted != plan:
        plan, config = adapted, replace(config, preset="custom")
    if STEPWISE & asked.keys() and fitted_at_once(row, plan, config):  # a fit to all items at once knows none of these
        config = replace(config, optimizer="adamw")
    if options.bundle:
        _check_target(Path(options.bundle))
    data = without_leaks(ws, imported(ws, options), options.leaks)
    run = submit(ws, LOCAL_OWNER, data, ModelSpec(row.key, pretrained=not options.random_weights), plan, config)
    note_prediction(ws, run)
    started = _follow(ws, run, options)
    return _outcome(ws, run, options, started, time.monotonic() - began)


def _adapted(row: ModelRow, plan: FreezePlan, options: argparse.Namespace) -> FreezePlan:
    """The plan with the head, the normalisation and the pull to the source that are wished."""
    wished = {name: value for name, option in (("kind", "head"), ("width", "width"), ("pooling", "pooling"))
              if (value := getattr(options, option)) is not None}
    plan = replace(plan, head=replace(plan.head, **wished), batch_norm=options.batch_norm or plan.batch_norm)
    return plan if options.anchor is None else anchored(row, plan, options.anchor)


def _check_target(path: Path) -> None:
    """Known before the training, not after it."""
    if path.is_dir() or not path.resolve().parent.is_dir():
        raise UserError("The model can't be put there.", "{file} is a folder, or its folder does not exist.",
                        "Name a zip file in a folder that is there.", file=str(path))


def _follow(ws: Workspace, run: RunSpec, options: argparse.Namespace) -> events.Started:
    """Show the log as it grows; returns when the run has ended. Raises the run's own `UserError` when it failed."""
    folder, offset, started = ws.run(run.id), 0, None
    with tqdm(total=run.config.epochs, unit="epoch", disable=options.json, file=sys.stderr) as bar:
        while True:
            ended = _rests(ws, folder)  # before the log is read: what is written last is still seen
            lines, offset = events.tail(folder / "events.jsonl", offset)
            for event in events.decode(lines):
                if isinstance(event, events.Started):
                    started, bar.total = event, event.epochs
                elif isinstance(event, events.Preparing):
                    bar.set_postfix_str(f"{event.what} {event.done}/{event.total}")
                elif isinstance(event, events.EpochEnd):
                    bar.update(1)
                    bar.set_postfix_str(f"loss {event.train_loss:.3f}" + (f", score {event.val_score:.3f}" if event.val_score is not None else ""))
                elif isinstance(event, events.Failed):
                    raise UserError(event.title, event.cause, event.fix, **event.params)
            if ended:
                break
            ensure_supervisor(ws)
            time.sleep(LOOK_SECONDS)
    if started is None or state_of(folder) not in ("finished", "stopped"):
        raise UserError("The run did not finish.", "It is {state}.", "Start it again.", state=state_of(folder))
    return started


def _rests(ws: Workspace, folder: Path) -> bool:
    """Whether nothing more will happen by itself."""
    state = state_of(folder)
    return state in ENDED or state == "paused" or state == "interrupted" and exit_of(folder) is not None and not resumes(ws, folder)


def _outcome(ws: Workspace, run: RunSpec, options: argparse.Namespace, started: events.Started, seconds: float) -> dict[str, Any]:
    folder, metric = ws.run(run.id), objective(run.data.objective).metric
    done = next(event for event in reversed(events.read(folder / "events.jsonl")) if isinstance(event, events.Done))
    report = read_report(folder / "report.json") if (folder / "report.json").is_file() else None  # none without items held back
    if options.bundle:
        shutil.copyfile(folder / "bundle.zip", options.bundle)
    answer: dict[str, Any] = {"run": run.id, "seconds": round(seconds, 3), "trainable_parameters": started.trainable_parameters,
                              "metric": metric, "val_score": done.val_score, f"val_{metric}": done.val_score}
    if report and report.split == "test":
        answer |= {"test_score": report.score, f"test_{metric}": report.score}
    if not options.json:
        quality = in_words(report) if report else "not measured, since no item was held back"
        print(f"{run.name}: {quality}, {started.trainable_parameters:,} parameters trained, {seconds:.1f} s")
    return answer
