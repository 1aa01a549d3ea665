"""How long the import of a table takes, and how much memory: `python benchmarks/import_rows.py --n 60000`.

The floor is one pass of pyarrow's CSV reader over the same bytes. Import and floor each run in a process of their own, on a file that
was just written and so lies in the system's cache. Near-copies and languages, which an import looks for too, are timed apart.
"""
from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

LABELS = 10


def make(path: Path, n: int) -> None:
    """n different texts of 5 to 60 words from 20,000, some with line ends and quotation marks."""
    dice = random.Random(0)
    words = ["".join(dice.choices("abcdefghijklmnopqrstuvwxyzäöü", k=dice.randint(2, 10))) for _ in range(20_000)]
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["text", "label"])
        for number in range(n):
            text = " ".join(dice.choices(words, k=dice.randint(5, 60)))
            out.writerow([f'"{text}"\n' if number % 20 == 0 else text, f"label {number % LABELS}"])


def floor(path: Path) -> dict[str, float]:
    from pyarrow import csv as arrow

    began = time.perf_counter()
    n = arrow.read_csv(path, parse_options=arrow.ParseOptions(newlines_in_values=True)).num_rows
    return {"seconds": time.perf_counter() - began, "rows": n}


def imported(path: Path) -> dict[str, float]:
    from core.data.intake import importing
    from core.data.versions import load_version
    from core.workspace import Workspace

    spent = {"near": 0.0, "languages": 0.0}

    def timed(key: str, function: object) -> object:
        def run(texts: object) -> object:
            began = time.perf_counter()
            try:
                return function(texts)  # type: ignore[operator]
            finally:
                spent[key] += time.perf_counter() - began
        return run

    importing.near_texts = timed("near", importing.near_texts)  # type: ignore[assignment]
    importing.languages = timed("languages", importing.languages)  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as folder:
        ws = Workspace.open(folder)
        began = time.perf_counter()
        data = importing.import_path(ws, path, name="rows", owner="owner", progress=lambda done, total: None)
        seconds = time.perf_counter() - began
        return {"seconds": seconds, **spent, "reading": seconds - sum(spent.values()), "rows": len(load_version(ws, data).items)}


def apart(what: str, path: Path) -> dict[str, float]:
    """The answer of this script in another process, with its peak of memory."""
    done = subprocess.run([sys.executable, __file__, "--only", what, "--file", str(path)], capture_output=True, text=True, check=True)
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=60_000)
    parser.add_argument("--file", type=Path, help="a table to use instead of a made one")
    parser.add_argument("--only", choices=["floor", "import"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        import resource

        answer = floor(options.file) if options.only == "floor" else imported(options.file)
        answer["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
        print(json.dumps(answer))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = options.file or Path(folder) / "rows.csv"
        if not options.file:
            make(path, options.n)
        print(f"{path.stat().st_size / 1e6:.1f} MB")
        for what in ("floor", "import"):
            print(what, {key: round(value, 2) for key, value in apart(what, path).items()})


if __name__ == "__main__":
    main()
