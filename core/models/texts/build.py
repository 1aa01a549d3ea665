"""Models of the Hugging Face Hub as networks that are ready to be fine-tuned on texts."""
from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModel

from core.errors import ModelError
from core.models.answers import Answers, as_answers
from core.models.blocks import Network
from core.models.heads import HEAD_STD, is_plain, layers, replaced
from core.models.hub.checkpoint import CONFIG
from core.models.hub.convert import converted
from core.models.hub.fetch import Progress
from core.models.hub.fetch import of_row as fetch
from core.models.hub.state import load_pretrained
from core.models.randomness import own_randomness
from core.models.rows import ModelRow, TextInput
from core.models.texts.architecture import rebuild, tail_of, trunk_of, without_pooler
from core.models.texts.configs import config_of
from core.models.texts.family import FAMILIES, blocks_of

LEFT_OUT = ("_name_or_path", "architectures", "auto_map", "dtype", "torch_dtype", "transformers_version", "id2label", "label2id", "problem_type",
            "_attn_implementation", "attn_implementation", "gradient_checkpointing", "finetuning_task", "task_specific_params")
"""What a published config says of itself, its task and its files, and not of the network."""
AS_HERE = {"is_decoder": False, "add_cross_attention": False, "use_cache": False, "output_hidden_states": False, "output_attentions": False,
           "return_dict": True}


def build(row: ModelRow, answers: Answers | int, seed: int, pretrained: bool, progress: Progress | None, store: Path | None) -> Network:
    """As `core.models.build.build`; token ids (B, L) with their lengths. Pickled weights are converted into `store` first."""
    found = fetch(row, progress) if pretrained else None
    plan = architecture(row, answers)
    with own_randomness(seed):
        model = rebuild(plan)
        if found:
            _load(model, converted(found, store or Path(tempfile.gettempdir()) / "graft-models"))
    _start_head(model, seed)
    gone = replaced(row, as_answers(answers).head)
    return Network(model.train(), blocks_of(model, tuple(block.name for block in row.blocks if block.name in gone)))


def architecture(row: ModelRow, answers: Answers | int) -> dict[str, Any]:
    """What `architecture.rebuild` needs to make this network again, in plain JSON values (its module explains them).

    It follows the row's config.json where that is on this machine, else what is known of a row of the catalog. Raises `ModelError` where
    neither is there, and for a network that Graft has no blocks for.
    """
    assert isinstance(row.input, TextInput)
    return described(config_of(row), as_answers(answers), row.input, row.title)


def described(values: dict[str, Any], answers: Answers, reads: TextInput, title: str) -> dict[str, Any]:
    """The architecture for the values of a config.json. `title`: what errors call the model."""
    kind = values.get("model_type")
    if kind not in FAMILIES:
        raise ModelError("{model} can't be fine-tuned here.", "It is a network of the kind “{kind}”, which Graft does not know.",
                         "Choose one of these kinds: {kinds}.", model=title, kind=str(kind)[:80], kinds=", ".join(FAMILIES))
    if values.get("position_embedding_type", "absolute") != "absolute":
        raise ModelError("{model} can't be fine-tuned here.", "Its positions are of a kind that is no longer supported ({kind}).",
                         "Choose another model.", model=title, kind=str(values["position_embedding_type"])[:80])
    kept = {key: value for key, value in values.items() if key not in (*LEFT_OUT, *AS_HERE, "model_type", "num_labels")}
    try:
        config = AutoConfig.for_model(kind, num_labels=answers.n_outputs, **kept)
    except Exception as error:  # its checks are many, and all of them mean this
        raise ModelError("The {file} of {model} can't be used.", "{problem}", "Download the model again as a whole, or choose another one.",
                         file=CONFIG, model=title, problem=(str(error).strip() or type(error).__name__).splitlines()[0][:300]) from error
    known = {key: value for key, value in AS_HERE.items() if hasattr(config, key)}
    said = {key: value for key, value in config.to_dict().items() if key not in LEFT_OUT} | known | {"num_labels": answers.n_outputs}
    if config.pad_token_id is None:  # padding is masked, so any token will do; by its own the last token of a text is found
        said["pad_token_id"] = config.eos_token_id if config.eos_token_id is not None else 0
    head, plain = answers.head, is_plain(answers.head)
    layers_of_head = {} if plain else {"head": layers(head, config.hidden_size, answers.n_outputs)}
    return {"builder": "transformers", "config": json.loads(json.dumps(said)), "pooling": reads.pooling if head.pooling == "own" else head.pooling,
            "native": reads.pipeline and plain, **layers_of_head, "scale": None if answers.std is None else [answers.mean, answers.std]}


def _load(model: nn.Module, weights: tuple[Path, ...]) -> None:
    """Put the published trunk in the place of the random one."""
    trunk = trunk_of(model)
    loaded = load_pretrained(AutoModel, trunk.config, weights).model
    if getattr(trunk, "pooler", None) is None:
        without_pooler(loaded)
    setattr(model, next(name for name, child in model.named_children() if child is trunk), loaded)


def _start_head(model: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    linear = [module for path in tail_of(model)[-1].modules for module in model.get_submodule(path).modules() if isinstance(module, nn.Linear)]
    with torch.no_grad():
        linear[-1].weight.normal_(0.0, HEAD_STD, generator=generator)
        if linear[-1].bias is not None:
            linear[-1].bias.zero_()
