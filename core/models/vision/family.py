"""Networks of pictures from the hub as blocks: transformers' own by tables of their modules, timm's by following them (`chain`).

A trunk whose layers all look at the same places is put into groups by its depth; else a stage begins wherever a map gets smaller.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from math import isqrt

from torch import Tensor, nn

from core.models.blocks import Block
from core.models.pictures.family import Chain, Step
from core.models.vision.architecture import NORM_BEHIND_POOL, kind_of, normed, pooled
from core.models.vision.chain import Unit, units_of

GROUPS = 4
"""Into so many groups, at most, layers are put by their depth."""
TIMM = "trunk.timm_model"


def blocks_of(model: nn.Module) -> tuple[Block, ...]:
    """The blocks of a network that `architecture.rebuild_seeing` made."""
    trunk = tuple(TRUNKS[kind_of(model.trunk)](model))
    return (*trunk, *_tail(model, trunk))


# ---- transformers ----

def _tokens(layers: str, model: nn.Module) -> Iterator[Block]:
    """`layers`: where they hang in the trunk."""
    yield _block(model, "patches", "patches", "trunk.embeddings")
    paths = [f"trunk.{layers}.{i}" for i in range(len(model.trunk.get_submodule(layers)))]
    groups = _groups(len(paths))
    for i, path in enumerate(paths):
        yield _block(model, groups[i], f"encoder layer {i + 1}", path)
    yield _block(model, groups[-1], "final norm", "trunk.layernorm")


def _convnext(model: nn.Module) -> Iterator[Block]:
    yield _block(model, "stem", "stem", "trunk.embeddings")
    for number, stage in enumerate(model.trunk.encoder.stages, 1):
        group, path = f"stage {number}", f"trunk.encoder.stages.{number - 1}"
        if len(stage.downsampling_layer):
            yield _block(model, group, f"{group}, downsampling", *(f"{path}.downsampling_layer.{i}" for i in range(len(stage.downsampling_layer))))
        for i in range(len(stage.layers)):
            yield _block(model, group, f"{group}, block {i + 1}", f"{path}.layers.{i}")


def _resnet(model: nn.Module) -> Iterator[Block]:
    yield _block(model, "stem", "stem", "trunk.embedder")
    for number, stage in enumerate(model.trunk.encoder.stages, 1):
        for i in range(len(stage.layers)):
            yield _block(model, f"stage {number}", f"stage {number}, block {i + 1}", f"trunk.encoder.stages.{number - 1}.layers.{i}")


def _swin(model: nn.Module) -> Iterator[Block]:
    yield Block("stem", "stem", ("trunk.embeddings",), Chain(model, (_swin_patches,)))
    group = ""
    for number, stage in enumerate(model.trunk.encoder.layers, 1):
        group, path = f"stage {number}", f"trunk.encoder.layers.{number - 1}"
        for i in range(len(stage.blocks)):
            yield _on_square(model, group, f"{group}, block {i + 1}", f"{path}.blocks.{i}")
        if stage.downsample is not None:
            yield _on_square(model, f"stage {number + 1}", f"stage {number + 1}, downsampling", f"{path}.downsample")
    yield _block(model, group, "final norm", "trunk.layernorm")


def _swin_patches(model: nn.Module, x: Tensor) -> Tensor:
    return model.trunk.embeddings(x)[0]


def _on_square(model: nn.Module, group: str, name: str, path: str) -> Block:
    return Block(name, group, (path,), Chain(model, (partial(_with_sides, path),)))


def _with_sides(path: str, model: nn.Module, x: Tensor) -> Tensor:
    """(B, N, D) -> (B, N or N / 4, …). Swin's parts want to know the sides of the map, which is a square here."""
    side = isqrt(x.shape[1])
    given = model.get_submodule(path)(x, (side, side))
    return given if isinstance(given, Tensor) else given[0]


# ---- timm ----

def _timm(model: nn.Module) -> Iterator[Block]:
    """The steps that were found, named and grouped; what hangs on the trunk itself (a class token) belongs to the first."""
    net = model.trunk.timm_model
    units = units_of(net)
    if not any(unit.deep for unit in units):  # a plain list of convolutions
        units = [replace(unit, deep=True) for unit in units]
    named = _layers(units) if _is_even(units) else _stages(units)
    for i, (group, name, found) in enumerate(_merged(net, named)):
        loose = tuple(f"{TIMM}.{tensor}" for tensor, _ in net.named_parameters(recurse=False)) if i == 0 else ()
        steps, modules = _calls(found)
        yield Block(name, group, modules, Chain(model, steps), loose)


Named = tuple[str, str, list[Unit]]
"""Group, name and steps of a block."""


def _is_even(units: list[Unit]) -> bool:
    return len({unit.places for unit in units if unit.deep}) <= 1


def _layers(units: list[Unit]) -> Iterator[Named]:
    n = sum(unit.deep for unit in units)
    if n < 2:  # no chain, or nothing that could be told apart
        yield "trunk", "trunk", units
        return
    groups, i = _groups(n), 0
    for unit in units:
        if unit.deep:
            i += 1
            yield groups[i - 1], f"encoder layer {i}", [unit]
        else:
            yield (groups[i - 1], "final norm", [unit]) if i else ("patches", "patches", [unit])


def _stages(units: list[Unit]) -> Iterator[Named]:
    last = max(i for i, unit in enumerate(units) if unit.deep)
    stage, places, counts = 0, 0, dict[str, int]()
    for i, unit in enumerate(units):
        if not stage and not unit.deep:
            yield "stem", "stem", [unit]
            continue
        if not stage or unit.places < places:
            stage, counts = stage + 1, {}
        places = unit.places
        word = unit.word or ("block" if unit.deep else "layer" if i < last else "last convolution")
        counts[word] = counts.get(word, 0) + 1
        yield f"stage {stage}", f"stage {stage}, {word}" + (f" {counts[word]}" if word in ("block", "layer") else ""), [unit]


def _merged(net: nn.Module, blocks: Iterator[Named]) -> list[Named]:
    """Steps of one name are one block."""
    made: list[Named] = []
    for group, name, units in blocks:
        if made and made[-1][1] == name:
            made[-1][2].extend(units)
        else:
            made.append((group, name, units))
    group, name, units = made[-1]
    if name.endswith("last convolution") and all(weight.ndim == 1 for weight in _weights(net, units)):
        made[-1] = (group, "final norm", units)
    return made


def _weights(net: nn.Module, units: list[Unit]) -> list[nn.Parameter]:
    return [weight for unit in units for path in unit.owns for weight in net.get_submodule(path).parameters()]


def _calls(units: list[Unit]) -> tuple[tuple[Step, ...], tuple[str, ...]]:
    """The steps of a block, and the modules that it owns."""
    steps: list[Step] = []
    modules: list[str] = []
    for unit in units:
        paths = [f"{TIMM}.{path}" for path in unit.owns]
        steps += paths if unit.is_called else [SPECIAL_STEPS[unit.word]]
        modules += paths
    return tuple(steps), tuple(modules)


def _start(model: nn.Module, x: Tensor) -> Tensor:
    net = model.trunk.timm_model
    return net.norm_pre(net.patch_drop(net._pos_embed(net.patch_embed(x))))


def _whole(model: nn.Module, x: Tensor) -> Tensor:
    return model.trunk.timm_model.forward_features(x)


SPECIAL_STEPS: dict[str, Step] = {"start": _start, "whole": _whole}
"""By the word of a unit: what runs it."""


# ---- all ----

TRUNKS: dict[str, Callable[[nn.Module], Iterator[Block]]] = {
    "vit": partial(_tokens, "layers"), "deit": partial(_tokens, "layers"), "dinov2": partial(_tokens, "encoder.layer"),
    "dinov2_with_registers": partial(_tokens, "encoder.layer"), "convnext": _convnext, "convnextv2": _convnext, "resnet": _resnet,
    "swin": _swin, "swinv2": _swin, "timm_wrapper": _timm,
}
"""By the model_type of config.json: the blocks before the pooling."""


def _tail(model: nn.Module, trunk: tuple[Block, ...]) -> Iterator[Block]:
    """Pooling, what some networks have behind it, and the head. What is pretrained there belongs to the last group of the trunk."""
    last = trunk[-1].group
    behind = _behind(model, trunk) if kind_of(model.trunk) == "timm_wrapper" else ()
    is_normed = kind_of(model.trunk) in NORM_BEHIND_POOL
    learns = is_normed or any(True for path in behind for _ in model.get_submodule(path).parameters())
    yield Block("pool", last if learns else "head", behind, Chain(model, (_pool,)))
    if is_normed:
        yield Block("final norm", last, ("trunk.layernorm",), Chain(model, (_norm,)))
    yield _block(model, "head", "head", "head")


def _behind(model: nn.Module, trunk: tuple[Block, ...]) -> tuple[str, ...]:
    """Paths of what a network of timm has besides its trunk's blocks: it acts in `forward_head`, if at all."""
    taken = [path for block in trunk for path in block.modules]
    children = [f"{TIMM}.{name}" for name, child in model.trunk.timm_model.named_children() if any(True for _ in child.parameters())]
    return tuple(free for child in children for free in _free(model, child, taken))


def _free(model: nn.Module, path: str, taken: list[str]) -> Iterator[str]:
    """The largest parts of a module that nobody has taken."""
    if any(path == other or path.startswith(f"{other}.") for other in taken):
        return
    if not any(other.startswith(f"{path}.") for other in taken):
        yield path
        return
    for name, child in model.get_submodule(path).named_children():
        if any(True for _ in child.parameters()):
            yield from _free(model, f"{path}.{name}", taken)


def _pool(model: nn.Module, x: Tensor) -> Tensor:
    return pooled(model.trunk, x, model.pooling)


def _norm(model: nn.Module, x: Tensor) -> Tensor:
    return normed(model.trunk, x)


def _block(model: nn.Module, group: str, name: str, *paths: str) -> Block:
    return Block(name, group, paths, Chain(model, paths))


def _groups(n: int) -> list[str]:
    """The group of each of n layers."""
    size = -(-n // GROUPS)
    spans = [(i - i % size + 1, min(i - i % size + size, n)) for i in range(n)]
    return [f"layers {first}–{last}" if last > first else f"layer {last}" for first, last in spans]
