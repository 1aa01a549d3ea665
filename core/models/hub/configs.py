"""The config of a model of the Hugging Face Hub: its own where it is on this machine, else what is known of it. Torch-free."""
from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import ModelError
from core.models.hub.checkpoint import CONFIG, check_config
from core.models.hub.local import snapshot
from core.models.own_files import kept_config
from core.models.rows import ModelRow


def folder_of(row: ModelRow) -> Path | None:
    """The row's folder on this machine: the one it names, or its complete copy in the libraries' cache; None when there is none."""
    return Path(row.repo) if Path(row.repo).is_absolute() else snapshot(row.repo)


def config_of(row: ModelRow, known: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The values of the row's config.json: as a run kept them, as published, or as `known` by model key of a model that has not been
    fetched yet. Raises `ModelError`."""
    folder = folder_of(row)
    if kept := kept_config(row):
        return kept
    if folder is None and row.network in known:
        return known[row.network]
    if folder is None:
        raise ModelError("{model} is not on this machine.", "Its config.json is needed to know the network, and was not found.",
                         "Add the model again: it is then fetched, or read from its folder.", model=row.title)
    check_config(folder / CONFIG, row.title)
    return json.loads((folder / CONFIG).read_text(encoding="utf-8"))
