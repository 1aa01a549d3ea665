"""Which modules of a network a block of the freeze map stands for. Torch-free."""
from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from core.errors import ModelError
from core.models.answers import Answers
from core.models.catalog import CATALOG
from core.models.heads import is_plain, replaced
from core.models.pictures.describe import architecture
from core.models.rows import Adapter, ModelRow, TextInput
from core.models.texts.configs import config_of

LAYER = re.compile(r"(en|de)coder layer \d+|layers \d+–\d+")
WRAPPED = "trunk.timm_model."
"""Where a network of timm hangs in the app; in a script it is the trunk itself."""
WORDS = {"word vectors": ("words",), "characters": ("characters",), "BiLSTM": ("reader",), "pool": (), "head": ("head",)}


@dataclass(frozen=True, slots=True)
class Paths:
    """Where transformers keeps the parts of a kind of network: paths within its trunk, which stands at `base` in the class for labels.
    `shared`: what all layers use and the first one owns. `head`: of the class for labels, the last block's; `pooler`: the block before."""
    base: str
    embeddings: tuple[str, ...] = ("embeddings",)
    layers: str = "encoder.layer"
    shared: tuple[str, ...] = ()
    final_norm: tuple[str, ...] = ()
    pooler: tuple[str, ...] = ()
    head: tuple[str, ...] = ("classifier",)


BEHIND_DROPOUT = ("dropout", "classifier")
TEXTS: dict[str, Paths] = {
    "bert": Paths("bert", pooler=("bert.pooler",), head=BEHIND_DROPOUT),
    "roberta": Paths("roberta"), "xlm-roberta": Paths("roberta"), "camembert": Paths("roberta"),
    "electra": Paths("electra", ("embeddings", "embeddings_project")),
    "distilbert": Paths("distilbert", layers="transformer.layer", head=("pre_classifier", "dropout", "classifier")),
    "albert": Paths("albert", ("embeddings", "encoder.embedding_hidden_mapping_in"), "encoder.albert_layer_groups",
                    pooler=("albert.pooler",), head=BEHIND_DROPOUT),
    "mpnet": Paths("mpnet", shared=("encoder.relative_attention_bias",)),
    "deberta-v2": Paths("deberta", shared=("encoder.rel_embeddings", "encoder.LayerNorm", "encoder.conv"),
                        head=("pooler", "dropout", "classifier")),
    "gpt2": Paths("transformer", ("wte", "wpe", "drop"), "h", final_norm=("ln_f",), head=("score",)),
}
"""By the model_type of config.json. A test compares them with the blocks that are trained."""


def modules_of(row: ModelRow, answers: Answers) -> dict[str, tuple[str, ...]]:
    """By block, in the order of the network: paths of modules, or of parameters that hang on none; empty for what only computes.

    Raises `ModelError` where they are not known."""
    return MODULES[row.adapter](row, answers)


def of_torchvision(row: ModelRow, answers: Answers) -> dict[str, tuple[str, ...]]:
    gone = replaced(row, answers.head)
    head = {"head": (architecture(row, answers)["head"]["path"],)} if gone else {}
    return _written_down(row) | dict.fromkeys(gone, ()) | head


def of_vision(row: ModelRow, answers: Answers) -> dict[str, tuple[str, ...]]:
    return {name: tuple(path.replace(WRAPPED, "trunk.") for path in paths) for name, paths in _written_down(row).items()}


def of_words(row: ModelRow, answers: Answers) -> dict[str, tuple[str, ...]]:
    return {block.name: WORDS[block.name] for block in row.blocks}


def of_transformers(row: ModelRow, answers: Answers) -> dict[str, tuple[str, ...]]:
    known, native = TEXTS[kind_of(row)], is_native(row, answers)
    base = known.base if native else "encoder"
    layers = [block.name for block in row.blocks if LAYER.fullmatch(block.name)]

    def inside(*paths: str) -> tuple[str, ...]:
        return tuple(f"{base}.{path}" for path in paths)
    named = {"embeddings": inside(*known.embeddings), "final norm": inside(*known.final_norm), "pool": (),
             "pooler": known.pooler if native else (), "head": known.head if native else ("head",)}
    named |= {name: inside(f"{known.layers}.{i}", *(known.shared if i == 0 else ())) for i, name in enumerate(layers)}
    return {block.name: named[block.name] for block in row.blocks}


MODULES: dict[Adapter, Callable[[ModelRow, Answers], dict[str, tuple[str, ...]]]] = {
    "torchvision": of_torchvision, "transformers": of_transformers, "words": of_words, "vision": of_vision}


def _written_down(row: ModelRow) -> dict[str, tuple[str, ...]]:
    """What was found out when the network was measured. Raises `ModelError` for a model that was added before that was kept."""
    blocks = CATALOG[row.network].blocks if row.network in CATALOG else row.blocks
    if not blocks[-1].modules:
        raise ModelError("There is no script for {model}.", "It was added by an earlier version of Graft, which kept less of its network.",
                         "Add it again on the Model page.", model=row.title)
    return {block.name: block.modules for block in blocks}


def kind_of(row: ModelRow) -> str:
    """The model_type of a network of texts. Raises `ModelError` where its config.json is not known."""
    return config_of(row)["model_type"]


def is_native(row: ModelRow, answers: Answers) -> bool:
    """Whether transformers' own class for labels is used, or its trunk with a head of ours."""
    assert isinstance(row.input, TextInput)
    return row.input.pipeline and is_plain(answers.head)
