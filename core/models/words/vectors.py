"""A set of word vectors on disk: its form, reading and writing it. Free of torch until vectors are asked for: pages read the shape.

A set is two files with one stem. `<stem>.safetensors` holds `vectors` (V, D): int8 with `scales` (V,) float16 beside it, or float16 or
float32 without; its metadata are JSON strings. `<stem>.tokenizer.json` is a file of the tokenizers library with the ids 0 to V-1.
"""
from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from tokenizers import Tokenizer

from core.errors import ModelError
from core.models.rows import ASSETS, ModelRow
from core.workspace import write_atomic

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["BUILT_IN", "Precision", "load_tokenizer", "is_scaled", "load_vectors", "read_metadata", "shape_of", "stem_of", "tokenizer_path", "vectors_path",
           "write_vectors"]

BUILT_IN = ASSETS / "graft-words"
Precision = Literal["int8", "float16", "float32"]
Result = TypeVar("Result")
DTYPES = ("I8", "F16", "F32")
"""What `vectors` may be, by safetensors' name."""
LARGEST = float(np.finfo(np.float16).max)


def stem_of(row: ModelRow) -> Path:
    """Where the set of a model of word vectors lies: the built-in one, or the one that its row names."""
    return Path(row.repo) if row.repo else BUILT_IN


def vectors_path(stem: Path) -> Path:
    return stem.with_name(f"{stem.name}.safetensors")


def tokenizer_path(stem: Path) -> Path:
    return stem.with_name(f"{stem.name}.tokenizer.json")


def shape_of(stem: Path) -> tuple[int, int]:
    """(V, D), read from the header alone. Raises `ModelError` when the file is missing or damaged."""
    return _read(stem, _shape)


def is_scaled(stem: Path) -> bool:
    """Whether a vector's numbers are to be multiplied by a scale of its own. Raises `ModelError` when the file is missing or damaged."""
    return _read(stem, lambda file: "scales" in file.keys())


def read_metadata(stem: Path) -> dict[str, JsonValue]:
    """What `write_vectors` was told about the set. Raises `ModelError` when the file is missing or damaged."""
    return _read(stem, _metadata)


def load_vectors(stem: Path) -> Tensor:
    """The vectors (V, D) float32, row i for the tokenizer's id i.

    Raises `ModelError` when one of the two files is missing or damaged, or when they are of different sizes.
    """
    import torch  # here, so that a page can ask for the shape
    vectors = _read(stem, _vectors)
    n_tokens = load_tokenizer(stem).get_vocab_size()
    if n_tokens != len(vectors):
        raise ModelError("The word vectors {name} don't fit their tokenizer.",
                         "{file} holds {n_vectors} vectors, {tokenizer} knows {n_tokens} tokens.", "Put both files of the set in {dir} again.",
                         n_vectors=len(vectors), n_tokens=n_tokens, **_names(stem, vectors_path(stem)))
    return torch.from_numpy(vectors)


def load_tokenizer(stem: Path) -> Tokenizer:
    """The set's tokenizer, without padding or truncation. Raises `ModelError` when the file is missing or damaged."""
    path = tokenizer_path(stem)
    if not path.is_file():
        raise _missing(stem, path)
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare `Exception` for whatever is wrong with a file
        raise _damaged(stem, path, str(error)) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def write_vectors(stem: Path, vectors: npt.ArrayLike, tokenizer: Tokenizer, metadata: Mapping[str, JsonValue],
                  precision: Precision = "int8") -> None:
    """Write the set's two files, each whole or not at all, the vectors last: where they lie, the tokenizer lies too.

    `vectors` (V, D) are finite floats, as an array or a tensor without gradient; int8 keeps them with a scale for each row, at 8 bits of the
    row's largest number. Raises `ValueError` when the tokenizer's ids are not 0 to V-1, or a number is not finite or above `LARGEST`.
    """
    table = np.asarray(vectors, dtype=np.float32)
    if table.ndim != 2 or not table.size or not (np.abs(table) <= LARGEST).all():
        raise ValueError(f"vectors must be (V, D) finite numbers of at most {LARGEST:g}, got shape {table.shape}")
    if sorted(tokenizer.get_vocab().values()) != list(range(len(table))):
        raise ValueError(f"the tokenizer's ids must be 0 to {len(table) - 1}, one for each vector, got {tokenizer.get_vocab_size()} tokens")
    tensors = quantize(table) if precision == "int8" else {"vectors": table.astype(precision)}
    described = {key: json.dumps(value, ensure_ascii=False) for key, value in metadata.items()}
    write_atomic(tokenizer_path(stem), tokenizer.to_str().encode("utf-8"))
    write_atomic(vectors_path(stem), save(tensors, described))


def quantize(vectors: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.int8 | np.float16]]:
    """`vectors` (V, D) int8 and `scales` (V,) float16: a row is its numbers times its scale. A row of zeros has scale 0."""
    scales = (np.abs(vectors).max(axis=1) / 127).astype(np.float16)
    divisors = np.where(scales > 0, scales, 1).astype(np.float32)[:, None]  # the rounded scale, as a reader will multiply by it
    return {"vectors": np.rint(vectors / divisors).clip(-127, 127).astype(np.int8), "scales": scales}


def _read(stem: Path, take: Callable[[safe_open], Result]) -> Result:
    """What `take` finds in the vectors file, once that is known to be of the right form; whatever is wrong becomes a `ModelError`."""
    path = vectors_path(stem)
    if not path.is_file():
        raise _missing(stem, path)
    try:
        with safe_open(str(path), framework="numpy") as file:
            shape, dtype = _form(file, "vectors")
            if len(shape) != 2 or dtype not in DTYPES:
                raise ValueError(f"vectors of the form {shape}, {dtype}")
            if dtype == "I8" and _form(file, "scales") != (shape[:1], "F16"):
                raise ValueError("the scales don't fit the vectors")
            return take(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(stem, path, str(error)) from error


def _form(file: safe_open, tensor: str) -> tuple[tuple[int, ...], str]:
    part = file.get_slice(tensor)
    return tuple(part.get_shape()), part.get_dtype()


def _shape(file: safe_open) -> tuple[int, int]:
    n_vectors, n_dims = _form(file, "vectors")[0]
    return n_vectors, n_dims


def _metadata(file: safe_open) -> dict[str, JsonValue]:
    return {key: json.loads(value) for key, value in (file.metadata() or {}).items()}


def _vectors(file: safe_open) -> npt.NDArray[np.float32]:
    vectors = file.get_tensor("vectors").astype(np.float32)
    if _form(file, "vectors")[1] == "I8":
        vectors *= file.get_tensor("scales").astype(np.float32)[:, None]  # (V, D) * (V, 1)
    if not np.isfinite(vectors).all():
        raise ValueError("it holds numbers that are not finite")
    return vectors


def _names(stem: Path, file: Path) -> dict[str, object]:
    return {"name": stem.name, "file": file.name, "tokenizer": tokenizer_path(stem).name, "dir": stem.parent}


def _missing(stem: Path, file: Path) -> ModelError:
    return ModelError("The word vectors {name} are not complete.", "{file} is not on this machine.", "Put {file} in {dir}.",
                      **_names(stem, file))


def _damaged(stem: Path, file: Path, problem: str) -> ModelError:
    return ModelError("The word vectors {name} can't be read.", "{file} is damaged or incomplete: {problem}",
                      "Delete or replace the file in {dir}.", problem=(problem or "unknown").splitlines()[0][:200], **_names(stem, file))
