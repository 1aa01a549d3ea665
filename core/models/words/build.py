"""Networks of word vectors as blocks: vectors, characters, reader, head."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from core.models.answers import Answers, as_answers
from core.models.blocks import Block, Network, State
from core.models.heads import HEAD_STD
from core.models.pictures.weights import Progress
from core.models.randomness import own_randomness
from core.models.rows import ModelRow
from core.models.words.architecture import WordNetwork, rebuild_words
from core.models.words.rows import CHARACTER_STD, CHARACTER_WIDTH, HEAD_DROPOUT, UNSPELLED, shape_of_row
from core.models.words.vectors import load_vectors, stem_of


def build(row: ModelRow, answers: Answers | int, seed: int, pretrained: bool, progress: Progress | None, store: Path | None) -> Network:
    """As `core.models.build.build`; token ids (B, L) with their lengths. Nothing is fetched or converted: the vectors lie ready."""
    with own_randomness(seed):
        model = rebuild_words(architecture(row, answers))
        assert isinstance(model, WordNetwork)
        with torch.no_grad():
            model.characters.weight.normal_(0.0, CHARACTER_STD)
            model.head[-1].weight.normal_(0.0, HEAD_STD)
            model.head[-1].bias.zero_()
            if pretrained:
                model.words.weight.copy_(load_vectors(stem_of(row)))
            else:
                model.words.weight.normal_(0.0, model.words.embedding_dim ** -0.5)
    return Network(model, blocks_of(model))


def fetch(row: ModelRow, progress: Progress | None) -> None:
    """Nothing: sets of word vectors are brought by their owners."""


def architecture(row: ModelRow, answers: Answers | int) -> dict[str, Any]:
    """What `rebuild_words` needs to make this network again, in plain JSON values."""
    (n_words, width, hidden), answers = shape_of_row(row), as_answers(answers)
    hidden_layer = {"width_before": answers.head.width, "dropout_before": answers.head.dropout} if answers.head.kind == "mlp" else {}
    return {"builder": "words", "n_words": n_words, "width": width, "buckets": row.input.ngram_buckets, "character_width": CHARACTER_WIDTH,
            "hidden": hidden, "n_outputs": answers.n_outputs, "dropout": HEAD_DROPOUT, "unspelled": UNSPELLED, "mean": answers.mean,
            "std": 1.0 if answers.std is None else answers.std, **hidden_layer}


def blocks_of(model: WordNetwork) -> tuple[Block, ...]:
    """The blocks look parts up in the model at each call, so that an adapted model runs its own ones."""
    def words(state: State) -> State:
        x, n = model.look_up(state.x, state.lengths)
        return State(x, n, derived={"ids": state.x, "lengths": state.lengths})

    def characters(state: State) -> State:
        state.derived["characters"] = model.spelled(state.derived["ids"], state.derived["lengths"])
        return state

    def reader(state: State) -> State:
        return state.then(model.in_order(state.x, state.lengths))

    def pool(state: State) -> State:
        return State(model.pooled(state.x, state.lengths, state.derived["characters"]))

    def head(state: State) -> State:
        return State(model.decided(state.x))

    def block(name: str, modules: tuple[str, ...], forward: Callable[[State], State], lookup: bool = False) -> Block:
        return Block(name, "head" if name == "pool" else name, modules, forward, lookup=lookup)
    reads = (block("BiLSTM", ("reader",), reader),) if any(True for _ in model.reader.parameters()) else ()
    return (block("word vectors", ("words",), words, lookup=True), block("characters", ("characters",), characters, lookup=True),
            *reads, block("pool", (), pool), block("head", ("head",), head))
