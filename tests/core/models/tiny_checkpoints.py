"""Whole models of transformers in folders, tiny and with random weights, as they are published: config, weights, tokenizer."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import AutoConfig, AutoModel, PreTrainedModel

from tests.core.models.tiny_texts import CONFIGS, VOCABULARY


def saved(folder: Path, kind: str = "bert", *, dtype: torch.dtype = torch.float32, n_tokens: int = VOCABULARY, **changed: Any) -> PreTrainedModel:
    """Write a tiny model of `kind` into `folder` and return it; `changed`: other values in its config."""
    values = {**CONFIGS[kind], **changed}
    torch.manual_seed(1)
    model = AutoModel.from_config(AutoConfig.for_model(values.pop("model_type"), **values)).to(dtype).eval()
    model.save_pretrained(folder)
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0, **{f"word{i}": i for i in range(1, n_tokens)}}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    return model
