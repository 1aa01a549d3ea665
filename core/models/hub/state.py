"""Weights of a transformers checkpoint, put into a network of transformers' classes. Always float32, and never anything but local files."""
from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from transformers import PreTrainedConfig
from transformers.utils import logging

from core.errors import ModelError

BODY = re.compile(r"\.\d+\.|embed")
"""Parameters of layers and of embeddings, which no head and no pooler has."""
COUNTER = "num_batches_tracked"
"""Of BatchNorm: not all files have it, and no answer depends on it."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """`missing`: parameters that the files did not hold and that are new (a pooler, a head); `unexpected`: tensors that the network has
    no place for (the head of another task)."""
    model: nn.Module
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]


def load_state(paths: Iterable[Path]) -> dict[str, Tensor]:
    """The tensors of one or several safetensors files by name; those of floating point as float32.

    Tensors that had several names (see `hub_convert`) have them all again, and share their memory. Raises `ModelError` for a damaged file.
    """
    state: dict[str, Tensor] = {}
    for path in paths:
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}
                aliases = {name: first for name, first in (file.metadata() or {}).items() if first in tensors}
        except (SafetensorError, OSError) as error:
            raise ModelError("{file} can't be used.", "It is damaged or incomplete: {problem}", "Delete {file} and download it again.",
                             file=str(path), problem=str(error)[:200]) from error
        tensors = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
        state |= tensors | {name: tensors[first] for name, first in aliases.items()}
    return state


def load_pretrained(auto_class: Any, config: PreTrainedConfig, paths: Iterable[Path]) -> Loaded:
    """A model of `auto_class` (AutoModel, AutoModelForSequenceClassification … or a model class) with the weights of safetensors files.

    transformers itself fits the names: with or without the prefix of the base model, old names of layer norms, tied tensors. What the
    files lack is initialised from torch's random state. The model is in `eval()`, float32, on the CPU. Raises `ModelError` when a
    tensor has another size than the config says, or when a part of a layer or an embedding is missing: that is another network.
    """
    paths = list(paths)
    model_class = auto_class
    if hasattr(auto_class, "from_config"):
        with torch.device("meta"):  # only to learn which class it is: nothing is filled
            model_class = type(auto_class.from_config(config))
    try:
        with _quiet():
            model, said = model_class.from_pretrained(
                None, config=config, state_dict=load_state(paths), dtype=torch.float32, local_files_only=True, output_loading_info=True,
                ignore_mismatched_sizes=True)  # they are named below, and no model with such gaps is given away
    except (RuntimeError, ValueError, KeyError) as error:
        raise _unfit(paths, (str(error) or type(error).__name__).splitlines()[0][:200]) from error
    wrong = sorted(f"{name} {tuple(theirs)} ≠ {tuple(ours)}" for name, theirs, ours in said["mismatched_keys"])
    wrong = wrong or sorted(name for name in said["missing_keys"] if BODY.search(name) and not name.endswith(COUNTER))
    if wrong:
        raise _unfit(paths, ", ".join(wrong[:3]) + (" …" if len(wrong) > 3 else ""))
    return Loaded(model.eval(), tuple(sorted(said["missing_keys"])), tuple(sorted(said["unexpected_keys"])))


def _unfit(paths: list[Path], problem: str) -> ModelError:
    return ModelError("The weights in {file} don't fit the model's config.json.", "{file} holds another network: {problem}",
                      "Download the model again as a whole, or choose another one.", file=str(paths[0]), problem=problem)


@contextmanager
def _quiet() -> Iterator[None]:
    """No table of missing names and no progress bar in the log: the caller is told the names."""
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
