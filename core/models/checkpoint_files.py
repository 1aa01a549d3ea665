"""A checkpoint file of one's own: a state dict of a known architecture becomes a model to begin with. For a process of its own.

    models/<key>/model.safetensors tokenizer.json     the trunk's tensors under the network's own names, and what reads texts for it
           <key>.row.json                             its row (`core.models.own`)
"""
from __future__ import annotations

import math
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from core.errors import ModelError
from core.models.blocks import Network
from core.models.build import build
from core.models.catalog import CATALOG
from core.models.from_file import Match, matched, shape
from core.models.heads import replaced
from core.models.hub.convert import load_pickle
from core.models.own import own_folder, save_row
from core.models.own_files import TOKENIZER, Shapes
from core.models.rows import ModelRow
from core.models.texts.tokenizer_files import FILES as TOKENIZERS
from core.models.texts.tokenizer_files import tokenizer_file
from core.specs import HeadPlan
from core.workspace import Workspace

WRAPPED = ("state_dict", "model_state_dict", "model", "net", "network", "module", "weights", "params", "ema_state_dict")
"""Under which names programs keep the weights beside what else they save."""
DEEPEST = 3
MOST_MORE = 3_000_000
NOT_KNOWN = "As whoever made the file says."
"""A key of the translation catalogue."""
LIMITS = "You brought these weights: Graft knows their shape, not what they are good at. Items are prepared as for the architecture's own weights."
"""A key of the translation catalogue."""
FIX = "Save the weights alone, with torch.save(model.state_dict(), “weights.pth”), and choose that file."
"""A key of the translation catalogue."""
LIKE = "This looks like {like}: choose that architecture."
"""A key of the translation catalogue."""
OTHER_FIX = "Choose the architecture that it was saved from. A whole model of another kind can be added by its id or its folder."
"""A key of the translation catalogue."""


def convert(ws: Workspace, path: Path, name: str, base: ModelRow, key: str, title: str) -> ModelRow:
    """Bring a file into the workspace as the model `key`, and return its row, which is saved. `name`: what the file is called.

    Raises `ModelError` when it can't be read, holds anything but tensors, or is another network's.
    """
    tensors = state_of(path, name)
    found = fitted(tensors, base, name)
    folder = own_folder(ws, key)
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    temporary.mkdir(parents=True)
    try:
        _save({ours: tensors[theirs] for ours, theirs in found.names.items()}, temporary / "model.safetensors", name)
        if base.adapter in TOKENIZERS:
            shutil.copyfile(tokenizer_file(ws, base), temporary / TOKENIZER)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    file = folder / "model.safetensors"
    row = replace(base, key=key, title=title, base=base.key, own_file=str(file), size_bytes=file.stat().st_size, score=None, score_source="",
                  licence=NOT_KNOWN, learnt_from=NOT_KNOWN, limits=LIMITS,
                  blocks=tuple(replace(block, new=block.new or block.name in found.lacking) for block in base.blocks))
    save_row(ws, row)
    return row


# ---- reading ----

def state_of(path: Path, name: str) -> dict[str, Tensor]:
    """The tensors by name in a safetensors file or a pickled one, out of the usual wrappings; read without running anything.

    Raises `ModelError`.
    """
    tensors = _safetensors(path, name) if _is_safetensors(path) else unwrapped(load_pickle(path, name, FIX), name)
    return {key: tensor.detach() for key, tensor in tensors.items()}


def unwrapped(loaded: Any, name: str) -> dict[str, Tensor]:
    """The table of tensors inside what a program has saved."""
    for table in _tables(loaded):
        tensors = {str(key): value for key, value in table.items() if isinstance(value, Tensor)}
        if tensors:
            return tensors
    raise ModelError("{file} can't be used.", "It holds something else than tensors by name, so it is no network's weights.", FIX, file=name)


def _tables(loaded: Any, depth: int = 0) -> Iterator[Mapping[Any, Any]]:
    """The mappings inside one another: what usually holds the weights comes before what holds it."""
    if isinstance(loaded, Mapping) and depth < DEEPEST:
        for key in WRAPPED:
            if key in loaded:
                yield from _tables(loaded[key], depth + 1)
        yield loaded


def _is_safetensors(path: Path) -> bool:
    """By its content: names are users'. A pickle begins with PK or 0x80, a safetensors file with the length of its JSON header."""
    with path.open("rb") as file:
        start = file.read(9)
    return start[8:9] == b"{"


def _safetensors(path: Path, name: str) -> dict[str, Tensor]:
    try:
        with safe_open(str(path), framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}
    except (SafetensorError, OSError) as error:
        raise ModelError("{file} can't be used.", "It is damaged or incomplete: {problem}", "Save or download it again.",
                         file=name, problem=str(error)[:200]) from error


def _save(tensors: dict[str, Tensor], path: Path, name: str) -> None:
    for key, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise ModelError("{file} can't be used.", "Its tensor {name} holds numbers that are not finite: its training broke.",
                             "Choose an earlier checkpoint.", file=name, name=key)
    save_file({key: (tensor.float() if tensor.is_floating_point() else tensor).contiguous().clone() for key, tensor in tensors.items()}, path,
              metadata={"format": "pt"})


# ---- fitting ----

def architectures() -> dict[str, ModelRow]:
    """The rows whose networks a file can be for."""
    return {key: row for key, row in CATALOG.items() if row.adapter != "words"}


def fitted(tensors: Mapping[str, Tensor], base: ModelRow, name: str) -> Match:
    """How the file fits the architecture. Raises `ModelError` that names the first tensor which does not, and what would fit."""
    shapes = {key: tuple(tensor.shape) for key, tensor in tensors.items()}
    found = _match(shapes, base)
    if found.problem is None:
        return found
    n_numbers = sum(map(math.prod, shapes.values()))
    like = [row for row in architectures().values() if row.key != base.key and _is_of_size(row, n_numbers) and _fits(shapes, row)]
    fix = LIKE if like else OTHER_FIX
    raise ModelError("{file} does not fit {model}.", CAUSES[found.problem.kind], fix, file=name, model=base.title, like=", ".join(row.title for row in like),
                     like_keys=" ".join(row.key for row in like),
                     name=found.problem.name, found=shape(found.problem.found), wanted=shape(found.problem.wanted), first=next(iter(shapes)))


CAUSES: dict[str, str] = {
    "other": "None of its tensors has a name of that network. Its first is called {first}, that network's {name}.",
    "missing": "It has no tensor {name}, which {model} has.",
    "shape": "Its tensor {name} has the shape {found}; in {model} it has {wanted}.",
    "more": "It also holds {name}, for which {model} has no place.",
}
"""By the kind of a `Problem`: templates of the translation catalogue."""


def _match(shapes: Shapes, row: ModelRow) -> Match:
    """Names in the match are those of the file, which may be older than the network's."""
    network = _outline(row)
    theirs = _names_now(network, shapes, row)
    new = {block.name for block in row.blocks if block.new}
    found = matched({now: shapes[name] for now, name in theirs.items()}, network, new, _optional(row))
    problem = found.problem and replace(found.problem, name=theirs.get(found.problem.name, found.problem.name))
    return replace(found, names={ours: theirs[now] for ours, now in found.names.items()}, problem=problem)


def _names_now(network: Network, names: Iterable[str], row: ModelRow) -> dict[str, str]:
    if row.adapter == "torchvision":  # its names never changed
        return {name: name for name in names}
    from core.models.hub.names import names_now  # here: transformers takes seconds to import

    return names_now(network.model, names)


def _optional(row: ModelRow) -> frozenset[str]:
    """Blocks between the features and the head, which whoever trained the file may have replaced."""
    return replaced(row, HeadPlan(pooling="max"))


def _is_of_size(row: ModelRow, n_numbers: int) -> bool:
    """Whether a file of so many numbers may be that network's, with a head of any usual width: it saves making the others."""
    trunk = sum(block.parameters for block in row.blocks[:-1] if block.name not in _optional(row))
    return trunk <= n_numbers <= 2 * row.parameters + MOST_MORE


def _fits(shapes: Shapes, row: ModelRow) -> bool:
    try:
        return _match(shapes, row).problem is None
    except ModelError:  # what it is made of is not on this machine
        return False


def _outline(row: ModelRow) -> Network:
    """The network on torch's meta device: names and shapes, no numbers."""
    with torch.device("meta"):
        return build(row, 1, 0, pretrained=False)
