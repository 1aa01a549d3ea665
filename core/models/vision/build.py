"""Image classifiers and backbones of the Hugging Face Hub, timm's too, as networks that are ready to be fine-tuned."""
from __future__ import annotations

import difflib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn
from transformers import AutoModel

from core.errors import ModelError
from core.models.answers import Answers, as_answers
from core.models.blocks import Network
from core.models.heads import HEAD_STD, features, layers
from core.models.hub.checkpoint import CONFIG
from core.models.hub.convert import converted
from core.models.hub.fetch import Progress
from core.models.hub.fetch import of_row as fetch
from core.models.hub.state import load_pretrained
from core.models.randomness import own_randomness
from core.models.rows import ModelRow
from core.models.vision.architecture import prepared_trunk, rebuild_seeing, trunk_config
from core.models.vision.configs import TIMM, config_of, model_type
from core.models.vision.family import TRUNKS, blocks_of

LEFT_OUT = ("_name_or_path", "architectures", "auto_map", "dtype", "torch_dtype", "transformers_version", "id2label", "label2id", "label_names",
            "num_classes", "num_labels", "problem_type", "_attn_implementation", "attn_implementation", "gradient_checkpointing",
            "finetuning_task", "task_specific_params", "out_features", "out_indices", "stage_names")
"""What a published config says of itself, its task and its files, and not of the network."""
SHOWN = {TIMM: "timm"}
AS_HERE = {"output_hidden_states": False, "output_attentions": False, "return_dict": True}


def build(row: ModelRow, answers: Answers | int, seed: int, pretrained: bool, progress: Progress | None, store: Path | None) -> Network:
    """As `core.models.build.build`; pictures (B, 3, H, W). Pickled weights are converted into `store` first."""
    found = fetch(row, progress) if pretrained else None
    plan = architecture(row, answers)
    with own_randomness(seed):
        model = rebuild_seeing(plan)
        if found:
            weights = converted(found, store or Path(tempfile.gettempdir()) / "graft-models")
            model.trunk = prepared_trunk(load_pretrained(AutoModel, model.trunk.config, weights).model, model.pooling)
    _start_head(model.head, seed)
    return Network(model.train(), blocks_of(model))


def architecture(row: ModelRow, answers: Answers | int) -> dict[str, Any]:
    """What `architecture.rebuild_seeing` needs to make this network again, in plain JSON values (its module explains them).

    It follows the row's config.json where that is on this machine, else what is known of a row of the catalog. Raises `ModelError` where
    neither is there, and for a network that Graft has no blocks for.
    """
    answers = as_answers(answers)
    head = answers.head
    flat = [["Flatten", 1]] if head.pooling == "flatten" else []
    behind = [*flat, *layers(head, features(row, head, answers.side), answers.n_outputs), *answers.tail()]
    return described(plain_config(config_of(row), row.title), head.pooling, behind)


def described(config: dict[str, Any], pooling: str, head: list[list[Any]]) -> dict[str, Any]:
    return {"builder": "timm" if config["model_type"] == TIMM else "transformers", "config": config, "pooling": pooling, "head": head}


def plain_config(values: dict[str, Any], title: str) -> dict[str, Any]:
    """The values of a config.json that say how the network looks. `title`: what errors call the model. Raises `ModelError`."""
    kind = model_type(values)
    if kind not in TRUNKS:
        raise ModelError("{model} can't be fine-tuned here.", "It is a network of the kind “{kind}”, which Graft does not know.",
                         "Choose one of these kinds: {kinds}.", model=title, kind=kind[:80], kinds=", ".join(SHOWN.get(known, known) for known in TRUNKS))
    return PLAIN.get(kind, _plain)(values, kind, title)


def _plain(values: dict[str, Any], kind: str, title: str) -> dict[str, Any]:
    kept = {key: value for key, value in values.items() if key not in (*LEFT_OUT, *AS_HERE, "model_type")}
    if kept.get("num_channels", 3) != 3:
        raise ModelError("{model} can't be fine-tuned here.", "It looks at pictures with {n} channels, and Graft shows it three: red, green and blue.",
                         "Choose another model.", model=title, n=kept["num_channels"])
    config = _library_config({"model_type": kind, **kept}, title)
    said = {key: value for key, value in config.to_dict().items() if key not in LEFT_OUT} | AS_HERE
    return json.loads(json.dumps(said))


def _plain_timm(values: dict[str, Any], kind: str, title: str) -> dict[str, Any]:
    name = str(values["architecture"])
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=3, cutoff=0.6)
        raise ModelError("{model} can't be fine-tuned here.", "timm {version} knows no network called “{name}”.",
                         "The nearest names are: {near}." if near else "Choose another model.", model=title, version=timm.__version__,
                         name=name[:80], near=", ".join(near))
    said = {"model_type": kind, "architecture": name, "do_pooling": False}
    said |= {"model_args": values["model_args"]} if values.get("model_args") else {}
    _library_config(said, title)
    return said


PLAIN: dict[str, Callable[[dict[str, Any], str, str], dict[str, Any]]] = {TIMM: _plain_timm}


def _library_config(values: dict[str, Any], title: str) -> Any:
    try:
        return trunk_config(values)
    except Exception as error:  # its checks are many, and all of them mean this
        raise ModelError("The {file} of {model} can't be used.", "{problem}", "Download the model again as a whole, or choose another one.",
                         file=CONFIG, model=title, problem=(str(error).strip() or type(error).__name__).splitlines()[0][:300]) from error


def _start_head(head: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    last = [module for module in head.modules() if isinstance(module, nn.Linear)][-1]
    with torch.no_grad():
        last.weight.normal_(0.0, HEAD_STD, generator=generator)
        last.bias.zero_()
