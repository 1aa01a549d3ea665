"""Which room may know which: pages know core, core knows no Streamlit, and the web process never loads torch."""
from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TORCH = {"torch", "torchvision"}
WITH_TORCH = ("core/training/", "core/models/", "core/tasks/", "core/evaluation/", "core/bundle/", "core/jobs/worker.py")
OF_PACKAGE = {"PIL": "pillow", "sklearn": "scikit-learn"}


def modules() -> dict[str, Path]:
    """Every module of app.py, pages and core by its dotted name; a package goes by its own."""
    files = [*ROOT.glob("app.py"), *(ROOT / "pages").rglob("*.py"), *(ROOT / "core").rglob("*.py")]
    return {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


MODULES = modules()


def imports(name: str, *, at_import: bool = False) -> set[str]:
    """Dotted names that a module imports, anywhere or only while it is imported itself; those for type checkers are left out.

    `from a import b` counts as `a.b` when that is one of our modules, else as `a`.
    """
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in _nodes(tree, at_import):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            found |= {f"{node.module}.{alias.name}" if f"{node.module}.{alias.name}" in MODULES else str(node.module) for alias in node.names}
    return found


def _nodes(tree: ast.AST, at_import: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if at_import and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        yield node
        yield from _nodes(node, at_import)


def top(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def under(room: str) -> list[str]:
    return sorted(name for name in MODULES if name == room or name.startswith(f"{room}."))


@pytest.mark.parametrize("name", under("core"))
def test_core_knows_neither_streamlit_nor_pages(name: str) -> None:
    assert not top(imports(name)) & {"streamlit", "pages"}


@pytest.mark.parametrize("name, allowed", [("core.errors", set()), ("core.events", set()), ("core.specs", {"core.errors"})])
def test_what_everything_rests_on_rests_on_nothing(name: str, allowed: set[str]) -> None:
    assert {other for other in imports(name) if other.startswith("core")} <= allowed


@pytest.mark.parametrize("name", under("core"))
def test_torch_stays_in_its_rooms(name: str) -> None:
    if not MODULES[name].relative_to(ROOT).as_posix().startswith(WITH_TORCH):
        assert not top(imports(name)) & TORCH


@pytest.mark.parametrize("name", under("core.training"))
def test_training_knows_no_task(name: str) -> None:
    assert not [other for other in imports(name) if other.startswith("core.tasks")]


@pytest.mark.parametrize("name", [*under("app"), *under("pages")])
def test_no_page_reaches_torch(name: str) -> None:
    """Through no chain of modules that import one another while they are imported; what a page imports inside a function counts too."""
    chains, waiting = {name: name}, [name]
    while waiting:
        current = waiting.pop()
        for other in imports(current, at_import=current != name and not current.startswith("pages")):
            assert other.partition(".")[0] not in TORCH, f"{chains[current]} → {other}"
            parents = [".".join(other.split(".")[:depth]) for depth in range(1, other.count(".") + 2)]
            for reached in (parent for parent in parents if parent in MODULES and parent not in chains):
                chains[reached] = f"{chains[current]} → {reached}"
                waiting.append(reached)


def test_what_the_web_process_loads_leaves_torch_unloaded() -> None:
    """The real thing: everything that pages stand on is imported in a fresh process. Page scripts themselves run only inside Streamlit."""
    stands_on = {"pages"} | {name for page in [*under("app"), *under("pages")] for name in imports(page) if name in MODULES}
    loaded = sorted(name for name in stands_on | set(under("pages.ui")) | set(under("pages.routes")) if not name.startswith("pages.router"))
    code = "import sys, importlib\nfor name in sys.argv[1:]: importlib.import_module(name)\n" \
           "print(sorted({m.partition('.')[0] for m in sys.modules} & {'torch', 'torchvision'}))"
    result = subprocess.run([sys.executable, "-c", code, *loaded], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip().splitlines()[-1] == "[]"


def test_every_library_that_is_imported_is_pinned() -> None:
    pinned = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE))
    ours = {"app", "core", "pages"} | set(sys.stdlib_module_names)
    used = {OF_PACKAGE.get(library, library.replace("_", "-")) for name in MODULES for library in top(imports(name)) - ours}
    assert used - pinned == set(), "imported, but not in requirements.txt"
    assert pinned - used == set(), "in requirements.txt, but imported nowhere"
