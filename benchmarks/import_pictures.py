"""How long the import of a folder of pictures takes, and how much memory: `python benchmarks/import_pictures.py --n 60000`.

The floor is one pass that reads and decodes the same files with Pillow, in one thread. Import and floor each run in a process of
their own, on files that were just written and so lie in the system's cache.
"""
from __future__ import annotations

import argparse
import io
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

from PIL import Image  # noqa: E402

CLASSES = 10


def make(folder: Path, n: int, side: int) -> None:
    """n different JPEGs in `CLASSES` folders: soft colours under a little noise, which compress like photos."""
    dice = random.Random(0)
    for number in range(n):
        path = folder / f"class {number % CLASSES}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.frombytes("RGB", (8, 8), dice.randbytes(192)).resize((side, side), Image.Resampling.BICUBIC)
        fine = Image.frombytes("L", (16, 16), dice.randbytes(256)).resize((side, side)).convert("RGB")
        out = io.BytesIO()
        Image.blend(coarse, fine, 0.15).save(out, "JPEG", quality=88)
        path.write_bytes(out.getvalue())


def floor(folder: Path) -> float:
    began = time.perf_counter()
    for path in sorted(folder.rglob("*.jpg")):
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            image.load()
    return time.perf_counter() - began


def import_folder(folder: Path, workspace: Path) -> float:
    from core.data.intake.importing import import_path
    from core.workspace import Workspace
    began = time.perf_counter()
    import_path(Workspace.open(workspace), folder, name="benchmark", owner="local", progress=lambda done, total: None)
    return time.perf_counter() - began


def peak_bytes() -> int:
    """Of this process; 0 where the system does not say (Windows)."""
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def apart(*arguments: str) -> dict[str, float]:
    """Run this script once more, as the part that the arguments name."""
    done = subprocess.run([sys.executable, __file__, *arguments], check=True, capture_output=True, text=True, cwd=PROJECT)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=10_000, help="pictures")
    parser.add_argument("--side", type=int, default=64, help="of each picture, in pixels")
    parser.add_argument("--only", choices=["floor", "import"], help=argparse.SUPPRESS)
    parser.add_argument("folders", nargs="*", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        import imagehash  # noqa: F401  (loading libraries is not what is measured)

        from core.data.intake import importing  # noqa: F401
        before, worked = peak_bytes(), time.process_time()
        seconds = floor(options.folders[0]) if options.only == "floor" else import_folder(*options.folders)
        print(json.dumps({"seconds": seconds, "peak": peak_bytes(), "before": before, "cpu": time.process_time() - worked}))
        return
    with tempfile.TemporaryDirectory(prefix="graft-benchmark-") as scratch:
        folder = Path(scratch) / "pictures"
        make(folder, options.n, options.side)
        least = apart("--only", "floor", str(folder))
        ours = apart("--only", "import", str(folder), str(Path(scratch) / "workspace"))
        size = sum(path.stat().st_size for path in folder.rglob("*.jpg"))
    print(f"{options.n:,} pictures of {options.side} × {options.side} pixels, {size / 1e6:.0f} MB")
    print(f"import {ours['seconds']:.1f} s   floor {least['seconds']:.1f} s   ratio {ours['seconds'] / least['seconds']:.2f}   "
          f"{1000 * ours['seconds'] / options.n:.2f} ms a picture")
    print(f"of processors: import {ours['cpu']:.1f} s   floor {least['cpu']:.1f} s   ratio {ours['cpu'] / least['cpu']:.2f}")
    print(f"peak memory of the import {ours['peak'] / 1e6:.0f} MB, of which {ours['before'] / 1e6:.0f} MB before it began")


if __name__ == "__main__":
    main()
