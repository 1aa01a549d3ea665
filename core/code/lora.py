"""Thin adapters in a script. Torch-free."""
from __future__ import annotations

from core.code.asked import Asked, Part, named_prefixes, part
from core.models.rows import Adapter

KINDS: dict[Adapter, str] = {
    "torchvision": "isinstance(module, (nn.Linear, nn.Conv2d, nn.MultiheadAttention))",
    "transformers": "isinstance(module, (nn.Linear, nn.Conv2d, Conv1D))",
    "vision": "type(module) in (nn.Linear, nn.Conv2d)",
}
"""By adapter: beside which layers they can stand; groups of a convolution come on top."""
WEIGHT: dict[Adapter, str] = {"torchvision": '"in_proj_weight" if isinstance(module, nn.MultiheadAttention) else "weight"'}


def adapters(asked: Asked) -> Part:
    """The names of what is adapted, and the adapters beside its layers."""
    imports = ("nn", "math", "parametrize", *(("Conv1D",) if asked.row.adapter == "transformers" else ()))
    return part(f'''
{named_prefixes("LORA", asked.adapted, "of these, thin adapters alone learn")}
RANK, ALPHA = {asked.config.lora_rank}, {asked.config.lora_alpha}


class LoRA(nn.Module):
    """W + ALPHA / RANK · B · A: the weight W rests, two thin matrices learn (arXiv:2106.09685)."""

    def __init__(self, weight):
        super().__init__()
        self.lora_A = nn.Parameter(torch.empty(RANK, weight[0].numel()))
        self.lora_B = nn.Parameter(torch.zeros(len(weight), RANK))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    def forward(self, weight):
        return weight + ALPHA / RANK * (self.lora_B @ self.lora_A).view_as(weight)


# Added to the weight wherever it is read, also by attention, which never calls its inner layers.
for name, module in list(model.named_modules()):
    fits = {KINDS[asked.row.adapter]}
    if f"{{name}}.".startswith(LORA) and fits and getattr(module, "groups", 1) == 1:
        weight = {WEIGHT.get(asked.row.adapter, '"weight"')}
        parametrize.register_parametrization(module, weight, LoRA(getattr(module, weight)))
''', *imports)


def merged() -> str:
    """Lines that end the adapters."""
    return '''for module in list(model.modules()):  # what the adapters have learned becomes part of the weights
    for name in list(getattr(module, "parametrizations", ())):
        parametrize.remove_parametrizations(module, name)
'''
