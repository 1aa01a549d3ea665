"""What makes a bundle's folder one that `transformers.pipeline("text-classification")` opens."""
from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tokenizers import Tokenizer
from torch import nn

PROBLEMS = {"single_label": "single_label_classification", "multi_label": "multi_label_classification"}
"""What transformers calls the objectives that it knows and answers as Graft does."""


def pipeline_files(module: nn.Module, about: Mapping[str, Any], tokenizer: Tokenizer) -> dict[str, bytes]:
    """config.json and tokenizer_config.json by name; empty where transformers has no such network or answers such an objective otherwise.

    `about` is bundle.json. `module` is the network: where its architecture is `native` it is of transformers' own class for labels.
    """
    if not about["architecture"].get("native") or about["objective"] not in PROBLEMS:
        return {}
    config: dict[str, Any] = module.config.to_dict()
    pad = next((config[key] for key in ("pad_token_id", "eos_token_id") if isinstance(config.get(key), int)), None)
    config |= {
        "architectures": [type(module).__name__], "problem_type": PROBLEMS[about["objective"]], "pad_token_id": pad,
        "id2label": dict(enumerate(about["labels"])), "label2id": {label: i for i, label in enumerate(about["labels"])}, "dtype": "float32"}
    config.pop("_name_or_path", None)
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": about["preprocess"]["max_tokens"],
        "model_input_names": ["input_ids", "attention_mask"], "padding_side": "right", "truncation_side": "right",
        "clean_up_tokenization_spaces": False}
    if pad is not None and tokenizer.id_to_token(pad) is not None:
        settings["pad_token"] = tokenizer.id_to_token(pad)
    return {"config.json": _json(config), "tokenizer_config.json": _json(settings)}


def _json(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False, indent=1, default=str).encode("utf-8")
