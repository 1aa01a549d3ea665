"""Networks of pictures from the Hugging Face hub, transformers' own and timm's, in a script. Torch-free."""
from __future__ import annotations

from dataclasses import replace

from core.code.asked import Asked, Part, part, scaled
from core.code.heads import last_of, made, started
from core.code.own_weights import renamed
from core.code.pictures import data, logits
from core.code.pictures import settings as settings_of_pictures
from core.models.heads import Layers, features, layers
from core.models.rows import ModelRow
from core.models.vision.configs import TIMM, config_of, model_type

__all__ = ["data", "last_layer", "network", "settings"]

SPECIAL = {"vit": 1, "deit": 2, "dinov2": 1, "dinov2_with_registers": 1}
"""Tokens that stand before those of the patches, by model_type; registers come on top."""
REGISTERS = 4
"""So many where a config.json with registers does not say."""
WITH_POOLER = frozenset({"vit", "deit"})
"""Kinds whose trunk brings a learned pooler, which no class for labels uses."""
NORM_BEHIND_POOL = frozenset({"convnext", "convnextv2"})
TOKENS = {"own": "x[:, 0]", "first": "x[:, 0]", "mean": "x[:, {n}:].mean(1)", "max": "x[:, {n}:].amax(1)"}
DINO = TOKENS | {"own": "torch.cat([x[:, 0], x[:, {n}:].mean(1)], 1)"}
PLACES = {"own": "x.mean(1)", "max": "x.amax(1)", "flatten": "x"}
MAPS = {"own": "x.mean((2, 3))", "max": "x.amax((2, 3))", "flatten": "x.flatten(2).transpose(1, 2)"}
POOLED: dict[str, dict[str, str]] = {
    "vit": TOKENS, "deit": TOKENS, "dinov2": DINO, "dinov2_with_registers": DINO, "swin": PLACES, "swinv2": PLACES,
    "convnext": MAPS, "convnextv2": MAPS, "resnet": MAPS}
"""By model_type, then by pooling: from the features to one row of numbers, as `core.models.vision.architecture.pooled` does it."""
TIMM_POOLS = {"mean": "avg", "max": "max"}


def settings(asked: Asked) -> str:
    source = "" if _is_made_by_name(asked) else f"MODEL = {asked.source!r}\n"
    return f"{source}{settings_of_pictures(asked)}"


def network(asked: Asked) -> Part:
    """The pretrained trunk with its new head, and `logits_of`."""
    head = _head(asked)
    trunk, *imports = _trunk(asked)
    said = logits(asked, _said(asked))
    made_of = part(f'''
# ---- the network ----

torch.manual_seed(SEED)
head = {made(head)}
{trunk}
{started(last_of(head))}
model = nn.ModuleDict({{"trunk": trunk, "head": head}})


{said.text}
''', "nn", *imports, *said.imports, *(("load_file",) if asked.loads_file else ()))
    return replace(made_of, installs=frozenset({"timm"} if _kind(asked.row) == TIMM else ()))


def last_layer(asked: Asked) -> str:
    return last_of(_head(asked))


def _head(asked: Asked) -> Layers:
    plan, row = asked.plan.head, asked.row
    flat: Layers = [["Flatten", 1]] if plan.pooling == "flatten" else []
    return [*flat, *layers(plan, features(row, plan, asked.answers.side), asked.answers.n_outputs)]


def _trunk(asked: Asked) -> tuple[str, ...]:
    """Lines that make the trunk, and the imports that they take."""
    kind, pooling = _kind(asked.row), asked.plan.head.pooling
    bare = ", add_pooling_layer=False" if kind in WITH_POOLER else ""
    inner = ".timm_model" if kind == TIMM else ""
    pooled = f'\ntrunk.reset_classifier(0, "{TIMM_POOLS[pooling]}")' if kind == TIMM and pooling != "own" else ""
    if _is_made_by_name(asked):
        values = config_of(asked.row)
        arguments = f", **{values['model_args']!r}" if values.get("model_args") else ""
        return f"trunk = timm.create_model({values['architecture']!r}, num_classes=0{arguments}){_own(asked)}{pooled}", "timm"
    if asked.pretrained and not asked.loads_file:
        return f"trunk = AutoModel.from_pretrained(MODEL{bare}, dtype=torch.float32){inner}{pooled}", "AutoModel"
    laid_out = f"AutoModel.from_config(AutoConfig.from_pretrained(MODEL){bare}, dtype=torch.float32)"
    return f"trunk = {laid_out}{inner}{_own(asked)}{pooled}", "AutoModel", "AutoConfig"


def _own(asked: Asked) -> str:
    """Lines that load weights of one's own; what they hold of a head is left out."""
    if not asked.loads_file:
        return ""
    first = next(path for paths in asked.modules.values() for path in paths).removeprefix("trunk.")
    return f"\ntrunk.load_state_dict({renamed(asked.row, f'{first}.')}, strict=False)"


def _said(asked: Asked) -> str:
    kind, pooling = _kind(asked.row), asked.plan.head.pooling
    if kind == TIMM:
        answer = scaled(asked, 'model["head"](model["trunk"](x))')
        return f"    return {answer}"
    x = POOLED[kind][pooling].format(n=_special(asked.row))
    if kind in NORM_BEHIND_POOL:
        x = f'model["trunk"].layernorm({x})'
    answer = scaled(asked, f'model["head"]({x})')
    return f'    x = model["trunk"](pixel_values=x)[0]\n    return {answer}'


def _special(row: ModelRow) -> int:
    kind = _kind(row)
    registers = config_of(row).get("num_register_tokens", REGISTERS) if kind == "dinov2_with_registers" else 0
    return SPECIAL.get(kind, 0) + registers


def _kind(row: ModelRow) -> str:
    return model_type(config_of(row))


def _is_made_by_name(asked: Asked) -> bool:
    """Whether timm makes it from its name alone: its weights are a file of one's own."""
    return asked.loads_file and _kind(asked.row) == TIMM
