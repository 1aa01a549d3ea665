"""torchvision's networks, and the built-in one, in a script. Torch-free."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

from core.code.asked import WEIGHTS, Asked, Part, part, scaled
from core.code.heads import last_of, made, started
from core.code.own_weights import renamed
from core.code.pictures import data, logits, settings
from core.models.heads import Layers
from core.models.pictures.describe import architecture
from core.models.rows import Family

__all__ = ["data", "last_layer", "network", "settings"]

SEEDED_ALIKE: dict[Family, str] = {"VGG": "", "Inception": ", aux_logits=False, transform_input=True, init_weights=False"}
"""Networks that torchvision lays out in another way when it is asked for their weights, and arguments: a head with a hidden layer would then
begin with other numbers."""


def network(asked: Asked) -> Part:
    """The pretrained network with its new head, and `logits_of`."""
    plan = _plan(asked)
    head: Layers = plan["head"]["layers"]
    pool = f"model.set_submodule({plan['pool']['path']!r}, {made(plan['pool']['layers'])})\n" if "pool" in plan else ""
    loaded, *imports = _loaded(asked, plan)
    said = logits(asked, f"    return {scaled(asked, 'model(x)')}")
    return part(f'''
# ---- the network ----

torch.manual_seed(SEED)
{loaded}
{pool}head = {made(head)}
{started(last_of(head))}
{_assigned(plan["head"]["path"], "head")}


{said.text}
''', "nn", *imports, *said.imports)


def last_layer(asked: Asked) -> str:
    return last_of(_plan(asked)["head"]["layers"])


def _plan(asked: Asked) -> dict[str, Any]:
    return architecture(asked.row, replace(asked.answers, std=None))


def _loaded(asked: Asked, plan: dict[str, Any]) -> tuple[str, ...]:
    """The network with what it had learned, and the imports that this takes."""
    row, builder = asked.row, plan["builder"]
    if row.built_in:
        kwargs = plan["kwargs"]
        made = f"model = resnet.ResNet(resnet.{kwargs['block']}, {kwargs['layers']!r}, num_classes={kwargs['num_classes']!r})"
        return f"{made}{_from_file(asked, plan)}", "resnet", *(("load_file",) if asked.loads_file else ())
    shape = SEEDED_ALIKE.get(row.family, "")
    if asked.loads_file or not asked.pretrained:
        made = f"model = models.get_model({builder!r}{shape})"
        return f"{made}{_from_file(asked, plan)}", "models", *(("load_file",) if asked.loads_file else ())
    if row.family not in SEEDED_ALIKE or asked.plan.head.kind == "linear":
        without = ", aux_logits=False" if row.family == "Inception" else ""
        return f"model = models.get_model({builder!r}, weights={row.weights!r}{without})", "models"
    dropped = f"\nsource = {{name: x for name, x in source.items() if not name.startswith({row.dropped!r})}}" if row.dropped else ""
    return f'''model = models.get_model({builder!r}{shape})
source = models.get_model_weights({row.builder!r})[{row.weights!r}].get_state_dict(){dropped}
model.load_state_dict(source)''', "models"


def _from_file(asked: Asked, plan: dict[str, Any]) -> str:
    if not asked.loads_file:
        return ""
    if not asked.row.own_file:
        return f'\nmodel.load_state_dict(load_file("{WEIGHTS}"))'
    first = next(path for paths in asked.modules.values() for path in paths)
    return f'''
source = {renamed(asked.row, f"{first}.")}
source = {{name: x for name, x in source.items() if not name.startswith({plan["head"]["path"] + "."!r})}}
model.load_state_dict(source, strict=False)  # all but the head, which is new'''


def _assigned(path: str, value: str) -> str:
    """A module put at a path of the model. Its steps that are numbers count the parts of a list."""
    place = "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in path.split("."))
    return f"model{place} = {value}"
