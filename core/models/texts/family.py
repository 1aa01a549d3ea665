"""Transformers' networks of texts as blocks: embeddings, one block a layer, pooling, head. Their layers are called as they call them.

Masks and distances are made from the items' lengths wherever a batch enters the network.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers.masking_utils import create_bidirectional_mask, create_causal_mask

from core.models.blocks import Block, State
from core.models.texts.architecture import Part, Pooled, averaged, cut, pool, scaled, tail_of, trunk_of, windows_of

GROUPS = 4
"""Into so many groups, at most, the layers are put by their depth."""


@dataclass(frozen=True, slots=True)
class Family:
    """How a kind of network is called. Paths begin at the trunk; those that a network lacks are left out.

    `embed(trunk, ids, mask)` gives the vectors that enter the first layer; `mask` (B, L) is None where all tokens are real.
    `attention(trunk, x, mask)` is what layers want to know of it. `layer(trunk, i, x, derived)` runs layer i; what it makes from the mask
    for all layers it finds in `derived`. `shared`: what all layers use, and the first block owns.
    """
    embeddings: tuple[str, ...]
    embed: Callable[[Any, Tensor, Tensor | None], Tensor]
    layers: str
    layer: Callable[[Any, int, Tensor, dict[str, Tensor]], Tensor]
    attention: Callable[[Any, Tensor, Tensor | None], Tensor | None]
    shared: tuple[str, ...] = ()
    final_norm: str = ""
    word: str = "encoder layer"


def look_up(trunk: Any, ids: Tensor, mask: Tensor | None) -> Tensor:
    return trunk.embeddings(input_ids=ids)


def look_up_and_widen(trunk: Any, ids: Tensor, mask: Tensor | None) -> Tensor:
    x = trunk.embeddings(input_ids=ids)
    return trunk.embeddings_project(x) if hasattr(trunk, "embeddings_project") else x


def albert_embed(trunk: Any, ids: Tensor, mask: Tensor | None) -> Tensor:
    return trunk.encoder.embedding_hidden_mapping_in(trunk.embeddings(input_ids=ids))


def deberta_embed(trunk: Any, ids: Tensor, mask: Tensor | None) -> Tensor:
    return trunk.embeddings(input_ids=ids, mask=torch.ones_like(ids) if mask is None else mask)


def gpt2_embed(trunk: Any, ids: Tensor, mask: Tensor | None) -> Tensor:
    return trunk.drop(trunk.wte(ids) + trunk.wpe(_positions(ids)))


def both_ways(trunk: Any, x: Tensor, mask: Tensor | None) -> Tensor | None:
    return create_bidirectional_mask(config=trunk.config, inputs_embeds=x, attention_mask=mask)


def backwards(trunk: Any, x: Tensor, mask: Tensor | None) -> Tensor | None:
    return create_causal_mask(config=trunk.config, inputs_embeds=x, attention_mask=mask, cache=None)


def pairs(trunk: Any, x: Tensor, mask: Tensor | None) -> Tensor:
    return trunk.encoder.get_attention_mask(torch.ones(x.shape[:2], device=x.device) if mask is None else mask)


def _positions(x: Tensor) -> Tensor:
    return torch.arange(x.shape[1], device=x.device)[None]


def bert_layer(trunk: Any, i: int, x: Tensor, derived: dict[str, Tensor]) -> Tensor:
    return trunk.encoder.layer[i](x, derived.get("attention"))


def distilbert_layer(trunk: Any, i: int, x: Tensor, derived: dict[str, Tensor]) -> Tensor:
    return trunk.transformer.layer[i](x, derived.get("attention"))


def albert_layer(trunk: Any, i: int, x: Tensor, derived: dict[str, Tensor]) -> Tensor:
    for _ in range(*_span(trunk, i)):
        x = trunk.encoder.albert_layer_groups[i](x, derived.get("attention"))
    return x


def mpnet_layer(trunk: Any, i: int, x: Tensor, derived: dict[str, Tensor]) -> Tensor:
    if "distances" not in derived:
        derived["distances"] = trunk.encoder.compute_position_bias(x)
    return trunk.encoder.layer[i](x, derived.get("attention"), derived["distances"])[0]


def deberta_layer(trunk: Any, i: int, x: Tensor, derived: dict[str, Tensor]) -> Tensor:
    """With its own distances between tokens (He et al. 2021, arXiv:2006.03654); a convolution may stand beside the first layer."""
    encoder = trunk.encoder
    if encoder.relative_attention and "distances" not in derived:
        derived["distances"], derived["relative"] = encoder.get_rel_pos(x), encoder.get_rel_embedding()
    y = encoder.layer[i](x, derived["attention"], relative_pos=derived.get("distances"), rel_embeddings=derived.get("relative"))[0]
    if i or encoder.conv is None:
        return y
    return encoder.conv(x, y, derived["mask"] if "mask" in derived else torch.ones(x.shape[:2], device=x.device))


def gpt2_layer(trunk: Any, i: int, x: Tensor, derived: dict[str, Tensor]) -> Tensor:
    return trunk.h[i](x, None, derived.get("attention"), use_cache=False)


BERT = Family(("embeddings",), look_up, "encoder.layer", bert_layer, both_ways)
FAMILIES: dict[str, Family] = {
    "bert": BERT, "roberta": BERT, "xlm-roberta": BERT, "camembert": BERT,
    "electra": Family(("embeddings", "embeddings_project"), look_up_and_widen, "encoder.layer", bert_layer, both_ways),
    "distilbert": Family(("embeddings",), look_up, "transformer.layer", distilbert_layer, both_ways),
    "albert": Family(("embeddings", "encoder.embedding_hidden_mapping_in"), albert_embed, "encoder.albert_layer_groups", albert_layer, both_ways),
    "mpnet": Family(("embeddings",), look_up, "encoder.layer", mpnet_layer, both_ways, shared=("encoder.relative_attention_bias",)),
    "deberta-v2": Family(("embeddings",), deberta_embed, "encoder.layer", deberta_layer, pairs,
                         shared=("encoder.rel_embeddings", "encoder.LayerNorm", "encoder.conv")),
    "gpt2": Family(("wte", "wpe", "drop"), gpt2_embed, "h", gpt2_layer, backwards, final_norm="ln_f", word="decoder layer"),
}
"""By the model_type of config.json."""


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Token ids (B, L) -> (B, L, D). Like all steps here it looks modules up at each call, so that a copied or adapted model runs its own."""
    model: nn.Module
    family: Family

    def __call__(self, state: State) -> State:
        trunk = trunk_of(self.model)
        return on_windows(state, lambda ids: self.family.embed(trunk, ids, state.derived.get("mask")))


@dataclass(frozen=True, slots=True)
class Layer:
    """(B, L, D) -> (B, L, D)."""
    model: nn.Module
    family: Family
    i: int

    def __call__(self, state: State) -> State:
        return on_windows(state, lambda x: self.run(x, state.derived))

    def run(self, x: Tensor, derived: dict[str, Tensor]) -> Tensor:
        trunk = trunk_of(self.model)
        if "attention" not in derived:
            made = self.family.attention(trunk, x, derived.get("mask"))
            if made is not None:
                derived["attention"] = made
        return self.family.layer(trunk, self.i, x, derived)


@dataclass(frozen=True, slots=True)
class FinalNorm:
    """(B, L, D) -> (B, L, D), each token by itself."""
    model: nn.Module
    path: str

    def __call__(self, state: State) -> State:
        return state.then(self.model.get_submodule(self.path)(state.x))


@dataclass(frozen=True, slots=True)
class Pool:
    """(B, L, D) -> (B, D): one vector a window, then the mean of an item's windows."""
    model: nn.Module

    def __call__(self, state: State) -> State:
        look_at(state)
        pooling, mask, rows = self.model.pooling, state.derived.get("mask"), state.derived.get("rows")
        if rows is None:
            return State(pool(state.x, mask, pooling))
        each = pool(cut(state.x, state.window)[rows], mask, pooling)
        return State(averaged(each, rows // -(-state.x.shape[1] // state.window), len(state)))


@dataclass(frozen=True, slots=True)
class Tail:
    """(B, D) -> (B, …)."""
    model: nn.Module
    part: Part
    is_last: bool

    def __call__(self, state: State) -> State:
        x = self.part.run(self.model, state.x)
        return state.then(scaled(self.model, x) if self.is_last else x)


def pass_on(state: State) -> State:
    return state


def on_windows(state: State, step: Callable[[Tensor], Tensor]) -> State:
    """`step` on everything that is read together: the whole items, or each of their windows that holds a real token."""
    look_at(state)
    rows = state.derived.get("rows")
    if rows is None:
        return state.then(step(state.x))
    n, length = state.x.shape[:2]
    y = step(cut(state.x, state.window)[rows])  # (N, window, D)
    each = y.new_zeros(n * -(-length // state.window), *y.shape[1:]).index_copy(0, rows, y)
    return state.then(each.reshape(n, -1, *y.shape[2:])[:, :length])


def look_at(state: State) -> None:
    """Find out once which tokens are real (`mask`, as many rows as are read together) and, with windows, which of these are (`rows`)."""
    windows = state.window and state.x.shape[1] > state.window
    if "mask" in state.derived or state.lengths is None and not windows:
        return
    length = state.x.shape[1]
    lengths = torch.full((len(state),), length, device=state.x.device) if state.lengths is None else state.lengths.to(state.x.device).clamp(min=1)
    mask = (torch.arange(length, device=state.x.device)[None] < lengths[:, None]).long()
    if windows:
        mask, state.derived["rows"] = windows_of(mask, state.window)
    state.derived["mask"] = mask


def blocks_of(model: nn.Module, gone: tuple[str, ...] = ()) -> tuple[Block, ...]:
    """The blocks of a network that `architecture.rebuild` made. `gone`: blocks between pooling and head that it has no longer, since another
    head stands in their place: they only pass on."""
    trunk, prefix = trunk_of(model), "encoder" if isinstance(model, Pooled) else model.base_model_prefix
    family = FAMILIES[trunk.config.model_type]

    def here(paths: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{prefix}.{path}" for path in paths if _has(trunk, path))
    layers, tail = tuple(_layers(model, family, here)), tail_of(model)
    norm = here((family.final_norm,)) if family.final_norm else ()
    return (
        Block("embeddings", "embeddings", here(family.embeddings), Embeddings(model, family), lookup=True),
        *layers,
        *(Block("final norm", layers[-1].group, (path,), FinalNorm(model, path)) for path in norm),
        Block("pool", "head", (), Pool(model)),
        *(Block(name, "head", (), pass_on) for name in gone),
        *(Block(part.name, "head", part.modules, Tail(model, part, part is tail[-1])) for part in tail),
    )


def _layers(model: nn.Module, family: Family, here: Callable[[tuple[str, ...]], tuple[str, ...]]) -> Iterator[Block]:
    trunk = trunk_of(model)
    n = len(trunk.get_submodule(family.layers))
    size = -(-n // GROUPS)
    for i in range(n):
        first, _ = _span(trunk, i - i % size)
        _, last = _span(trunk, min(i - i % size + size, n) - 1)
        start, stop = _span(trunk, i)
        group = f"layers {first + 1}–{last}" if last - first > 1 else f"layer {last}"
        name = f"layers {start + 1}–{stop}" if stop - start > 1 else f"{family.word} {stop}"
        yield Block(name, group, here((f"{family.layers}.{i}", *(family.shared if i == 0 else ()))), Layer(model, family, i))


def _span(trunk: nn.Module, i: int) -> tuple[int, int]:
    """The layers that unit i of the list of layers stands for, counted from 0: several where layers share their weights."""
    config = trunk.config
    n_units = getattr(config, "num_hidden_groups", config.num_hidden_layers)
    owners = [int(layer / (config.num_hidden_layers / n_units)) for layer in range(config.num_hidden_layers)]
    return owners.index(i), owners.index(i) + owners.count(i)


def _has(module: nn.Module, path: str) -> bool:
    try:
        module.get_submodule(path)
    except AttributeError:
        return False
    return True
