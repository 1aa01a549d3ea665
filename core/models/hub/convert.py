"""Older files of a model, converted once into what Graft reads: pickled weights to safetensors, a vocabulary to tokenizer.json.

`python -m core.models.hub.convert IN.bin [IN.bin ...] OUT.safetensors`, or `FOLDER tokenizer.json`: the child that does it, so that a
file of unknown origin, which may also be larger than the memory, is opened by no process that matters.
"""
from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
import secrets
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from core.errors import Fault, ModelError, UserError, out_of_memory
from core.models.hub.checkpoint import TOKENIZER, TOKENIZER_SETTINGS, Checkpoint
from core.specs import from_json, to_json
from core.workspace import write_atomic

if TYPE_CHECKING:
    from torch import Tensor

PROJECT = Path(__file__).parents[3]
SAFETENSORS = "model.safetensors"
KILLED = (-9, 137)
CODE = re.compile(r"GLOBAL (\S+)|reduce for unrecognized function (.+)|Can only (?:create|build) .* but got (.+)")
"""How PyTorch says that a pickle asks for more than tensors, and for what."""
READER = re.compile(r".*WeightsUnpickler error:", re.DOTALL)
"""What it says before it comes to the point, with advice that is no good here."""


def converted(found: Checkpoint, ws_models: Path) -> tuple[Path, ...]:
    """The weights as safetensors files: the model's own, or one in `ws_models` that is made from its pickled files now or was before.

    Raises `ModelError` when a file is damaged, holds code, or is too large for the memory.
    """
    if found.weights_kind == "safetensors":
        return found.weights
    return (_made(found.weights, found.weights, ws_models, SAFETENSORS),)


def fast_tokenizer(found: Checkpoint, ws_models: Path) -> Path:
    """The model's tokenizer.json: its own, or one in `ws_models` that is made from its vocabulary now or was before.

    Raises `ModelError` when none can be made.
    """
    if found.tokenizer:
        return found.tokenizer
    settings = [found.folder / name for name in TOKENIZER_SETTINGS]
    return _made([found.folder], [found.config, *found.tokenizer_sources, *filter(Path.is_file, settings)], ws_models, TOKENIZER)


def _made(inputs: Sequence[Path], rests_on: Sequence[Path], ws_models: Path, name: str) -> Path:
    """The file `name`, converted from `inputs` by a child unless that was done before for the same files."""
    output = ws_models / _key(rests_on) / name
    output.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(output.with_suffix(".lock")):
        if not output.is_file():
            words = [sys.executable, "-m", "core.models.hub.convert", *map(str, inputs), str(output)]
            flags = {"creationflags": subprocess.CREATE_NO_WINDOW} if sys.platform == "win32" else {}
            child = subprocess.run(words, cwd=PROJECT, env={**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONUTF8": "1"}, capture_output=True,
                                   stdin=subprocess.DEVNULL, text=True, encoding="utf-8", errors="replace", check=False, **flags)
            if child.returncode or not output.is_file():
                raise _explained(child, inputs[0])
    return output


def _key(files: Sequence[Path]) -> str:
    said = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:24]


def _explained(child: subprocess.CompletedProcess[str], source: Path) -> UserError:
    """What the child said of itself in its last line, or what its end means."""
    said = (child.stdout.strip().splitlines() or [""])[-1]
    if said.startswith('{"title"'):
        return from_json(Fault, said).error(ModelError)
    if child.returncode in KILLED:
        return _no_memory(source)
    problem = (child.stderr.strip().splitlines() or [f"exit code {child.returncode}"])[-1]
    return ModelError("{file} could not be converted.", "{problem}", "Choose a model that has model.safetensors and tokenizer.json.",
                      file=str(source), problem=problem[:300])


def _no_memory(source: Path) -> ModelError:
    size = source.stat().st_size if source.is_file() else 0
    return ModelError("There is not enough memory to convert {file}.", "It has {size} MB, and that much memory was not free.",
                      "Close other programs and try again, or choose a smaller model.", file=str(source), size=round(size / 1e6))


def convert_weights(inputs: Sequence[Path], output: Path) -> None:
    """Write the tensors of pickled files as one safetensors file. Names of one and the same tensor are kept in its metadata.

    Raises `ModelError` for files that are damaged, hold code, or hold anything but tensors by name.
    """
    from safetensors.torch import save_file

    tensors, aliases = _without_aliases({name: tensor for path in inputs for name, tensor in _unpickled(path).items()})
    temporary = output.with_name(f".{output.name}.{secrets.token_hex(4)}")
    try:
        save_file(tensors, temporary, metadata={"format": "pt", **aliases})
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
        os.replace(temporary, output)
    finally:
        temporary.unlink(missing_ok=True)


def load_pickle(path: Path, name: str, fix: str) -> Any:
    """What is in a pickled file, of tensors and plain values alone. `name`: what errors call the file; `fix`: their way out, where it
    asks for more than tensors (a key of the translation catalogue). Raises `ModelError`, and `MemoryError` when it is too large."""
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except MemoryError:
        raise
    except Exception as error:  # a damaged file makes the reader raise nearly anything
        if out_of_memory(error):
            raise MemoryError from error
        said = str(error)
        code = CODE.search(said) if isinstance(error, pickle.UnpicklingError) else None
        if code:
            raise ModelError("{file} can't be used.", "It holds code ({name}), which Graft never runs, and not only numbers.", fix, file=name,
                             name=next(filter(None, code.groups()), "?")[:100]) from error
        raise ModelError("{file} can't be used.", "It is damaged or incomplete: {problem}", "Delete {file} and download it again.",
                         file=name, problem=(READER.sub("", said).strip() or type(error).__name__).splitlines()[0][:200]) from error


def _unpickled(path: Path) -> dict[str, Tensor]:
    import torch

    state = load_pickle(path, str(path), "Choose a model that has model.safetensors.")
    if not isinstance(state, dict) or not all(isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in state.items()):
        raise ModelError("{file} can't be used.", "It holds something else than tensors by name, so it is no network's weights.",
                         "Choose a model that has model.safetensors.", file=str(path))
    return {name: tensor.detach() for name, tensor in state.items()}


def _without_aliases(state: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Each tensor once, under its first name, in memory of its own; and the other names that it had."""
    kept: dict[tuple[object, ...], str] = {}
    tensors, aliases = {}, {}
    for name, tensor in state.items():
        where = (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype)
        first = kept.setdefault(where, name) if tensor.numel() else name
        if first == name:
            tensors[name] = tensor
        else:
            aliases[name] = first
    roots = {name: tensor.untyped_storage().data_ptr() for name, tensor in tensors.items()}
    users = Counter(roots.values())
    return {name: (tensor.clone() if users[roots[name]] > 1 else tensor).contiguous() for name, tensor in tensors.items()}, aliases


def convert_tokenizer(inputs: Sequence[Path], output: Path) -> None:
    """Write the tokenizer of the model in the one folder of `inputs` as tokenizer.json. Raises `ModelError` when there is none."""
    folder = inputs[0]
    _check_sentencepiece(folder)
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), use_fast=True, local_files_only=True, trust_remote_code=False)
        made = tokenizer.backend_tokenizer
        if not made.get_vocab_size():
            raise ValueError("its vocabulary is empty")
    except MemoryError:
        raise
    except Exception as error:  # the files are of unknown origin, and each kind of tokenizer has its own way to fail
        raise ModelError("The tokenizer of the model {model} can't be used.", "{problem}",
                         "Choose a model that has tokenizer.json.", model=str(folder),
                         problem=(str(error).strip() or type(error).__name__).splitlines()[0][:300]) from error
    write_atomic(output, made.to_str().encode())


def _check_sentencepiece(folder: Path) -> None:
    """Its own library reads each such vocabulary first: transformers would take a damaged one for another format."""
    import sentencepiece

    for path in folder.glob("*.model"):
        try:
            sentencepiece.SentencePieceProcessor(model_file=str(path))
        except (RuntimeError, OSError) as error:
            raise ModelError("{file} can't be used.", "It is no vocabulary that SentencePiece can read.",
                             "Delete {file} and download it again.", file=str(path)) from error


CONVERSIONS = {".safetensors": convert_weights, ".json": convert_tokenizer}
"""By the suffix of the output."""


def main(words: Sequence[str]) -> int:
    """The child: convert, and say in the last line what was wrong."""
    *inputs, output = map(Path, words)
    try:
        try:
            CONVERSIONS[output.suffix](inputs, output)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            raise _no_memory(inputs[0]) from error
    except UserError as error:
        print(to_json(Fault.of(error)).decode())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
