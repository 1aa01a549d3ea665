"""`models`: what can be fine-tuned."""
from __future__ import annotations

import argparse
from typing import Any

from core.cli.given import Command
from core.models.catalog import models, on_this_machine
from core.models.from_runs import is_run
from core.owners import LOCAL_OWNER
from core.workspace import Workspace


def add(command: Command) -> None:
    command("models", "List the models that can be fine-tuned.", _models)


def _models(options: argparse.Namespace) -> dict[str, Any]:
    rows = [{"key": row.key, "task": row.task, "parameters": row.parameters, "on_this_machine": on_this_machine(row), "title": row.title}
            for row in models(Workspace.at(), LOCAL_OWNER).values()]
    if not options.json:
        for row in rows:
            print(f"{row['key']:<20} {row['task']:<8} {row['parameters'] / 1e6:7.1f} M   {'ready' if row['on_this_machine'] else 'needs a download'}"
                  + (f"   {row['title']}" if is_run(row["key"]) else ""))
    return {"models": rows}
