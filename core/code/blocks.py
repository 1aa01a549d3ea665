"""Which modules of a network a block of the freeze map stands for. Torch-free."""
from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from core.models.answers import Answers
from core.models.heads import is_plain, replaced
from core.models.pictures.describe import architecture
from core.models.rows import Adapter, ModelRow, TextInput
from core.models.texts.configs import config_of

TABLE = Path(__file__).with_name("modules.json")
"""Of networks of pictures, by the key of a row: written by `tools/make_block_modules.py`."""
LAYER = re.compile(r"(en|de)coder layer \d+|layers \d+–\d+")


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
    """By block, in the order of the network: paths of modules, or of parameters that hang on none; empty for what only computes."""
    return MODULES[row.adapter](row, answers)


def of_pictures(row: ModelRow, answers: Answers) -> dict[str, tuple[str, ...]]:
    found = {name: tuple(paths) for name, paths in _table()[row.network].items()}
    gone = replaced(row, answers.head)
    head = {"head": (architecture(row, answers)["head"]["path"],)} if gone else {}
    return found | dict.fromkeys(gone, ()) | head


def of_texts(row: ModelRow, answers: Answers) -> dict[str, tuple[str, ...]]:
    known, native = TEXTS[kind_of(row)], is_native(row, answers)
    base = known.base if native else "encoder"
    layers = [block.name for block in row.blocks if LAYER.fullmatch(block.name)]

    def inside(*paths: str) -> tuple[str, ...]:
        return tuple(f"{base}.{path}" for path in paths)
    named = {"embeddings": inside(*known.embeddings), "final norm": inside(*known.final_norm), "pool": (),
             "pooler": known.pooler if native else (), "head": known.head if native else ("head",)}
    named |= {name: inside(f"{known.layers}.{i}", *(known.shared if i == 0 else ())) for i, name in enumerate(layers)}
    return {block.name: named[block.name] for block in row.blocks}


MODULES: dict[Adapter, Callable[[ModelRow, Answers], dict[str, tuple[str, ...]]]] = {"torchvision": of_pictures, "transformers": of_texts}


def kind_of(row: ModelRow) -> str:
    """The model_type of a network of texts. Raises `ModelError` where its config.json is not known."""
    return config_of(row)["model_type"]


def is_native(row: ModelRow, answers: Answers) -> bool:
    """Whether transformers' own class for labels is used, or its trunk with a head of ours."""
    assert isinstance(row.input, TextInput)
    return row.input.pipeline and is_plain(answers.head)


@cache
def _table() -> dict[str, dict[str, list[str]]]:
    return json.loads(TABLE.read_text(encoding="utf-8"))
