from __future__ import annotations

import ast
import sys

import pytest

from core.bundle.kinds import KINDS
from core.bundle.standalone import MARK, merge, standalone

PROGRAM = '''"""Doc."""
from __future__ import annotations

import json
from torch import Tensor, nn

from core.part import helper  # replaced by its source in a bundle

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


def merged(program: str = PROGRAM, **parts: str) -> str:
    return merge(program, {f"core.{name}": text for name, text in parts.items()}.__getitem__)


def ran(source: str) -> dict:
    values: dict = {}
    exec(compile(source, "predict.py", "exec"), values)
    return values


def test_the_marked_line_gives_way_to_the_other_source() -> None:
    made = merged(part=PART)
    values = ran(made)
    assert (values["main"](), values["A"]) == (2, 1)
    assert made.startswith('"""Doc."""\nfrom __future__ import annotations\n')
    assert "# What it is.\n#\n# More.\n" in made and MARK not in made


def test_imports_that_are_there_are_not_repeated() -> None:
    made = merged(part=PART)
    assert made.count("__future__") == 1 and made.count("import json") == 1
    assert "import math as m\nfrom torch import optim\n" in made


def test_a_part_brings_the_part_it_needs_once_and_before_it() -> None:
    first = f"import math\nfrom core.deep import D  {MARK}\n\nE = D + 1\n\n\ndef helper():\n    return E\n"
    second = f"from core.deep import D  {MARK}\n\nF = D + math.pi\n"
    program = PROGRAM.replace("A = 1", "").replace(f"{MARK}\n", f"{MARK}\nfrom core.other import F  {MARK}\n", 1)
    made = merged(program, part=first, other=second, deep="D = 4\n")
    assert made.count("D = 4") == 1 and made.count("import math\n") == 1
    assert (ran(made)["main"](), round(ran(made)["F"], 2)) == (5, 7.14)


def test_what_only_a_function_imports_stays_inside_it() -> None:
    made = merged(part="def helper():\n    import transformers\n    return transformers\n")
    assert made.count("import transformers") == 1 and "\n    import transformers\n" in made


@pytest.mark.parametrize("part, said", [
    ("import numpy\n", r"can't import \['numpy'\]"),
    ("from core.errors import UserError\n", r"can't import \['core.errors'\]"),
    ("def f():\n    import pandas\n", r"can't import \['pandas'\]"),
    ("from . import x\n", "can't import"),
    ("A = 2\n", r"two sources define \['A'\]"),
    ("def main(): ...\n", r"two sources define \['main'\]"),
    ("B = 2\nimport math\n", "imports must stand at the top"),
])
def test_what_would_break_in_a_bundle_is_refused(part: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        merged(part=part)


def test_a_program_without_a_marked_line_is_refused() -> None:
    with pytest.raises(ValueError, match="no line of the program"):
        merged(PROGRAM.replace(MARK, ""))


def imported(made: str) -> set[str]:
    """The libraries that a program names, without Python's own."""
    nodes = list(ast.walk(ast.parse(made)))
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    return {module.partition(".")[0] for module in modules} - sys.stdlib_module_names


def test_the_program_for_pictures_imports_the_four_libraries_and_two_that_may_be_missing() -> None:
    made = standalone(KINDS["image"].program)
    assert imported(made) == {"torch", "torchvision", "PIL", "safetensors", "pi_heif", "transformers"}
    assert "try:\n    import pi_heif" in made
    assert MARK not in made and "def rebuild(" in made
