"""What a folder of a transformers model holds, and every reason why it can't be used. Free of torch and of transformers."""
from __future__ import annotations

import importlib.util
import json
import re
import struct
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from core.errors import ModelError

WeightsKind = Literal["safetensors", "bin"]

CONFIG = "config.json"
PREPROCESSOR = "preprocessor_config.json"
"""How pictures are prepared; only models of pictures have it, and not all of them."""
TOKENIZER = "tokenizer.json"
TOKENIZER_SETTINGS = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
TOKENIZER_SOURCES = (("vocab.txt",), ("vocab.json", "merges.txt"), ("spm.model",), ("spiece.model",), ("sentencepiece.bpe.model",),
                     ("tokenizer.model",))
"""What a tokenizer can be made from, by the names that its library gives them; each row is needed as a whole."""
WEIGHTS: tuple[tuple[WeightsKind, str, str], ...] = (
    ("safetensors", "model.safetensors", r"model-\d{5}-of-\d{5}\.safetensors"),
    ("bin", "pytorch_model.bin", r"pytorch_model-\d{5}-of-\d{5}\.bin"),
)
"""Kind, its one file, or what the files of a large model are called; the earlier kind is preferred."""
OTHER_WEIGHTS = (("TensorFlow", r".*\.h5|.*\.ckpt.*"), ("Flax", r".*\.msgpack"), ("GGUF", r".*\.gguf"), ("ONNX", r".*\.onnx|onnx"),
                 ("Rust", r".*\.ot"), ("Core ML", r".*\.ml(model|package)"), ("OpenVINO", r"openvino_.*"), ("pickle", r".*\.(pt|pth|pkl)"))
OF_PICTURES = ("vision_config", "image_size", "num_channels", "patch_size")
"""Each of these is in the config.json of a network that looks at pictures, and in no other."""
LFS_MARK = b"version https://git-lfs.github.com/spec/"
HEADER_BYTES = 100_000_000


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder with all that is needed. `weights`: one file, or the parts of a large model in order; `tokenizer`: its tokenizer.json
    when there is one; `tokenizer_sources`: the files that one can be made from. A model of pictures has neither."""
    folder: Path
    config: Path
    weights: tuple[Path, ...]
    weights_kind: WeightsKind
    tokenizer: Path | None
    tokenizer_sources: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a model can't be used. `cause` and `fix` are keys of the translation catalogue."""
    cause: str
    fix: str


def checkpoint(folder: Path) -> Checkpoint:
    """The model in `folder`. Raises `ModelError` that says in one sentence what is missing, damaged or of no use here."""
    try:
        return _looked_into(folder)
    except OSError as error:
        raise _unusable(folder, Reason("It can't be read: {problem}", "Choose a folder that you may read, or copy it to such a place."),
                        problem=error.strerror or str(error)) from error


def _looked_into(folder: Path) -> Checkpoint:
    if not folder.is_dir():
        raise _unusable(folder, Reason("There is no such folder.", "Choose the folder that holds config.json."))
    names = {path.name for path in folder.iterdir() if path.exists()}  # a link that leads nowhere is a missing file
    check_config(folder / CONFIG)
    kind, weights = weights_among(names, folder)
    vocabulary = [folder / name for name in companions_among(names, folder, of_pictures(json.loads((folder / CONFIG).read_bytes())))]
    for path in weights:
        _WEIGHTS_CHECKS[kind](folder / path)
    for path in vocabulary:
        _check_vocabulary(path)
    return Checkpoint(folder, folder / CONFIG, tuple(folder / name for name in weights), kind,
                      folder / TOKENIZER if TOKENIZER in names else None,
                      tuple(path for path in vocabulary if path.name not in (TOKENIZER, *TOKENIZER_SETTINGS, PREPROCESSOR)))


def of_pictures(config: dict[str, Any]) -> bool:
    """Whether a config.json is that of a network that looks at pictures."""
    return of_timm(config) or any(key in config for key in OF_PICTURES)


def of_timm(config: dict[str, Any]) -> bool:
    """Whether a config.json is that of a network of the library timm: its own names an architecture and no model_type."""
    return isinstance(config.get("architecture"), str) and ("pretrained_cfg" in config or config.get("model_type") == "timm_wrapper")


def size_bytes(found: Checkpoint) -> int:
    """Bytes of the weights and the tokenizer on the disk."""
    return sum(path.stat().st_size for path in (*found.weights, *([found.tokenizer] if found.tokenizer else found.tokenizer_sources)))


def check_config(path: Path, model: object = None) -> None:
    """Raise `ModelError` when a model's config.json is missing or damaged, or describes something that Graft can't load.

    `model`: what the error calls the model, its folder by default.
    """
    model = model or path.parent
    if not path.is_file():
        deeper = [inner for pattern in ("*", "snapshots/*") for inner in path.parent.glob(f"{pattern}/{CONFIG}")]
        if deeper:
            raise _unusable(model, Reason("It holds no config.json, but a folder inside it does.", "Choose {inner}."),
                            inner=str(max(deeper, key=lambda inner: inner.stat().st_mtime).parent))
        raise _unusable(model, Reason("It holds no config.json.", "Choose a folder with config.json, model.safetensors and "
                                      "tokenizer.json, as they stand on the model's page."))
    _check_pointer(path)
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("it is no table")
    except (ValueError, RecursionError) as error:
        raise _unusable(model, Reason("Its config.json is damaged: {problem}", "Download config.json again."),
                        problem=str(error)[:200]) from error
    kind = "timm_wrapper" if of_timm(config) else config.get("model_type")
    if not kind or not isinstance(kind, str):
        raise _unusable(model, Reason("Its config.json names no model_type: which network the weights belong to is unknown.",
                                      "Add the model_type that the model's page gives, or choose another model."))
    if config.get("auto_map") and not _is_known(kind):
        raise _unusable(model, Reason("It needs program code of its own ({kind}), and Graft never runs code that comes with a model.",
                                      "Choose a model of a common kind, such as BERT, RoBERTa, DeBERTa or GPT-2."), kind=kind[:80])
    if config.get("quantization_config"):
        raise _unusable(model, Reason("Its weights are quantised: that is for using a model, not for training it.",
                                      "Choose the original model that it was made from."))


def weights_among(names: Collection[str], model: object) -> tuple[WeightsKind, list[str]]:
    """Which of the files in a model's folder are its weights. Raises `ModelError` when there are none that Graft reads."""
    if "adapter_config.json" in names:
        raise _unusable(model, Reason("It is an adapter (LoRA) and not a whole model.", "Choose the model that the adapter was made for."))
    for kind, single, pattern in WEIGHTS:
        if single in names:
            return kind, [single]
        parts = sorted(name for name in names if re.fullmatch(pattern, name))
        if parts:
            promised = int(parts[0].partition("-of-")[2].partition(".")[0])
            if len(parts) < promised:
                raise _unusable(model, Reason("Of the {promised} parts of its weights only {n} are there.", "Download the missing parts."),
                                promised=promised, n=len(parts))
            return kind, parts
    others = [label for label, pattern in OTHER_WEIGHTS if any(re.fullmatch(pattern, name) for name in names)]
    if others:
        raise _unusable(model, Reason("Its weights are there only for {kinds}.",
                                      "Choose a model with model.safetensors or pytorch_model.bin."), kinds=", ".join(others))
    raise _unusable(model, Reason("Its weights are missing: there is neither model.safetensors nor pytorch_model.bin.",
                                  "Put model.safetensors from the model's page beside its config.json."))


def companions_among(names: Collection[str], model: object, pictures: bool) -> list[str]:
    """Which of the files in a model's folder it needs besides config and weights: of a model of texts those that make its tokenizer,
    of one of pictures what says how these are prepared. Raises `ModelError` when a model of texts has no tokenizer."""
    return [name for name in (PREPROCESSOR,) if name in names] if pictures else tokenizer_among(names, model)


def tokenizer_among(names: Collection[str], model: object) -> list[str]:
    """Which of the files in a model's folder make its tokenizer, with its settings. Raises `ModelError` when there are none."""
    settings = [name for name in TOKENIZER_SETTINGS if name in names]
    if TOKENIZER in names:
        return [TOKENIZER, *settings]
    for row in TOKENIZER_SOURCES:
        if all(name in names for name in row):
            return [*row, *settings]
    raise _unusable(model, Reason("Its tokenizer is missing: there is no tokenizer.json, and no vocabulary that one can be made from.",
                                  "Put tokenizer.json from the model's page beside its config.json."))


def _is_known(kind: str) -> bool:
    """Whether transformers has that kind of network itself; found out without importing it, which takes seconds and brings torch."""
    spec = importlib.util.find_spec("transformers")
    return bool(spec and spec.origin and re.fullmatch(r"[\w-]+", kind)
                and (Path(spec.origin).parent / "models" / kind.replace("-", "_")).is_dir())


def _check_pointer(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(len(LFS_MARK)) == LFS_MARK:
            raise _unusable(path.parent, Reason("{file} is only a pointer of Git LFS and not the file itself.",
                                                "Run “git lfs pull” in that folder, or download {file} from the model's page."),
                            file=path.name)


def _check_vocabulary(path: Path) -> None:
    _check_pointer(path)
    with path.open("rb") as file:  # its end only: pages ask often, and some have 17 MB
        file.seek(max(path.stat().st_size - 64, 0))
        end = file.read().rstrip()
    if not end or path.suffix == ".json" and not end.endswith(b"}"):  # a file that was cut off does not end in its bracket
        raise damaged(path)


def _check_safetensors(path: Path) -> None:
    """The header says where the last tensor ends, and so how long the file must be."""
    _check_pointer(path)
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            n_header = struct.unpack("<Q", file.read(8))[0]
            if n_header > min(HEADER_BYTES, size):
                raise ValueError("its header is cut off")
            header: dict[str, Any] = json.loads(file.read(n_header))
        promised = 8 + n_header + max((int(row["data_offsets"][1]) for name, row in header.items() if name != "__metadata__"), default=0)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError, struct.error) as error:
        raise damaged(path) from error
    if size != promised:
        raise _unusable(path.parent, Reason("{file} is incomplete: it has {size} bytes and should have {promised}.",
                                            "Delete {file} and download it again."), file=path.name, size=size, promised=promised)


def _check_bin(path: Path) -> None:
    """A zip file, whose index stands at its end, or an older bare pickle, of which nothing more can be said without reading it."""
    _check_pointer(path)
    with path.open("rb") as file:
        start = file.read(2)
    if start not in (b"PK", b"\x80\x02") or start == b"PK" and not zipfile.is_zipfile(path):
        raise damaged(path)


_WEIGHTS_CHECKS = {"safetensors": _check_safetensors, "bin": _check_bin}


def damaged(path: Path) -> ModelError:
    return _unusable(path.parent, Reason("{file} is damaged or incomplete.", "Delete {file} and download it again."), file=path.name)


def _unusable(model: object, reason: Reason, **params: object) -> ModelError:
    return ModelError("The model {model} can't be used.", reason.cause, reason.fix, model=str(model), **params)
