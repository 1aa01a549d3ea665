"""Finding a model and its weights file by key. Free of torch: pages use it."""
from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from core.errors import ModelError
from core.models.from_runs import is_run, row_of_run, rows_of_runs
from core.models.hub import local as hub
from core.models.own import own_rows
from core.models.rows import ASSETS, ROWS, Adapter, BlockFacts, ModelRow
from core.models.texts.rows import TEXT_ROWS
from core.models.vision.rows import VISION_ROWS
from core.models.words.rows import WORD_ROWS
from core.workspace import Workspace

__all__ = ["CATALOG", "DEFAULT", "BlockFacts", "ModelRow", "find", "known", "models", "on_this_machine", "phrase", "ready",
           "torch_home", "weights_folder", "weights_path"]

DEFAULT = "graft-resnet10"
NAMES = ("stage {a}, block {b}", "stage {a}, layer {b}", "stage {a}, downsampling", "stage {a}, last convolution", "stem, layer {a}",
         "classifier, layer {a}", "encoder layer {a}", "trunk", "layers {a}–{b}", "stage {a}", "stem", "patches", "pool", "final norm",
         "word vectors", "characters", "BiLSTM", "embeddings", "pooler", "decoder layer {a}", "layer {a}",
         "classifier", "head")
"""The names of blocks and groups as keys of the translation catalogue."""
FACTS = Path(__file__).with_name("block_facts.json")


def registry(rows: Iterable[ModelRow]) -> dict[str, ModelRow]:
    """Rows by key. Raises `ValueError` when two share one."""
    found: dict[str, ModelRow] = {}
    for row in rows:
        if row.key in found:
            raise ValueError(f"two models have the key {row.key!r}")
        found[row.key] = row
    return found


def block_facts() -> dict[str, tuple[BlockFacts, ...]]:
    """The measured blocks by model key, as `tools/make_block_facts.py` wrote them."""
    table = json.loads(FACTS.read_text(encoding="utf-8"))
    return {key: tuple(BlockFacts(**{**block, "modules": tuple(block["modules"])}) for block in blocks) for key, blocks in table.items()}


_facts = block_facts()
CATALOG: dict[str, ModelRow] = registry(replace(row, blocks=row.blocks or _facts.get(row.key, ())) for row in (*ROWS, *VISION_ROWS, *WORD_ROWS, *TEXT_ROWS))


def models(ws: Workspace, owner: str | None = None) -> dict[str, ModelRow]:
    """Every model that can be chosen in a workspace by its key: those of the catalog, those that were added, and the runs of `owner`."""
    added = CATALOG | own_rows(ws)
    return added | rows_of_runs(ws, owner, lambda key: added.get(key) or known(key, ws)) if owner else added


def known(key: str, ws: Workspace) -> ModelRow | None:
    """The row with that key, a run's too; None when there is none."""
    if key in CATALOG:  # without a look at the disk
        return CATALOG[key]
    try:
        return find(key, ws)
    except ModelError:
        return None


def find(key: str, ws: Workspace | None = None, owner: str | None = None) -> ModelRow:
    """The row with that key, of the catalog or (`ws`) of the workspace. Raises `ModelError` with near names when there is none.

    `owner`: whoever asks, who may not have somebody else's run; None: a worker.
    """
    if key in CATALOG:
        return CATALOG[key]
    if ws and is_run(key):
        return row_of_run(ws, key, lambda other: known(other, ws), owner)
    rows = models(ws) if ws else CATALOG
    if key in rows:
        return rows[key]
    near = difflib.get_close_matches(key.lower(), rows, n=3, cutoff=0.5) or [DEFAULT]
    raise ModelError("There is no model called “{key}”.", "The nearest names are: {near}.", "Choose one of the models in the list.",
                     key=key[:80], near=", ".join(near))


def phrase(name: str) -> tuple[str, dict[str, int]]:
    """A block's or group's name as a template of the translation catalogue and its values: "stem, layer 2" -> ("stem, layer {a}", {"a": 2})."""
    values = {chr(ord("a") + i): int(number) for i, number in enumerate(re.findall(r"\d+", name))}
    places = iter(values)
    return re.sub(r"\d+", lambda _: "{" + next(places) + "}", name), values


def torch_home() -> Path:
    """The cache of torch.hub, found by its own rule."""
    return Path(os.getenv("TORCH_HOME", os.path.join(os.getenv("XDG_CACHE_HOME", "~/.cache"), "torch"))).expanduser()


FOLDERS: dict[Adapter, Callable[[ModelRow], Path]] = {
    "torchvision": lambda row: torch_home() / "hub" / "checkpoints",
    "words": lambda row: Path(row.repo).parent,
    "transformers": lambda row: Path(row.repo) if os.path.isabs(row.repo) else hub.repo_folder(row.repo),
    "vision": lambda row: Path(row.repo) if os.path.isabs(row.repo) else hub.repo_folder(row.repo),
}
"""By adapter: where the weights lie or would be put, of a model that is not built in."""


def weights_folder(row: ModelRow) -> Path:
    """Where the row's weights lie or would be put: our assets, or the cache of the library that fetches them."""
    if row.own_file:
        return Path(row.own_file).parent
    return ASSETS if row.built_in else FOLDERS[row.adapter](row)


def weights_path(row: ModelRow) -> Path:
    return Path(row.own_file) if row.own_file else weights_folder(row) / row.weights_file


PRESENT: dict[Adapter, Callable[[ModelRow], bool]] = {
    "torchvision": lambda row: weights_path(row).is_file(),
    "words": lambda row: weights_path(row).is_file(),
    "transformers": lambda row: hub.is_ready(row.repo),
    "vision": lambda row: hub.is_ready(row.repo),
}


def on_this_machine(row: ModelRow) -> bool:
    """Whether the row works without a network."""
    return Path(row.own_file).is_file() if row.own_file else row.built_in or PRESENT[row.adapter](row)


def ready(task: str) -> list[ModelRow]:
    """The rows of a task that work without a network, in the order of the catalog."""
    return [row for row in CATALOG.values() if row.task == task and on_this_machine(row)]
