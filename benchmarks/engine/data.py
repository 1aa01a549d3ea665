"""The items, in a workspace for Graft and as files for the peers: the same ones on the same sides of the split."""
from __future__ import annotations

import csv
import hashlib
import json
import random
import shutil
from collections import defaultdict
from collections.abc import Iterable
from itertools import cycle, islice
from pathlib import Path

from benchmarks.engine.cases import Data, What
from core.data.edit import resplit, save
from core.data.facts import load_facts
from core.data.intake.importing import import_path
from core.data.samples.flower_pictures import picture
from core.data.samples.flowers import KINDS
from core.data.samples.sets import MESSAGES
from core.data.texts import load_texts
from core.data.versions import Shares, Version, load_version
from core.models.catalog import find
from core.specs import DataSpec, TrainConfig
from core.tasks.registry import TASKS
from core.tasks.text_facts import opened
from core.workspace import Workspace

SHARES = Shares(val=0.2, test=0.0)
LEAST_TOKENS = 64
MADE_WORDS = (70, 110)
OWNER = "local"
READ_BY_ALL = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
"""Pictures that torchvision's ImageFolder opens too."""


def prepared(what: What, source: Path | None, n_items: int, folder: Path) -> Data:
    """`source`: a folder of pictures or a table of texts; None: made up. Of more items than n, those with the least hash are taken."""
    folder.mkdir(parents=True, exist_ok=True)
    ws, chosen = Workspace.open(folder / "workspace"), folder / "chosen"
    shutil.rmtree(chosen, ignore_errors=True)
    chosen.mkdir()
    chosen = {"pictures": _pictures, "texts": _texts}[what](source, n_items, chosen)
    spec = import_path(ws, chosen, name=what, owner=OWNER, progress=lambda done, total: None)
    edit = resplit(load_version(ws, spec), SHARES, load_facts(ws, spec.dataset).pairs())
    spec = save(ws, spec.dataset, OWNER, edit)
    version = load_version(ws, spec)
    {"pictures": _files, "texts": _lines}[what](ws, spec, version, folder / "files")
    return Data(str(ws.root), spec, str(folder / "files"), len(version.labels), len(version.split("train")), len(version.split("val")))


def _rank(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def _pictures(source: Path | None, n: int, chosen: Path) -> Path:
    if source is None:
        for number in range(n):
            path = chosen / KINDS[number % len(KINDS)].label / f"{number}.jpg"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(picture(number % len(KINDS), number))
        return chosen
    names = [str(path.relative_to(source)) for path in source.rglob("*") if path.suffix.lower() in READ_BY_ALL]
    for name in sorted(names, key=_rank)[:n]:
        (chosen / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, chosen / name)
    return chosen


def _texts(source: Path | None, n: int, chosen: Path) -> Path:
    rows = _made_texts(n) if source is None else _long_texts(source, chosen / "read")
    table = chosen / "texts.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *sorted(rows, key=lambda row: _rank(row[0]))[:n]])
    return table


def _made_texts(n: int) -> list[tuple[str, str]]:
    """Words of the sample messages, drawn by their label."""
    chance, words = random.Random(0), defaultdict[str, list[str]](list)
    with MESSAGES.open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            words[row["label"]] += row["text"].split() if row["text"].isascii() else []
    return [(" ".join(chance.choices(words[label], k=chance.randint(*MADE_WORDS))), label) for label in islice(cycle(sorted(words)), n)]


def _long_texts(source: Path, folder: Path) -> Iterable[tuple[str, str]]:
    """Those of a table; shorter ones are joined, label by label, until they have `LEAST_TOKENS`."""
    ws, row = Workspace.open(folder), find("minilm")
    spec = import_path(ws, source, name="read", owner=OWNER, progress=lambda done, total: None)
    version, texts = load_version(ws, spec), load_texts(ws, spec.dataset)
    tokenizer = opened(TASKS["text"].facts().preprocess(ws, row, TrainConfig()).tokenizer)
    shas = list({item.sha: item.label for item in version.items})
    lengths = dict(zip(shas, (len(found.ids) for found in tokenizer.encode_batch([texts[sha] for sha in shas], add_special_tokens=False))))
    waiting = defaultdict[int, list[str]](list)
    for sha, label in {item.sha: item.label for item in version.items}.items():
        waiting[label].append(sha)
        if sum(lengths[one] for one in waiting[label]) >= LEAST_TOKENS:
            yield " ".join(texts[one] for one in waiting.pop(label)), version.labels[label]


def _files(ws: Workspace, spec: DataSpec, version: Version, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for number, item in enumerate(version.items):
        path = folder / item.split / f"{item.label:04d}" / f"{number}{Path(item.name).suffix.lower()}"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ws.blob(item.sha), path)


def _lines(ws: Workspace, spec: DataSpec, version: Version, folder: Path) -> None:
    texts = load_texts(ws, spec.dataset)
    folder.mkdir(exist_ok=True)
    for side in ("train", "val"):
        rows = [json.dumps({"text": texts[item.sha], "label": item.label}) for item in version.split(side)]
        (folder / f"{side}.jsonl").write_text("\n".join(rows), encoding="utf-8")
