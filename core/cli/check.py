"""`check`: what would spoil a training."""
from __future__ import annotations

import argparse
from tempfile import TemporaryDirectory
from typing import Any

from core.cli.given import Command, add_columns, imported
from core.data.facts import load_facts
from core.data.health import report as health_report
from core.data.health.check import check
from core.data.limits import load_limits, save_limits
from core.data.versions import load_version
from core.workspace import Workspace


def add(command: Command) -> None:
    sub = command("check", "Look for what would spoil a training, without keeping anything.", _check)
    sub.add_argument("data", metavar="DIR_OR_ZIP_OR_CSV")
    add_columns(sub)


def _check(options: argparse.Namespace) -> dict[str, Any]:
    with TemporaryDirectory(prefix="graft-check-", ignore_cleanup_errors=True) as folder:
        ws = Workspace.open(folder)
        save_limits(ws, load_limits(Workspace.at()))  # what the settings say holds here too
        data = imported(ws, options)
        version, facts = load_version(ws, data), load_facts(ws, data.dataset)
    problems = check(version, facts)
    if not options.json:
        print("\n".join(health_report.lines(version, problems)))
    return health_report.record(version, problems)
