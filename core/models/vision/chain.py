"""How a network of timm calls its parts, found out by watching one picture pass: which modules follow each other with nothing in between.

timm knows a thousand networks, and most are chains: what one part gives is what the next one takes, the very same tensor. Of vision
transformers, which put their class token between patches and layers, that beginning is one step. What is no chain is a step as a whole.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

SIDE = 224
"""Of the picture in pixels, where a network does not say its own."""
LONG = 6
"""A list of more single layers than this is opened; shorter ones are a step."""
STARTS = ("stem", "patch_embed")
SHRINKS = ("downsample", "transition", "reduction", "merg")


@dataclass(frozen=True, slots=True)
class Unit:
    """One step of a trunk. `owns`: its modules, as paths from there. `places`: at how many places of the picture its output looks. `deep`:
    it is a residual block or a layer, and not a single convolution or normalisation. `word`: "downsampling"; or of what can't be run by
    calling its modules: "start", the beginning of a vision transformer, and "whole", a trunk that is no chain."""
    owns: tuple[str, ...]
    places: int
    deep: bool
    word: str = ""

    @property
    def is_called(self) -> bool:
        return self.word not in ("start", "whole")


@dataclass(slots=True)
class _Call:
    """A module that was called, what it was given and what it gave; `plain`: with nothing but that."""
    path: str
    given: Any
    plain: bool
    gave: Any = None
    inside: list[_Call] = field(default_factory=list)


def units_of(net: nn.Module) -> list[Unit]:
    """The steps of `net.forward_features` in order; one with everything where they are no chain."""
    root = _watched(net)
    found = _chain(root)
    start: list[Unit] = []
    if found is None and _is_transformer(root):
        start = [Unit(tuple(call.path for call in root.inside[:4]), _places(root.inside[3].gave), False, "start")]
        found = _chain(_Call("", root.inside[3].gave, True, root.gave, root.inside[4:]))
    if found is None:
        return [Unit(tuple(dict.fromkeys(call.path.partition(".")[0] for call in root.inside)), 0, True, "whole")]
    return _joined(net, [*start, *(unit for call in found for unit in _opened(net, call))])


def _watched(net: nn.Module) -> _Call:
    """The calls of one picture's way, each inside the one that made it."""
    side = _side(net)
    picture = torch.zeros(1, 3, side, side, device=next(net.parameters()).device)
    root = _Call("", picture, True)
    under_way, modes, handles = [root], {module: module.training for module in net.modules()}, []

    def enter(path: str) -> Any:
        def hook(module: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
            call = _Call(path, given[0] if given else None, len(given) == 1 and not named)
            under_way[-1].inside.append(call)
            under_way.append(call)
        return hook

    def leave(module: nn.Module, given: tuple[Any, ...], gave: Any) -> None:
        under_way.pop().gave = gave
    for path, module in net.named_modules():
        if path:
            handles += [module.register_forward_pre_hook(enter(path), with_kwargs=True), module.register_forward_hook(leave)]
    try:
        with torch.no_grad():
            root.gave = net.eval().forward_features(picture)
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes.items():
            module.training = training
    return root


def _side(net: nn.Module) -> int:
    size = getattr(getattr(net, "patch_embed", None), "img_size", None)
    return size[0] if size else (getattr(net, "pretrained_cfg", None) or {}).get("input_size", (3, SIDE, SIDE))[-1]


def _chain(call: _Call) -> list[_Call] | None:
    """The calls inside this one, if each takes what the one before it gave and nothing else happens; else None."""
    x = call.given
    for inner in call.inside:
        if inner.given is not x or not inner.plain or not isinstance(inner.gave, Tensor):
            return None
        x = inner.gave
    paths = {inner.path for inner in call.inside}
    return call.inside if call.inside and x is call.gave and len(paths) == len(call.inside) else None


def _is_transformer(root: _Call) -> bool:
    """Whether it begins as timm's VisionTransformer does: patches, class token and positions, then the layers."""
    return [call.path for call in root.inside[:4]] == ["patch_embed", "pos_drop", "patch_drop", "norm_pre"]


def _opened(net: nn.Module, call: _Call) -> Iterator[Unit]:
    """The call's own steps where it is a stage or a list, else the call as one."""
    module, inside = net.get_submodule(call.path), _chain(call)
    is_list = isinstance(module, nn.Sequential) or "Stage" in type(module).__name__
    if inside and is_list and not call.path.startswith(STARTS) and (
            any(_is_deep(net.get_submodule(inner.path)) for inner in inside) or len(inside) > LONG):
        for inner in inside:
            yield from _opened(net, inner)
    else:
        yield Unit((call.path,), _places(call.gave), _is_deep(module) and not call.path.startswith(STARTS),
                   "downsampling" if any(word in call.path for word in SHRINKS) else "")


def _joined(net: nn.Module, units: list[Unit]) -> list[Unit]:
    """Steps with nothing to learn become a part of the one before them."""
    made: list[Unit] = []
    for unit in units:
        if made and not any(True for path in unit.owns for _ in net.get_submodule(path).parameters()) and made[-1].is_called:
            made[-1] = replace(made[-1], owns=made[-1].owns + unit.owns)
        else:
            made.append(unit)
    return made


def _is_deep(module: nn.Module) -> bool:
    return sum(parameter.ndim > 1 for parameter in module.parameters()) > 1


def _places(x: Tensor) -> int:
    """(B, N, D), (B, C, h, w) or (B, h, w, C)."""
    if x.ndim == 3:
        return x.shape[1]
    return x.shape[1] * x.shape[2] if x.shape[1] == x.shape[2] != x.shape[3] else x.shape[2] * x.shape[3]
