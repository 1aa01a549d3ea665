"""The kinds of bundles, a row a task: what differs between a network that looks at pictures and one that reads texts. Torch-free."""
from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from core.errors import UserError
from core.workspace import Workspace

if TYPE_CHECKING:
    from torch import nn

    from core.bundle.unpack import Refusal

FILES = ("README.md", "LICENSE.txt", "bundle.json", "model.safetensors", "predict.py")
"""What every bundle holds; the other files are its kind's."""


class Model(Protocol):
    """A network in eval mode with all that is needed to ask it. `about` is the whole of bundle.json."""
    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def about(self) -> Mapping[str, Any]: ...


class Program(Protocol):
    """The module that becomes a bundle's predict.py, as the app uses it."""

    def load(self, folder: str | Path) -> Model:
        """Raises `BundleError`."""

    def predict(self, model: Any, items: Iterable[Any]) -> list[list[float]]:
        """One list of probabilities an item, in the order of `model.labels`. Raises a `Refusal` for an item that can't be used."""


class App(Protocol):
    """What the app does with bundles of a kind, and a bundle at home doesn't."""

    def contents(self, ws: Workspace, dataset: str, shas: Sequence[str]) -> list[Any]:
        """Items of a dataset, as the program takes them."""

    def given(self, words: Iterable[str]) -> list[Any]:
        """Items as the program takes them, from what was typed or came in a request: the path of a picture, or a text."""

    def unreadable(self, refusal: Refusal, position: int) -> UserError:
        """The program's refusal of an item, for people. `position` counts from 1."""

    def companions(self, module: nn.Module, about: Mapping[str, Any], preprocess: Any) -> dict[str, bytes]:
        """The contents of the kind's further files. `about` is bundle.json, `preprocess` what the network was trained with."""

    def prepared(self, model: Any, items: Iterable[Any]) -> Any:
        """A batch of what the network is given of these items, as `Network.run` takes it."""


@dataclass(frozen=True, slots=True)
class Companion:
    """A further file of a bundle. `most_bytes`: more is refused when it is read from a zip. `needed`: no answers without it."""
    name: str
    note: str
    """What it is for: a key of the translation catalogue."""
    most_bytes: int
    needed: bool


@dataclass(frozen=True, slots=True)
class Words:
    """What README.md says of a kind. `does` completes “A network that … and says …”, `prepared(preprocess)` “it prepares …”;
    `elsewhere(bundle.json, names of the files)` is a section about other programs that open the folder, or empty."""
    does: str
    example: str
    """What predict.py is given, as typed in Python."""
    usage: str
    prepared: Callable[[Mapping[str, Any]], str]
    limits: tuple[str, ...]
    item: str
    items: str
    elsewhere: Callable[[Mapping[str, Any], Sequence[str]], str] = lambda about, files: ""


@dataclass(frozen=True, slots=True)
class Kind:
    """`program` and `module` are names of modules that answer `Program` and `App`. `libraries`: what pip installs for predict.py;
    `builder_libraries`: what it installs too for networks of that builder."""
    task: str
    item: str
    """What an answer in JSON calls the item that it is about."""
    program: str
    module: str
    libraries: tuple[str, ...]
    command: str
    """An example of a call."""
    about_note: str
    """What bundle.json is for: a key of the translation catalogue."""
    program_note: str
    """What predict.py is for, with its {libraries}: a template of the translation catalogue."""
    words: Words
    companions: tuple[Companion, ...] = ()
    builder_libraries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def load_program(self) -> Program:
        return import_module(self.program)  # type: ignore[return-value]

    def load_app(self) -> App:
        return import_module(self.module)  # type: ignore[return-value]

    def installs(self, architecture: Mapping[str, Any]) -> tuple[str, ...]:
        """What pip has to install for a network of this architecture."""
        return self.libraries + self.builder_libraries.get(architecture["builder"], ())

    def files(self, folder: Path) -> tuple[str, ...]:
        """The names of all files of the bundle in a folder."""
        return FILES + tuple(row.name for row in self.companions if (folder / row.name).is_file())


def kind_in(folder: Path) -> tuple[Kind, dict[str, Any]]:
    """The kind of a bundle that the app wrote itself, and its bundle.json."""
    about = json.loads((folder / "bundle.json").read_bytes())
    return KINDS[about["task"]], about


def _picture_prepared(preprocess: Mapping[str, Any]) -> str:
    side, inner = preprocess["resize_size"], preprocess["input_size"]
    return (f"a picture exactly as it was prepared in training ({side} pixels on the shorter side, the middle {inner} x {inner} pixels, "
            f"{preprocess['interpolation']})")


LONG_TEXTS = {"start": "Of longer ones their start is read.", "ends": "Of longer ones their start and their end are read.",
              "windows": "Longer ones are read window by window."}
PIPELINE = """
## With transformers

The folder is also one that transformers opens (`pip install torch transformers`), with the same probabilities:

```python
from transformers import pipeline
ask = pipeline("text-classification", model=".", top_k=None, truncation=True)
print(ask("a text"))
```
"""
ONLY_START = """
Of texts with more than {n} tokens this way reads the start alone; `predict.py` reads them as in training.
"""
NO_PIPELINE = """
transformers can't open this folder by itself: the network is used through its `predict.py`.
"""


def _text_prepared(preprocess: Mapping[str, Any]) -> str:
    n_tokens = preprocess["max_tokens"]
    return (f"a text exactly as it was prepared in training (at most {n_tokens} tokens, which are words or parts of words). " + LONG_TEXTS[preprocess["long_texts"]]).removesuffix(".")


def _text_elsewhere(about: Mapping[str, Any], files: Sequence[str]) -> str:
    how, n_tokens = about["preprocess"]["long_texts"], about["preprocess"]["max_tokens"]
    if "config.json" not in files:
        return NO_PIPELINE
    return PIPELINE + ("" if how == "start" else ONLY_START.format(n=n_tokens))


KINDS: dict[str, Kind] = {row.task: row for row in (
    Kind("image", "file", "core.bundle.predict", "core.bundle.of_pictures", ("torch", "torchvision", "pillow", "safetensors"),
         "python predict.py picture.jpg",
         "labels, how pictures are prepared, scores: everything a program needs",
         "answers for any picture; it needs only {libraries}",
         Words(does="looks at a picture", example='"picture.jpg"',
               usage="Give several pictures at once, `--top 5` for more labels, `--json` for output that programs can read.",
               prepared=_picture_prepared, item="picture", items="pictures",
               limits=("A sure answer is no proof. Pictures unlike those it learned from (other light, another camera or background) are "
                       "answered worse.",
                       "It is only as fair as the pictures it learned from. Where a wrong answer would hurt somebody, let a person decide.")),
         builder_libraries={"transformers": ("transformers",), "timm": ("transformers", "timm")}),
    Kind("text", "text", "core.bundle.predict_text", "core.bundle.of_texts", ("torch", "tokenizers", "safetensors"),
         'python predict.py "a text"',
         "labels, how texts are read, scores: everything a program needs",
         "answers for any text; it needs only {libraries}",
         Words(does="reads a text", example='"a text"',
               usage="Give several texts at once, or `--file texts.txt` with a text on each line; `--top 5` for more labels, `--json` for "
                     "output that programs can read.",
               prepared=_text_prepared, item="text", items="texts", elsewhere=_text_elsewhere,
               limits=("A sure answer is no proof. Texts unlike those it learned from (another language, another subject, other authors) "
                       "are answered worse.",
                       "It is only as fair as the texts it learned from. Where a wrong answer would hurt somebody, let a person decide.")),
         (Companion("tokenizer.json", "how texts are cut into tokens", 256 << 20, needed=True),
          Companion("config.json", "what the library transformers needs to open this folder by itself", 16 << 20, needed=False),
          Companion("tokenizer_config.json", "the same for its tokenizer", 16 << 20, needed=False)),
         {"transformers": ("transformers",)}),
)}
