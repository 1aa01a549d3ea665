"""Texts and transformers' networks in a script. Torch-free."""
from __future__ import annotations

from core.code.asked import Asked, Part, part
from core.code.blocks import TEXTS, is_native, kind_of
from core.code.objectives import LINES
from core.models.heads import layers
from core.models.own_files import shapes_in
from core.text_preprocess import TextPreprocess

INSTALLS = "torch transformers tokenizers safetensors"
HEAD_STD = 0.001
POOLED: dict[str, str] = {
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
NO_POOLER = frozenset({"roberta", "xlm-roberta", "camembert"})
"""Kinds whose class for labels has a trunk without pooler, while a trunk by itself has one."""
READ = {
    "start": "    return PREFIX + ids[:ROOM] + SUFFIX or [0]",
    "ends": "    start = ROOM // 4  # of a long text its start and, three times as much, its end\n"
            "    if len(ids) > ROOM:\n        ids = ids[:start] + ids[len(ids) - ROOM + start:]\n"
            "    return PREFIX + ids + SUFFIX or [0]",
    "windows": "    starts = range(0, max(1, len(ids) - ROOM // 8), ROOM - ROOM // 8)[:{windows}]\n"
               "    return [PREFIX + ids[start:start + ROOM] + SUFFIX or [0] for start in starts]  # windows",
}


def data(asked: Asked) -> Part:
    """From texts to `sides`, `batches` and what the network says of them."""
    how: TextPreprocess = asked.preprocess
    windows = how.long_texts == "windows"
    length = "sum(map(len, items[i]))" if windows else "len(items[i])"
    return part(f'''
tokenizer = Tokenizer.from_file(TOKENIZER)
tokenizer.no_truncation()
tokenizer.no_padding()
ROOM = MAX_TOKENS - len(PREFIX) - len(SUFFIX)


def read(text):
    """What the network reads of a text: {"windows of" if windows else "its"} tokens, with the marks around them."""
    ids = tokenizer.encode(text, add_special_tokens=False).ids
{READ[how.long_texts].format(windows=how.windows)}


def batches(items, epoch):
    """The order of this epoch; texts of like length together, so that little is padded."""
    generator = torch.Generator().manual_seed(SEED * 100_003 + epoch)
    lengths = torch.tensor([{length} for i in range(len(items))])
    pools = torch.randperm(len(items), generator=generator).split(50 * BATCH)
    order = torch.cat([pool[torch.argsort(lengths[pool], stable=True)] for pool in pools])
    order = list(order.split(BATCH))
    if len(order) > 1 and len(order[-1]) == 1:
        order[-2:] = [torch.cat(order[-2:])]
    return [order[i] for i in torch.randperm(len(order), generator=generator)]


sides = {{}}  # by side: what is read of its texts, and what they should be answered with
for side in sorted({{row["split"] for row in rows}}):
    own = [row for row in rows if row["split"] == side]
    items = [read(row["text"]) for row in own]
    sides[side] = items, {LINES[asked.objective.key].targets}


def padded(texts):
    """Texts as one tensor, and which of its tokens are real."""
    ids = torch.zeros(len(texts), max(map(len, texts)), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for i, text in enumerate(texts):
        ids[i, :len(text)], mask[i, :len(text)] = torch.tensor(text), 1
    return ids, mask


{_said(asked, windows)}
''', "Tokenizer")


def _said(asked: Asked, windows: bool) -> str:
    """`logits_of`."""
    scale = "" if asked.answers.std is None else " * SCALE + SHIFT"
    head, own = asked.answers.head, asked.row.input
    pooling = own.pooling if head.pooling == "own" else head.pooling
    native = is_native(asked.row, asked.answers)
    if native and not windows and pooling != "last":
        return f'''def logits_of(items, chosen):
    """What the network says of some texts."""
    ids, mask = padded([items[i] for i in chosen.tolist()])
    return model(input_ids=ids, attention_mask=mask).logits{scale}'''
    trunk = f"model.{TEXTS[kind_of(asked.row)].base}" if native else 'model["encoder"]'
    tail = TAILS.get(kind_of(asked.row), "model.classifier(x[:, None])") if native else 'model["head"](x)'
    texts = "[items[i] for i in chosen.tolist()]"
    mean = ""
    if windows:
        texts = "[window for i in chosen.tolist() for window in items[i]]"
        mean = '''
    owner = torch.tensor([k for k, i in enumerate(chosen.tolist()) for _ in items[i]])
    x = torch.zeros(len(chosen), x.shape[1]).index_add(0, owner, x)  # the mean of a text's windows
    x = x / torch.bincount(owner)[:, None]'''
    return f'''def logits_of(items, chosen):
    """What the network says of some texts: the tokens' vectors become one, and the head decides."""
    ids, mask = padded({texts})
    x = {trunk}(input_ids=ids, attention_mask=mask)[0]
    x = {POOLED[pooling]}{mean}
    return {tail}{scale}'''


def settings(asked: Asked) -> str:
    how: TextPreprocess = asked.preprocess
    scale = f"\nSHIFT, SCALE = {asked.answers.mean!r}, {asked.answers.std!r}  # of the numbers to be learned" if asked.answers.std is not None else ""
    return (f"# Where the network's config and weights come from.\nMODEL = {asked.row.repo!r}\n"
            f"MAX_TOKENS, PREFIX, SUFFIX = {how.max_tokens}, {list(how.prefix)!r}, {list(how.suffix)!r}  # of a text{scale}")


def about_data(asked: Asked) -> str:
    return 'DATA = "items.csv"  # the list of the items with their texts\nTOKENIZER = "tokenizer.json"  # cuts texts into tokens'


def network(asked: Asked) -> Part:
    native, kind, n = is_native(asked.row, asked.answers), kind_of(asked.row), asked.answers.n_outputs
    head = layers(asked.answers.head, asked.row.feature_width, n)
    config = f"config = AutoConfig.from_pretrained(MODEL, num_labels={n})"
    if native:
        pooler = "\nsource.pooler = None  # the class for labels has a head of its own" if kind in NO_POOLER else ""
        made = f'''{config}
model = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
{_source(asked, "source", kind)}{pooler}
setattr(model, model.base_model_prefix, source)'''
    else:
        drawn = "\nAutoModel.from_config(config)  # so that the head draws the same numbers as in the app" if len(head) > 1 else ""
        shown = [f"nn.{name}({', '.join(map(repr, arguments))})" for name, *arguments in head]
        layer = shown[0] if len(shown) == 1 else "nn.Sequential(\n    " + ",\n    ".join(shown) + ",\n)"
        made = f'''{config}{drawn}
head = {layer}
{_source(asked, "encoder", kind)}
if getattr(encoder, "pooler", None) is not None:
    encoder.pooler = None  # it would be computed for nothing
model = nn.ModuleDict({{"encoder": encoder, "head": head}})'''
    bias = "" if kind == "gpt2" and native else "\n    last.bias.zero_()"
    adapted = {"Conv1D"} if asked.plan.adapted() else set()
    return part(f'''
# ---- the network ----

torch.manual_seed(SEED)
{made}
last = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
with torch.no_grad():  # small weights: the first answers are nearly even
    last.weight.normal_(0.0, {HEAD_STD!r}, generator=torch.Generator().manual_seed(SEED)){bias}
''', "nn", "AutoConfig", *(("AutoModel",) if "AutoModel." in made else ()), *(("AutoModelForSequenceClassification",) if native else ()), *adapted,
        *(("load_file",) if asked.keeps_weights else ()))


def _source(asked: Asked, name: str, kind: str) -> str:
    """The pretrained trunk. Always in float32: training in half precision would break."""
    if asked.keeps_weights:
        first = f"{TEXTS[kind].layers}.0."
        before = next((found[:found.index(first)] for found in shapes_in(asked.row) if first in found), "")
        return f'''{name} = AutoModel.from_config(config, dtype=torch.float32)
kept = {{name.removeprefix({before!r}): x.float() for name, x in load_file(WEIGHTS).items()}}
{name}.load_state_dict(kept, strict=False)'''
    if not asked.pretrained:
        return f"{name} = AutoModel.from_config(config, dtype=torch.float32)  # random weights"
    return f"{name} = AutoModel.from_pretrained(MODEL, dtype=torch.float32)  # whatever the file's precision"
