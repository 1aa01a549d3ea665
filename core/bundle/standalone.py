"""The one file that goes into a bundle: `predict.py` with the code that rebuilds the network written into it."""
from __future__ import annotations

import ast
import sys
from pathlib import Path

MARKER = "from core.models.architecture import rebuild  # replaced by its source in a bundle\n"
ALLOWED = {"torch", "torchvision", "PIL", "safetensors"}
CORE = Path(__file__).parents[1]


def standalone() -> str:
    """Source of a predict.py that needs nothing of Graft."""
    return merge((CORE / "bundle" / "predict.py").read_text(encoding="utf-8"),
                 (CORE / "models" / "architecture.py").read_text(encoding="utf-8"))


def merge(program: str, part: str, marker: str = MARKER) -> str:
    """`program` with its `marker` line replaced by `part`: imports that the program lacks, then everything behind them.

    Raises `ValueError` when the marker is missing, `part` imports what a bundle can't rely on, or both define the same name.
    """
    if program.count(marker) != 1:
        raise ValueError(f"the line {marker.strip()!r} must stand in the program exactly once")
    program_tree, part_tree = ast.parse(program), ast.parse(part)
    known, wanted = _imports(program_tree), [name for name in _imports(part_tree) if name[0] != "__future__"]
    foreign = sorted({module for module, _, _ in wanted if module.split(".")[0] not in ALLOWED | set(sys.stdlib_module_names)})
    if foreign:
        raise ValueError(f"a bundle can't import {foreign}")
    if both := _defined(program_tree) & _defined(part_tree):
        raise ValueError(f"both sources define {sorted(both)}")
    lines = _statements([name for name in wanted if name not in known])
    before, after = program.split(marker)
    return f"{before}{lines}\n{_body(part, part_tree)}\n\n{after.lstrip()}"


Import = tuple[str, str | None, str | None]
"""Module, name taken from it (None: the module itself), name it is given (None: its own)."""


def _imports(tree: ast.Module) -> list[Import]:
    found: list[Import] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, None, alias.asname) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [("." * node.level + (node.module or ""), alias.name, alias.asname) for alias in node.names]
    return found


def _statements(names: list[Import]) -> str:
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


def _defined(tree: ast.Module) -> set[str]:
    """Names that the top level of a source gives to functions, classes and values."""
    names = {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    return names | {node.id for statement in tree.body if isinstance(statement, (ast.Assign, ast.AnnAssign))
                    for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
