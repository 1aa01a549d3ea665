"""What was kept beside weights of one's own: of a run its bundle, of a checkpoint file its tokenizer. Torch-free."""
from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from core.errors import ModelError
from core.models.rows import ModelRow

TOKENIZER = "tokenizer.json"
Shapes = Mapping[str, tuple[int, ...]]


def beside(row: ModelRow, name: str) -> Path | None:
    """A file beside the row's own weights; None where it has none of its own, or no such file is there."""
    path = Path(row.own_file).parent / name
    return path if row.own_file and path.is_file() else None


def kept_config(row: ModelRow) -> dict[str, Any] | None:
    """The values that a network of transformers is made from, as a run kept them in its bundle; None where none were kept."""
    path = beside(row, "bundle.json")
    return json.loads(path.read_bytes())["architecture"].get("config") if path else None


def shapes_in(row: ModelRow) -> Shapes:
    """The shapes of the tensors in the row's own file by name, from its header alone. Raises `ModelError` when it is gone or damaged."""
    path = Path(row.own_file)
    if not path.is_file():
        raise ModelError("The weights of {model} are gone.", "{file} is no longer in {dir}.", "Choose another model.", **names(row))
    try:
        with safe_open(str(path), framework="numpy") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise damaged(row, error) from error


def damaged(row: ModelRow, error: Exception) -> ModelError:
    return ModelError("The weights of {model} can't be read.", "{file} is damaged or incomplete: {problem}", "Choose another model.",
                      problem=str(error)[:200], **names(row))


def names(row: ModelRow) -> dict[str, str]:
    path = Path(row.own_file)
    return {"model": row.title, "file": path.name, "dir": str(path.parent)}
