"""The new head in a script. Torch-free."""
from __future__ import annotations

from core.code.asked import packed
from core.models.heads import HEAD_STD, Layers

MOST = 80


def made(layers: Layers, indent: str = "") -> str:
    """An expression: the layer, or several one behind the other, over several lines where they are many."""
    shown = [f"nn.{kind}({', '.join(map(repr, arguments))})" for kind, *arguments in layers]
    if len(shown) == 1:
        return shown[0]
    line = ", ".join(shown)
    return f"nn.Sequential({line})" if len(line) <= MOST else f"nn.Sequential(\n{packed(shown, f'{indent}    ')}\n{indent})"


def last_of(layers: Layers, name: str = "head") -> str:
    """The last of the layers, where they are called `name`."""
    return name if len(layers) == 1 else f"{name}[-1]"


def started(last: str, bias: bool = True) -> str:
    """Lines that give a last layer its first numbers."""
    zero = f"\nnn.init.zeros_({last}.bias)  # at first, all answers are nearly even" if bias else ""
    return f"nn.init.normal_({last}.weight, 0.0, {HEAD_STD!r}, torch.Generator().manual_seed(SEED)){zero}"
