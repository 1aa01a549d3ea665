"""Where a model's tokenizer lies, as a file of the tokenizers library. Torch-free."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from core.models.hub import local as hub
from core.models.hub.convert import fast_tokenizer
from core.models.own_files import TOKENIZER, beside
from core.models.rows import Adapter, ModelRow
from core.models.words import vectors as word_vectors
from core.workspace import Workspace


def _of_words(stem: Path) -> Path:
    path = word_vectors.tokenizer_path(stem)
    if not path.is_file():
        word_vectors.load_tokenizer(stem)  # says what is missing
    return path


FILES: dict[Adapter, Callable[[Workspace, ModelRow], Path]] = {
    "words": lambda ws, row: _of_words(word_vectors.stem_of(row)),
    "transformers": lambda ws, row: fast_tokenizer(hub.located(row.repo), ws.models),
}


def tokenizer_file(ws: Workspace, row: ModelRow) -> Path:
    """The tokenizer of a model of texts that is on this machine, converted once where it is published in an older form.

    Raises `ModelError` when it is missing or can't be converted.
    """
    return beside(row, TOKENIZER) or FILES[row.adapter](ws, row)
