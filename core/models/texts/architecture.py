"""From a few JSON values to a network that reads texts, with torch and transformers alone.

A bundle carries the description and a copy of this very file's functions, so that what is trained here and what is taken
home are made by the same lines. For that reason it imports nothing of ours, and no `from __future__`, which could not
stand in the middle of another file.

    {"builder": "transformers",
     "config": {"model_type": "bert", "num_labels": 5, …},    what transformers makes the network from
     "pooling": "first",                                      how the tokens' vectors become one: "first", "mean", "last" or "max"
     "native": true,                                          transformers' own class for labels; else `Pooled`
     "head": [["Linear", 384, 5]],                            layers of the head of `Pooled`; missing: one linear layer
     "scale": [12.5, 3.0]}                                    or null: numbers of mean 0 and deviation 1 are brought to these

The names in the state dict are transformers'.
"""
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

ATTENTION: str | None = None
"""None: transformers' own choice, the fused kernel of PyTorch where a network has one. Measured on a processor with texts of 9 to 128 tokens
it is a quarter quicker than the plain sum, and padding changes a token's numbers by less than 3e-6 either way."""

NEVER = {"auto_map", "attn_implementation", "_attn_implementation", "_attn_implementation_internal", "quantization_config"}
"""By these a description could ask for program code from elsewhere."""


class Pooled(nn.Module):
    """Token ids (B, L) -> logits (B, n_outputs): the tokens' vectors become one, and the head decides.

    Made as sentence-transformers' models are (Reimers and Gurevych 2019, arXiv:1908.10084), but for their last step to length 1."""

    def __init__(self, encoder: nn.Module, pooling: str, head: nn.Module) -> None:
        super().__init__()
        self.encoder = without_pooler(encoder)
        self.pooling = pooling
        self.head = head

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        return self.head(pool(self.encoder(input_ids=input_ids, attention_mask=attention_mask)[0], attention_mask, self.pooling))


HEAD_LAYERS = {"Linear": nn.Linear, "ReLU": nn.ReLU, "Dropout": nn.Dropout}


def head_of(layers: list[list[Any]] | None, width: int, n_outputs: int) -> nn.Module:
    """The described layers; one linear layer stands there itself."""
    made = [HEAD_LAYERS[kind](*arguments) for kind, *arguments in layers or [["Linear", width, n_outputs]]]
    return made[0] if len(made) == 1 else nn.Sequential(*made)


class Part(NamedTuple):
    """A step behind the pooling. `modules`: the paths of what learns or drops in it; `run(module, x)`: (B, D) -> (B, …)."""
    name: str
    modules: tuple[str, ...]
    run: Callable[[Any, Tensor], Tensor]


HEAD_OF_TOKENS = (Part("head", ("classifier",), lambda m, x: m.classifier(x[:, None])),)
"""For heads that pick the first token themselves."""
HEAD_BEHIND_DROPOUT = Part("head", ("dropout", "classifier"), lambda m, x: m.classifier(m.dropout(x)))
LINEAR = (Part("head", ("head",), lambda m, x: m.head(x)),)
TAILS: dict[str, tuple[Part, ...]] = {
    "bert": (Part("pooler", ("bert.pooler",), lambda m, x: m.bert.pooler(x[:, None])), HEAD_BEHIND_DROPOUT),
    "albert": (Part("pooler", ("albert.pooler",), lambda m, x: m.albert.pooler_activation(m.albert.pooler(x))), HEAD_BEHIND_DROPOUT),
    "distilbert": (Part("head", ("pre_classifier", "dropout", "classifier"),
                        lambda m, x: m.classifier(m.dropout(torch.relu(m.pre_classifier(x))))),),
    "roberta": HEAD_OF_TOKENS, "xlm-roberta": HEAD_OF_TOKENS, "camembert": HEAD_OF_TOKENS, "electra": HEAD_OF_TOKENS, "mpnet": HEAD_OF_TOKENS,
    "deberta-v2": (Part("head", ("pooler", "dropout", "classifier"), lambda m, x: m.classifier(m.dropout(m.pooler(x[:, None])))),),
    "gpt2": (Part("head", ("score",), lambda m, x: m.score(x)),),
}
"""What stands behind the pooling in transformers' classes for labels, by model_type. The last step is new for every set of labels."""


def rebuild(architecture: dict[str, Any]) -> nn.Module:
    """The module that `architecture` describes, with random weights and ready for `load_state_dict`.

    It is called as `module(input_ids, attention_mask=…)`; `logits_of` does so and knows windows.
    """
    return BUILDERS[architecture["builder"]](architecture)


def _transformer(architecture: dict[str, Any]) -> nn.Module:
    from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification  # here: networks of word vectors do without

    values = dict(architecture["config"])
    if NEVER & values.keys():
        raise ValueError(f"a description may not hold {sorted(NEVER & values.keys())}")
    config = AutoConfig.for_model(values.pop("model_type"), **values)
    options = {"dtype": torch.float32, **({"attn_implementation": ATTENTION} if ATTENTION else {})}
    if architecture["native"]:
        model = AutoModelForSequenceClassification.from_config(config, **options)
        model.pooling = architecture["pooling"]
    else:
        model = Pooled(AutoModel.from_config(config, **options), architecture["pooling"],
                       head_of(architecture.get("head"), config.hidden_size, config.num_labels))
    model.scale = architecture.get("scale")
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.inplace = False  # same numbers; in place it would overwrite the stored vectors that enter the head
    return model


BUILDERS: dict[str, Callable[[dict[str, Any]], nn.Module]] = {"transformers": _transformer}


def without_pooler(encoder: nn.Module) -> nn.Module:
    """Leave out what would be computed behind the tokens' vectors for nothing."""
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None
    return encoder


def trunk_of(module: nn.Module) -> nn.Module:
    """The part that turns token ids (B, L) into the tokens' vectors (B, L, D)."""
    return module.encoder if isinstance(module, Pooled) else module.base_model


def tail_of(module: nn.Module) -> tuple[Part, ...]:
    """The steps from pooled vectors (B, D) to logits."""
    return LINEAR if isinstance(module, Pooled) else TAILS[module.config.model_type]


def logits_of(module: nn.Module, ids: Tensor, mask: Tensor, window: int = 0) -> Tensor:
    """Logits (B, n_outputs) of token ids (B, L), with padding behind the texts where `mask` (B, L) is 0.

    `window`: texts of more tokens are cut into windows that are read each by itself, from position 0; an item's pooled vectors are
    averaged before the head decides. 0: everything is read at once.
    """
    mask = torch.cat([torch.ones_like(mask[:, :1]), mask[:, 1:]], 1)  # a text without a single token has its padding read
    whole = not window or ids.shape[1] <= window
    if whole and module.pooling != "last":  # transformers' own classes know the last token by the padding's id, not by the mask
        out = module(input_ids=ids, attention_mask=mask)
        return scaled(module, getattr(out, "logits", out))
    window = ids.shape[1] if whole else window
    real, rows = windows_of(mask, window)
    x = trunk_of(module)(input_ids=cut(ids, window)[rows], attention_mask=real)[0]
    x = averaged(pool(x, real, module.pooling), rows // -(-ids.shape[1] // window), len(ids))
    for part in tail_of(module):
        x = part.run(module, x)
    return scaled(module, x)


def scaled(module: nn.Module, logits: Tensor) -> Tensor:
    """What the head answers, in the unit of the labels."""
    if module.scale is None:
        return logits
    mean, std = module.scale
    return logits.float() * std + mean


def pool(x: Tensor, mask: Tensor | None, pooling: str) -> Tensor:
    """The tokens' vectors (B, L, D) as one (B, D); `mask` (B, L): 1 for real tokens, which stand first. None: all are real."""
    if pooling == "first":
        return x[:, 0]
    if pooling == "last":
        return x[:, -1] if mask is None else x[torch.arange(len(x), device=x.device), mask.sum(1).long() - 1]
    if pooling == "max":
        return x.amax(1) if mask is None else x.masked_fill(mask[..., None] == 0, float("-inf")).amax(1)
    if mask is None:
        return x.mean(1)
    real = mask[..., None].to(x.dtype)
    return (x * real).sum(1) / real.sum(1)


def cut(x: Tensor, window: int) -> Tensor:
    """(B, L, …) -> (B * number of windows, window, …), filled up with zeros behind the end."""
    x = torch.cat([x, x.new_zeros(len(x), -x.shape[1] % window, *x.shape[2:])], 1)
    return x.reshape(-1, window, *x.shape[2:])


def windows_of(mask: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """For each window that holds real tokens, which of its tokens these are (N, window), and its number among all of the batch (N,)."""
    real = cut(mask, window)
    rows = real.any(1).nonzero()[:, 0]
    return real[rows], rows


def averaged(x: Tensor, items: Tensor, n_items: int) -> Tensor:
    """The mean of each item's windows: (N, D) -> (n_items, D); `items` (N,) says whose window each row is."""
    n = torch.bincount(items, minlength=n_items).clamp(min=1)
    return x.new_zeros(n_items, x.shape[1]).index_add(0, items, x) / n[:, None]
