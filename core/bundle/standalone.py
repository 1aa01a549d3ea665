"""The one file that goes into a bundle: a `predict.py` with everything of ours that it needs written into it."""
from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

MARK = "# replaced by its source in a bundle"
PART = re.compile(rf"^from (core\.[\w.]+) import [^\n]*  {re.escape(MARK)}\n", re.MULTILINE)
ALLOWED = {"torch", "torchvision", "PIL", "safetensors", "tokenizers", "transformers"}
ROOT = Path(__file__).parents[2]


@cache
def standalone(program: str) -> str:
    """Source of a predict.py that needs nothing of Graft. `program` is the module that it is made from."""
    return merge(_source(program), _source)


def _source(module: str) -> str:
    return ROOT.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8")


def merge(program: str, source: Callable[[str], str]) -> str:
    """`program` with the lines that end in `MARK` replaced by the modules that they import from: first the imports that the program
    lacks, then everything behind them. A module that needs another one of ours says so in the same way. `source(name)` reads a module.

    Raises `ValueError` when there is no such line, a part imports what a bundle can't rely on, or two define the same name.
    """
    parts = [PART.sub("", source(module)) for module in _needed(program, source)]
    if not parts:
        raise ValueError(f"no line of the program ends in {MARK!r}")
    trees = [ast.parse(part) for part in parts]
    foreign = sorted({module for tree in trees for module, _, _ in _imports(ast.walk(tree))
                      if module.split(".")[0] not in ALLOWED | set(sys.stdlib_module_names)})
    if foreign:
        raise ValueError(f"a bundle can't import {foreign}")
    before, after = _around(program)
    program_tree = ast.parse(before + after)
    _check_names([program_tree, *trees])
    known = set(_imports(_when_loaded(program_tree)))
    wanted = dict.fromkeys(name for tree in trees for name in _imports(_when_loaded(tree)) if name[0] != "__future__" and name not in known)
    bodies = "\n\n".join(_body(part, tree) for part, tree in zip(parts, trees))
    return f"{before}{_statements(wanted)}\n{bodies}\n\n{after.lstrip()}"


def _needed(program: str, source: Callable[[str], str]) -> list[str]:
    """Names of the modules to write in, each after those that it needs itself."""
    found: dict[str, None] = {}
    for module in PART.findall(program):
        found |= dict.fromkeys([*_needed(source(module), source), module])
    return list(found)


def _around(program: str) -> tuple[str, str]:
    """What stands before the first marked line and what behind it, where no marked line is left."""
    first = next(PART.finditer(program))
    return program[:first.start()], PART.sub("", program[first.end():])


Import = tuple[str, str | None, str | None]
"""Module, name taken from it (None: the module itself), name it is given (None: its own)."""


def _imports(nodes: Iterable[ast.AST]) -> list[Import]:
    found: list[Import] = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [(alias.name, None, alias.asname) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [("." * node.level + (node.module or ""), alias.name, alias.asname) for alias in node.names]
    return found


def _when_loaded(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes outside functions: what a function imports is not there before it is called, and may be missing until then."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield node
            yield from _when_loaded(node)


def _statements(names: Iterable[Import]) -> str:
    """The import lines that give these names, one a module."""
    lines, taken_from = [], dict[str, list[str]]()
    for module, taken, given in names:
        renamed = f" as {given}" if given else ""
        if taken is None:
            lines.append(f"import {module}{renamed}\n")
        else:
            taken_from.setdefault(module, []).append(taken + renamed)
    return "".join(lines + [f"from {module} import {', '.join(taken)}\n" for module, taken in taken_from.items()])


def _body(source: str, tree: ast.Module) -> str:
    """What follows docstring and imports; the docstring becomes a comment above it."""
    heading = ast.get_docstring(tree)
    head = [node for i, node in enumerate(tree.body) if isinstance(node, (ast.Import, ast.ImportFrom)) or (i == 0 and heading)]
    if head != tree.body[:len(head)]:
        raise ValueError("imports must stand at the top")
    start = head[-1].end_lineno if head else 0
    comment = "".join(f"# {line}".rstrip() + "\n" for line in (heading or "").splitlines())
    return f"{comment}\n{''.join(source.splitlines(keepends=True)[start:]).strip()}\n"


def _check_names(trees: Iterable[ast.Module]) -> None:
    taken: set[str] = set()
    for tree in trees:
        defined = _defined(tree)
        if both := taken & defined:
            raise ValueError(f"two sources define {sorted(both)}")
        taken |= defined


def _defined(tree: ast.Module) -> set[str]:
    """Names that the top level of a source gives to functions, classes and values."""
    names = {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    return names | {node.id for statement in tree.body if isinstance(statement, (ast.Assign, ast.AnnAssign))
                    for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
