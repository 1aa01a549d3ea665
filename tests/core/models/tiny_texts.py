"""Networks of texts of every kind, far smaller than any that is published, with random weights."""
from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from core.models.answers import Answers
from core.models.blocks import Network, State
from core.models.rows import Pooling, TextInput
from core.models.texts.architecture import rebuild
from core.models.texts.build import described
from core.models.texts.family import blocks_of

N_OUTPUTS = 3
VOCABULARY = 40
SMALL = {"vocab_size": VOCABULARY, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 24,
         "max_position_embeddings": 48}
CONFIGS: dict[str, dict[str, Any]] = {
    "bert": {"model_type": "bert", **SMALL},
    "roberta": {"model_type": "roberta", "pad_token_id": 1, **SMALL},
    "xlm-roberta": {"model_type": "xlm-roberta", "pad_token_id": 1, **SMALL},
    "camembert": {"model_type": "camembert", "pad_token_id": 1, **SMALL},
    "electra": {"model_type": "electra", "embedding_size": 8, **SMALL},
    "distilbert": {"model_type": "distilbert", "vocab_size": VOCABULARY, "dim": 16, "n_layers": 3, "n_heads": 2, "hidden_dim": 24,
                   "max_position_embeddings": 48},
    "albert": {"model_type": "albert", "embedding_size": 8, "hidden_dropout_prob": 0.1, **SMALL},
    "albert-groups": {"model_type": "albert", "embedding_size": 8, **SMALL, "num_hidden_layers": 4, "num_hidden_groups": 2},
    "mpnet": {"model_type": "mpnet", "pad_token_id": 1, "relative_attention_num_buckets": 32, **SMALL},
    "deberta-v2": {"model_type": "deberta-v2", "relative_attention": True, "position_buckets": 8, "norm_rel_ebd": "layer_norm",
                   "share_att_key": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False, "conv_kernel_size": 3, **SMALL},
    "deberta-v3": {"model_type": "deberta-v2", "relative_attention": True, "position_buckets": 8, "norm_rel_ebd": "layer_norm",
                   "share_att_key": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False, **SMALL},
    "gpt2": {"model_type": "gpt2", "vocab_size": VOCABULARY, "n_embd": 16, "n_layer": 5, "n_head": 2, "n_positions": 48, "bos_token_id": 39,
             "eos_token_id": 39},
}
CASES: dict[str, tuple[str, Pooling, bool]] = {
    **{kind: (kind, "last" if kind == "gpt2" else "first", True) for kind in CONFIGS},
    **{f"{kind}, mean": (kind, "mean", False) for kind in ("bert", "deberta-v3", "gpt2")},
    "bert, last": ("bert", "last", False),
}
"""Config, pooling and whether the class is transformers' own for labels."""


def plan_of(case: str, answers: Answers | None = None) -> dict[str, Any]:
    kind, pooling, native = CASES[case]
    return described(CONFIGS[kind], answers or Answers(N_OUTPUTS), TextInput(pooling=pooling, pipeline=native), kind)


def network_of(case: str, answers: Answers | None = None) -> Network:
    """All weights drawn widely, so that nothing that is left out would go unnoticed."""
    torch.manual_seed(7)
    model = rebuild(plan_of(case, answers))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return Network(model, blocks_of(model)).eval()


def ids_of(n: int, length: int, seed: int = 1) -> Tensor:
    """Token ids without those that stand for padding."""
    return torch.randint(2, VOCABULARY - 1, (n, length), generator=torch.Generator().manual_seed(seed))


def batch_of(ids: Tensor, lengths: list[int], pad: int, window: int = 0) -> tuple[State, Tensor]:
    """The texts with padding behind them, and the mask that says so."""
    mask = (torch.arange(ids.shape[1])[None] < torch.tensor(lengths)[:, None]).long()
    return State(torch.where(mask.bool(), ids, pad), torch.tensor(lengths), window), mask


def pad_of(model: nn.Module) -> int:
    return model.config.pad_token_id if hasattr(model, "config") else model.encoder.config.pad_token_id
