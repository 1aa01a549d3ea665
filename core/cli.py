"""The command line: the same specs, queue, worker and log as the pages, so a run started here is seen in the browser."""
from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

from tqdm import tqdm

from core import events
from core.data.asked import ask
from core.data.edit import Edit, save
from core.data.facts import load_facts
from core.data.health import report as health_report
from core.data.health.check import LEAK, check, holds
from core.data.health.fixes import fix, overrule
from core.data.intake.importing import import_path, import_tables
from core.data.limits import load_limits, save_limits
from core.data.versions import TableChoice, load_dataset, load_version, version_key
from core.errors import UserError
from core.evaluation.report import in_words, read_report
from core.jobs.runs import ENDED, state_of, submit
from core.jobs.supervisor import ensure_supervisor
from core.jobs.usage import note_prediction
from core.models.catalog import ModelRow, find, models, on_this_machine
from core.models.from_runs import is_run, named
from core.objectives import OBJECTIVES, objective
from core.owners import LOCAL_OWNER
from core.specs import BatchNorm, DataSpec, FreezePlan, HeadKind, LongTexts, ModelSpec, PoolingKey, RunSpec
from core.training.presets import PRESETS, PlanKind, anchored, gentle, plan_for, preset_config, preset_plan
from core.workspace import Workspace

LOOK_SECONDS = 0.1
CHANGEABLE = ("epochs", "batch_size", "learning_rate", "max_tokens", "long_texts", "lora_rank", "lora_alpha")
"""Settings of a run that have an option of their own."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0: done; 1: a problem that is explained on the error output (with `--json` as the last line); 130: interrupted by Ctrl+C."""
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a console may lack the letters of a label
    try:
        answer = options.run(options)
    except UserError as error:
        if options.json:
            print(json.dumps({"error": {"title": error.title.format(**error.params), "message": str(error)}}))
        else:
            print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. A run that has been started goes on; it is seen in the browser.", file=sys.stderr)
        return 130
    if options.json:
        print(json.dumps(answer))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m core", description="Fine-tune pretrained networks on your own labeled files.")
    commands = parser.add_subparsers(required=True, metavar="models|check|train|evaluate|predict")

    def command(name: str, help: str, run: Callable[[argparse.Namespace], dict[str, Any]]) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help, description=help)
        sub.add_argument("--json", action="store_true", help="print one JSON object as the last line")
        sub.set_defaults(run=run)
        return sub

    def columns(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--text-column", default="", metavar="NAME", help="the column of a table that holds the texts (else found)")
        sub.add_argument("--label-column", default="", metavar="NAME", help="the column that holds the labels (else found)")
        sub.add_argument("--objective", choices=list(OBJECTIVES), default="", help="what the labels are taken for (else what a table clearly says, or "
                         "one label an item)")
        sub.add_argument("--positive", default="", metavar="LABEL", help="with --objective binary: the label that is looked for")

    command("models", "List the models that can be fine-tuned.", _models)
    check = command("check", "Look for what would spoil a training, without keeping anything.", _check)
    check.add_argument("data", metavar="DIR_OR_ZIP_OR_CSV")
    columns(check)
    train = command("train", "Train a model on a folder or zip with one sub-folder a label, or on a table of texts.", _train)
    train.add_argument("--data", required=True, metavar="DIR_OR_ZIP_OR_CSV")
    train.add_argument("--test", metavar="CSV", help="a table of its own to test with, where --data is a table")
    columns(train)
    train.add_argument("--model", required=True, metavar="KEY", help="a model of `models`, or run:NAME to start where that run ended")
    train.add_argument("--preset", choices=[*PRESETS, "few"], default="instant")
    train.add_argument("--plan", choices=list(get_args(PlanKind)), help="what trains, instead of the preset's choice; lora: thin adapters")
    train.add_argument("--lora-rank", type=int, metavar="N", help="width of the adapters of --plan lora")
    train.add_argument("--lora-alpha", type=int, metavar="N", help="how much these count: by alpha / rank")
    train.add_argument("--head", choices=get_args(HeadKind), help="the new head: one layer, or a hidden layer before it (mlp)")
    train.add_argument("--head-width", dest="width", type=int, metavar="N", help="width of that hidden layer")
    train.add_argument("--pooling", choices=get_args(PoolingKey), help="how the last features become one row of numbers")
    train.add_argument("--batch-norm", choices=get_args(BatchNorm), help="statistics of BatchNorm: adapt in blocks that train, or keep the source's")
    train.add_argument("--anchor", type=float, metavar="A", help="pull pretrained blocks that train back to the source by A (L2-SP)")
    train.add_argument("--epochs", type=int)
    train.add_argument("--batch-size", type=int)
    train.add_argument("--learning-rate", type=float)
    train.add_argument("--max-tokens", type=int, help="how much of a text is read at once")
    train.add_argument("--long-texts", choices=get_args(LongTexts), help="what is read of longer texts: the start, both ends, or all in windows")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--random-weights", action="store_true", help="start from random weights: what does pretraining bring?")
    train.add_argument("--leaks", choices=["settle", "accept", "hold"], default="settle",
                       help="near-copies on both sides of the split: leave them out of training, let them stand, or don't start")
    train.add_argument("--bundle", metavar="OUT.zip", help="where to put a copy of the trained model")
    evaluate = command("evaluate", "Measure a bundle on labeled files.", _evaluate)
    evaluate.add_argument("bundle")
    evaluate.add_argument("--data", required=True, metavar="DIR")
    columns(evaluate)
    predict = command("predict", "Ask a bundle about pictures or texts.", _predict)
    predict.add_argument("bundle")
    predict.add_argument("items", nargs="*", metavar="FILE_OR_TEXT", help="pictures' files or texts, as the bundle takes them")
    predict.add_argument("--file", metavar="FILE", help="a UTF-8 file with one more of them on each line")
    return parser


def _models(options: argparse.Namespace) -> dict[str, Any]:
    rows = [{"key": row.key, "task": row.task, "parameters": row.parameters, "on_this_machine": on_this_machine(row), "title": row.title}
            for row in models(Workspace.at(), LOCAL_OWNER).values()]
    if not options.json:
        for row in rows:
            print(f"{row['key']:<20} {row['task']:<8} {row['parameters'] / 1e6:7.1f} M   {'ready' if row['on_this_machine'] else 'needs a download'}"
                  + (f"   {row['title']}" if is_run(row["key"]) else ""))
    return {"models": rows}


def _check(options: argparse.Namespace) -> dict[str, Any]:
    with TemporaryDirectory(prefix="graft-check-", ignore_cleanup_errors=True) as folder:
        ws = Workspace.open(folder)
        save_limits(ws, load_limits(Workspace.at()))  # what the settings say holds here too
        data = _import(ws, options)
        version, facts = load_version(ws, data), load_facts(ws, data.dataset)
    problems = check(version, facts)
    if not options.json:
        print("\n".join(health_report.lines(version, problems)))
    return health_report.record(version, problems)


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
    if options.bundle:
        _check_target(Path(options.bundle))
    data = _without_leaks(ws, _import(ws, options), options.leaks)
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


def _import(ws: Workspace, options: argparse.Namespace) -> DataSpec:
    path, choice = Path(options.data), TableChoice(options.text_column, options.label_column, objective=options.objective)
    whole = path.resolve()  # "." has no name of its own
    with _bar(options, "reading") as bar:
        name = whole.name if os.path.isdir(path) else whole.stem
        if getattr(options, "test", None):
            data = import_tables(ws, path, Path(options.test), name=name, owner=LOCAL_OWNER, progress=bar, choice=choice)
        else:
            data = import_path(ws, path, name=name, owner=LOCAL_OWNER, progress=bar, choice=choice)
    return _asked(ws, data, options)


def _asked(ws: Workspace, data: DataSpec, options: argparse.Namespace) -> DataSpec:
    """The version with the objective that is wished, where folders told the labels, or with the wished positive label."""
    version = load_version(ws, data)
    if options.objective in ("", version.objective) and options.positive in ("", version.labels[-1]):
        return data
    return _as_version(ws, data, ask(version, options.objective or version.objective, options.positive))


def _as_version(ws: Workspace, data: DataSpec, edit: Edit) -> DataSpec:
    key = version_key(edit.version)
    if key in load_dataset(ws, data.dataset, LOCAL_OWNER).versions:  # as after an earlier run: what is current on the Data page stays
        return replace(data, version=key, objective=edit.version.objective)
    return save(ws, data.dataset, LOCAL_OWNER, edit)


def _without_leaks(ws: Workspace, data: DataSpec, wish: str) -> DataSpec:
    """The version to train on: settled or overruled as wished, where copies cross the split. With `hold` the run is refused, with the reason."""
    version, facts = load_version(ws, data), load_facts(ws, data.dataset)
    n = holds(version, facts)
    if not n or wish == "hold":
        return data
    edit = fix(version, facts, LEAK) if wish == "settle" else overrule(version, facts)
    print(f"{n} near-copies stand on both sides of the split: " + ("they are left out of training." if wish == "settle" else
          "they are let stand, and the report says so."), file=sys.stderr)
    return _as_version(ws, data, edit)


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
            ended = state_of(folder) in ENDED  # before the log is read: what is written last is still seen
            lines, offset = events.tail(folder / "events.jsonl", offset)
            for event in events.decode(lines):
                if isinstance(event, events.Started):
                    started = event
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


def _evaluate(options: argparse.Namespace) -> dict[str, Any]:
    from core.evaluation.outside import evaluate_bundle

    ws = Workspace.open()
    report = evaluate_bundle(ws, Path(options.bundle), _import(ws, options))
    if not options.json:
        print(in_words(report))
    return {"split": report.split, "metric": report.metric, "score": report.score, report.metric: report.score, "low": report.low, "high": report.high, "n": report.n,
            "unit": report.unit, "figures": dict(report.figures)}


def _predict(options: argparse.Namespace) -> dict[str, Any]:
    from core.evaluation.outside import ask as ask_bundle
    from core.evaluation.outside import lines_of, said_briefly

    items = options.items + (lines_of(Path(options.file)) if options.file else [])
    labels, answers = ask_bundle(Path(options.bundle), items)
    if not options.json:
        print("\n".join(f"{item}: {said_briefly(answer)}" for item, answer in zip(items, answers)))
    return {"labels": list(labels), "predictions": answers}


class _bar:
    """A progress bar as the callback `(done, total)`."""

    def __init__(self, options: argparse.Namespace, text: str) -> None:
        self._bar = tqdm(desc=text, unit="file", disable=options.json, file=sys.stderr)

    def __enter__(self) -> Callable[[int, int], None]:
        return self._show

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def _show(self, done: int, total: int) -> None:
        self._bar.total = total
        self._bar.update(done - self._bar.n)
