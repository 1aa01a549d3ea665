from __future__ import annotations

import ast
import sys

import pytest

from core.bundle.standalone import MARKER, merge, standalone

PROGRAM = '''"""Doc."""
from __future__ import annotations

import json
from torch import Tensor, nn

MARK
A = 1


def main() -> int:
    return helper()
'''
PART = '''"""What it is.

More."""
from __future__ import annotations

import json
import math as m
from torch import nn, optim

B = 2


def helper() -> int:
    return B
'''


def test_the_marker_gives_way_to_the_other_source() -> None:
    made = merge(PROGRAM, PART, "MARK\n")
    values: dict = {}
    exec(compile(made, "predict.py", "exec"), values)
    assert (values["main"](), values["A"]) == (2, 1)
    assert made.startswith('"""Doc."""\nfrom __future__ import annotations\n')
    assert "# What it is.\n#\n# More.\n" in made


def test_imports_that_are_there_are_not_repeated() -> None:
    made = merge(PROGRAM, PART, "MARK\n")
    assert made.count("__future__") == 1 and made.count("import json") == 1
    assert "import math as m\nfrom torch import optim\n" in made


@pytest.mark.parametrize("part, said", [
    ("import numpy\n", r"can't import \['numpy'\]"),
    ("from core.errors import UserError\n", r"can't import \['core.errors'\]"),
    ("def f():\n    import pandas\n", r"can't import \['pandas'\]"),
    ("from . import x\n", "can't import"),
    ("A = 2\n", r"both sources define \['A'\]"),
    ("def main(): ...\n", r"both sources define \['main'\]"),
    ("B = 2\nimport math\n", "imports must stand at the top"),
])
def test_what_would_break_in_a_bundle_is_refused(part: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        merge(PROGRAM, part, "MARK\n")


def test_a_program_without_the_marker_is_refused() -> None:
    with pytest.raises(ValueError, match="exactly once"):
        merge(PROGRAM, PART)


def test_the_program_in_a_bundle_imports_the_four_libraries_and_one_that_may_be_missing() -> None:
    made = standalone()
    nodes = list(ast.walk(ast.parse(made)))
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {module.partition(".")[0] for module in modules} - sys.stdlib_module_names == {"torch", "torchvision", "PIL", "safetensors", "pi_heif"}
    assert "try:\n    import pi_heif" in made
    assert MARKER.strip() not in made and "def rebuild(" in made
