"""Weights of one's own in a script: how the names in their file begin, where the network's begin with nothing. Torch-free."""
from __future__ import annotations

from core.code.asked import WEIGHTS
from core.models.own_files import shapes_in
from core.models.rows import ModelRow


def before(row: ModelRow, first: str) -> str:
    """What stands before the names in the row's own file. `first`: how a name of the network begins; of all places where it is found, the
    outermost one counts. Raises `ModelError` when the file is gone or damaged."""
    places = (f".{name}".partition(f".{first}") for name in shapes_in(row))
    return min((outer.removeprefix(".") for outer, found, _ in places if found), key=len, default="")


def renamed(row: ModelRow, first: str) -> str:
    """An expression: the file's tensors by the network's names."""
    outer = before(row, first)
    read = f'load_file("{WEIGHTS}")'
    return f'{{name.removeprefix({f"{outer}."!r}): x for name, x in {read}.items()}}' if outer else read
