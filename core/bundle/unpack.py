"""The two files that every bundle has: bundle.json, which says what it is, and model.safetensors, which holds what was learned.

A bundle carries a copy of these functions in its `predict.py`. For that reason it imports nothing of ours, and no
`from __future__`, which could not stand in the middle of another file.
"""
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

FORMAT = 1
"""Version of bundle.json that this file reads."""


class Refusal(ValueError):
    """`reason` is an English sentence with placeholders that `params` fill, so that it can be translated first."""

    def __init__(self, reason: str, **params: object) -> None:
        self.reason, self.params = reason, params
        super().__init__(reason.format(**params))


class BundleError(Refusal):
    """A bundle that can't be loaded."""


def described(folder: Path) -> dict[str, Any]:
    """What bundle.json says. Raises `BundleError` when it is missing, broken or made by a newer version."""
    path = folder / "bundle.json"
    if not path.is_file():
        raise BundleError("{name} is missing.", name=path.name)
    try:
        about = json.loads(path.read_bytes())
        version = about["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError("{name} is damaged.", name=path.name) from error
    if version != FORMAT:
        raise BundleError("It has format {version}; this program reads format {known}.", version=version, known=FORMAT)
    return about


def restored(folder: Path, about: dict[str, Any], rebuild: Callable[[dict[str, Any]], nn.Module]) -> nn.Module:
    """The network of a bundle: float32, in eval mode, for asking only. `rebuild` makes it from `about["architecture"]`, with any weights.

    Raises `BundleError` when it can't be made or its weights are missing, damaged or those of another network.
    """
    path = folder / "model.safetensors"
    if not path.is_file():
        raise BundleError("{name} is missing.", name=path.name)
    try:
        module = rebuild(about["architecture"])
    except ImportError as error:
        raise BundleError("It needs the library {name}, which is not installed.", name=error.name or str(error)) from error
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise BundleError("{name} is damaged.", name="bundle.json") from error
    try:
        module.load_state_dict(load_file(path))
    except SafetensorError as error:
        raise BundleError("{name} is damaged.", name=path.name) from error
    except RuntimeError as error:
        raise BundleError("The weights do not fit the network that bundle.json describes.") from error
    return module.float().eval().requires_grad_(False)
