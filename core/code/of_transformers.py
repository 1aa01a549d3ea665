"""transformers' networks of texts in a script. Torch-free."""
from __future__ import annotations

from core.code.asked import Asked, Part, part, scaled
from core.code.blocks import TEXTS, is_native, kind_of
from core.code.heads import last_of, made, started
from core.code.own_weights import renamed
from core.code.texts import data
from core.code.texts import settings as settings_of_texts
from core.models.heads import Layers, layers
from core.models.rows import TextInput
from core.specs import PoolingKey

__all__ = ["data", "last_layer", "network", "settings"]

POOLED: dict[PoolingKey, str] = {
    "first": "x[:, 0]",
    "mean": "(x * mask[..., None]).sum(1) / mask.sum(1)[:, None]",
    "last": "x[torch.arange(len(x)), mask.sum(1) - 1]",
    "max": 'x.masked_fill(mask[..., None] == 0, float("-inf")).amax(1)',
}
TAILS: dict[str, str] = {
    "bert": "model.classifier(model.dropout(model.bert.pooler(x[:, None])))",
    "albert": "model.classifier(model.dropout(model.albert.pooler_activation(model.albert.pooler(x))))",
    "distilbert": "model.classifier(model.dropout(torch.relu(model.pre_classifier(x))))",
    "deberta-v2": "model.classifier(model.dropout(model.pooler(x[:, None])))",
    "gpt2": "model.score(x)",
}
"""From pooled vectors to logits in transformers' classes for labels; "model.classifier(x[:, None])" where nothing is said."""
LAST: dict[str, str] = {"bert": "model.classifier", "albert": "model.classifier", "distilbert": "model.classifier",
                        "deberta-v2": "model.classifier", "gpt2": "model.score"}
"""The last layer in these classes; "model.classifier.out_proj" where nothing is said."""
NO_POOLER = frozenset({"roberta", "xlm-roberta", "camembert"})
"""Kinds whose class for labels has a trunk without pooler, while a trunk by itself has one."""
WITH_POOLER = NO_POOLER | {"bert", "albert", "mpnet"}
BARE = ", add_pooling_layer=False"
FLOAT = ", dtype=torch.float32"
"""Whatever the precision of the file: training in half of it would break."""


def settings(asked: Asked) -> str:
    return f"MODEL = {asked.source!r}\n{settings_of_texts(asked)}"


def network(asked: Asked) -> Part:
    """The pretrained network with its new head, and `logits_of`."""
    made_by, *imports = (_native if is_native(asked.row, asked.answers) else _pooled)(asked)
    adapted = ("Conv1D",) if asked.adapted else ()
    return part(f'''
# ---- the network ----

torch.manual_seed(SEED)
{made_by}


{_logits(asked)}
''', "nn", *imports, *adapted, *(("load_file",) if asked.loads_file else ()))


def last_layer(asked: Asked) -> str:
    if is_native(asked.row, asked.answers):
        return LAST.get(kind_of(asked.row), "model.classifier.out_proj")
    return last_of(_head(asked))


def _native(asked: Asked) -> tuple[str, ...]:
    """transformers' own class for labels, around the pretrained trunk; and the imports that this takes."""
    kind = kind_of(asked.row)
    trunk, bare = f"model.{TEXTS[kind].base}", BARE if kind in NO_POOLER else ""
    imports = ["AutoConfig", "AutoModelForSequenceClassification"]
    loaded = _from_file(asked, trunk)
    if asked.pretrained and not asked.loads_file:
        loaded = f"\n{trunk} = AutoModel.from_pretrained(MODEL{bare}{FLOAT})"
        imports.append("AutoModel")
    return f'''config = AutoConfig.from_pretrained(MODEL, num_labels={asked.answers.n_outputs})
model = AutoModelForSequenceClassification.from_config(config{FLOAT}){loaded}
{started(last_layer(asked), bias=kind != "gpt2")}''', *imports


def _pooled(asked: Asked) -> tuple[str, ...]:
    """The pretrained trunk with a head of ours; and the imports that this takes."""
    head, kind = _head(asked), kind_of(asked.row)
    bare = BARE if kind in WITH_POOLER else ""
    laid_out = f"AutoModel.from_config(AutoConfig.from_pretrained(MODEL){FLOAT})"
    fetched = asked.pretrained and not asked.loads_file
    drawn = f"# Laid out first, so that the head draws the same numbers as in the app.\n{laid_out}\n" if fetched and len(head) > 1 else ""
    trunk = f"encoder = AutoModel.from_pretrained(MODEL{bare}{FLOAT})" if fetched else f"encoder = {laid_out}{_from_file(asked, 'encoder')}"
    return f'''{drawn}{trunk}
head = {made(head)}
{started(last_of(head))}
model = nn.ModuleDict({{"encoder": encoder, "head": head}})''', "AutoModel", *(("AutoConfig",) if drawn or not fetched else ())


def _head(asked: Asked) -> Layers:
    return layers(asked.answers.head, asked.row.feature_width, asked.answers.n_outputs)


def _from_file(asked: Asked, trunk: str) -> str:
    if not asked.loads_file:
        return ""
    return f"\n{trunk}.load_state_dict({renamed(asked.row, f'{TEXTS[kind_of(asked.row)].layers}.0.')}, strict=False)"


def _logits(asked: Asked) -> str:
    """`logits_of`."""
    own, windows = asked.row.input, bool(asked.preprocess.window)
    assert isinstance(own, TextInput)
    pooling: PoolingKey = own.pooling if asked.answers.head.pooling == "own" else asked.answers.head.pooling
    kind, native = kind_of(asked.row), is_native(asked.row, asked.answers)
    texts = "[torch.tensor(window) for i in some for window in items[i]]" if windows else "[torch.tensor(items[i]) for i in some]"
    if native and not windows and pooling != "last":
        said = f"    return {scaled(asked, 'model(input_ids=ids, attention_mask=mask).logits')}"
    else:
        trunk = f"model.{TEXTS[kind].base}" if native else 'model["encoder"]'
        tail = TAILS.get(kind, "model.classifier(x[:, None])") if native else 'model["head"](x)'
        mean = '''
    owner = torch.tensor([k for k, i in enumerate(some) for _ in items[i]])
    x = torch.zeros(len(some), x.shape[1]).index_add(0, owner, x)  # the mean of a text's windows
    x = x / torch.bincount(owner)[:, None]''' if windows else ""
        said = f"    x = {trunk}(input_ids=ids, attention_mask=mask)[0]\n    x = {POOLED[pooling]}{mean}\n    return {scaled(asked, tail)}"
    return f'''def logits_of(items, some):
    """What the network says of some texts."""
    texts = {texts}
    ids = nn.utils.rnn.pad_sequence(texts, batch_first=True)
    mask = nn.utils.rnn.pad_sequence([torch.ones_like(text) for text in texts], batch_first=True)
{said}'''
