"""The command line: the same specs, queue, worker and log as the pages, so a run started here is seen in the browser."""
from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Sequence

from core.cli import bundles, check, models, rank, train
from core.cli.given import Run
from core.errors import UserError


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
    commands = parser.add_subparsers(required=True, metavar="models|check|rank|train|evaluate|predict")

    def command(name: str, help: str, run: Run) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help, description=help)
        sub.add_argument("--json", action="store_true", help="print one JSON object as the last line")
        sub.set_defaults(run=run)
        return sub
    for module in (models, check, rank, train, bundles):
        module.add(command)
    return parser
