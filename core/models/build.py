"""From a row of the catalog to a network that is ready to be fine-tuned."""
from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from core.models.answers import Answers
from core.models.blocks import Network
from core.models.from_file import load_trunk
from core.models.own_files import shapes_in
from core.models.pictures.weights import Progress
from core.models.rows import Adapter, ModelRow

ADAPTERS: dict[Adapter, str] = {"torchvision": "core.models.pictures.build", "words": "core.models.words.build",
                                "transformers": "core.models.texts.build", "vision": "core.models.vision.build"}


class _Adapter(Protocol):
    """What a family of models answers. To add one: a module with these functions, and rows that name it."""

    def build(self, row: ModelRow, answers: Answers | int, seed: int, pretrained: bool, progress: Progress | None, store: Path | None) -> Network: ...

    def architecture(self, row: ModelRow, answers: Answers | int) -> dict[str, Any]: ...

    def fetch(self, row: ModelRow, progress: Progress | None) -> object: ...


def build(row: ModelRow, answers: Answers | int, seed: int, *, pretrained: bool = True, progress: Progress | None = None,
          store: Path | None = None) -> Network:
    """The source's trunk with a new head: a batch of items -> logits (B, n_outputs), in fp32 on the CPU, all blocks trainable.

    `answers`: how many logits, and for numbers their scale (`core.models.answers`); an int means so many logits.

    All randomness comes from `seed`; the global generator is left as it was. `progress(done_bytes, total_bytes)` is told of a
    download. `store` is a folder for weights that have to be converted first (`Workspace.models`). Raises `ModelError` when the weights
    can't be had, read or fitted.
    """
    if not row.own_file:
        return _adapter(row).build(row, answers, seed, pretrained, progress, store)
    network = _adapter(row).build(row, answers, seed, False, None, store)
    if pretrained:
        load_trunk(network, row)
    return network


def architecture(row: ModelRow, answers: Answers | int) -> dict[str, Any]:
    """What makes this network again from a bundle, in plain JSON values."""
    return _adapter(row).architecture(row, answers)


def fetch(row: ModelRow, progress: Progress | None = None) -> None:
    """Make sure that the row's files are on this machine. `progress(done_bytes, total_bytes)` may raise to give up. Raises `ModelError`."""
    if row.own_file:
        shapes_in(row)
    else:
        _adapter(row).fetch(row, progress)


def _adapter(row: ModelRow) -> _Adapter:
    return import_module(ADAPTERS[row.adapter])  # type: ignore[return-value]
