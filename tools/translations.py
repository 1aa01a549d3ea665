"""Which texts the interface shows, and which of them a language lacks: `python tools/translations.py missing [zh-CN]`.

Texts are found in the source without running it: what stands in `_("...")`, in errors and notices, and in fields of rows and in
constants whose docstring calls them keys or templates "of the translation catalogue".
"""
from __future__ import annotations

import ast
import json
import re
import string
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TRANSLATIONS = ROOT / "assets" / "translations"
DOCUMENTED = re.compile(r"[^.]*\btranslation\s+catalogue", re.DOTALL)

Signature = dict[str, int]
"""Parameters that hold texts, each with its position in the call (-1: by keyword only)."""

CALLS: dict[str, Signature] = {
    "_": {"text": 0},
    "Notice": {"text": 0},
    "Failed": {"title": 0, "cause": 1, "fix": 2},
}
ERROR: Signature = {"title": 0, "cause": 1, "fix": 2}


@dataclass(frozen=True, slots=True)
class Source:
    """`path` is relative to the project, with forward slashes."""
    path: str
    tree: ast.Module


@dataclass(frozen=True, slots=True)
class Text:
    """One text of the interface. `text` is None where an f-string stands, which no catalogue can hold."""
    text: str | None
    place: str


def sources(root: Path = ROOT) -> list[Source]:
    """app.py, pages and core, parsed."""
    paths = [path for path in (root / "app.py",) if path.is_file()]
    paths += sorted(path for room in ("pages", "core") for path in (root / room).rglob("*.py"))
    return [Source(path.relative_to(root).as_posix(), ast.parse(path.read_text(encoding="utf-8"))) for path in paths]


def texts(found: Iterable[Source]) -> list[Text]:
    """Every text of the interface with the place where it stands."""
    found = list(found)
    calls = CALLS | {name: ERROR for name in _error_kinds(found)} | _documented_rows(found)
    return [text for source in found for text in (*_texts_of(source, calls), *_documented_values(source, calls))]


def constants(found: Iterable[Source]) -> set[str]:
    """Every string constant of the sources: what an entry of a catalogue may belong to."""
    return {node.value for source in found for node in ast.walk(source.tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def entries(language: str) -> dict[str, dict[str, str]]:
    """The files of a language's folder, by name."""
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted((TRANSLATIONS / language).glob("*.json"))}


def placeholders(template: str) -> set[str]:
    """Names in braces. Raises `ValueError` for braces that don't match."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def missing(language: str) -> dict[str, str]:
    """Texts without an entry, each with the first place where it stands."""
    known = {key for file in entries(language).values() for key in file}
    lacking: dict[str, str] = {}
    for text in texts(sources()):
        if text.text is not None and text.text not in known:
            lacking.setdefault(text.text, text.place)
    return lacking


def _error_kinds(found: Iterable[Source]) -> set[str]:
    classes = [node for source in found if source.path == "core/errors.py" for node in source.tree.body if isinstance(node, ast.ClassDef)]
    return {node.name for node in classes}


def _documented_rows(found: Iterable[Source]) -> dict[str, Signature]:
    """Dataclasses with fields that their docstring, or the one under the field, calls keys or templates of the catalogue."""
    rows: dict[str, Signature] = {}
    for node in (node for source in found for node in ast.walk(source.tree) if isinstance(node, ast.ClassDef)):
        fields = [item for item in node.body if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)]
        names = [field.target.id for field in fields]  # type: ignore[union-attr]
        said = DOCUMENTED.findall(ast.get_docstring(node) or "")
        documented = {name for sentence in said for name in re.findall(r"`(\w+)`", sentence) if name in names}
        documented |= {field.target.id for field in fields if field in _with_docstring(node)}  # type: ignore[union-attr]
        if documented:
            rows[node.name] = {name: names.index(name) for name in names if name in documented}
    return rows


def _with_docstring(node: ast.Module | ast.ClassDef) -> list[ast.stmt]:
    """Statements of a body that are followed by a docstring of their own which speaks of the catalogue."""
    return [statement for statement, below in zip(node.body, node.body[1:])
            if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and DOCUMENTED.search(str(below.value.value))]


def _documented_values(source: Source, rows: dict[str, Signature]) -> Iterator[Text]:
    """Documented constants of the module, and the defaults of documented fields."""
    values = [statement.value for statement in _with_docstring(source.tree) if isinstance(statement, (ast.Assign, ast.AnnAssign))]
    for node in (node for node in source.tree.body if isinstance(node, ast.ClassDef) and node.name in rows):
        values += [field.value for field in node.body if isinstance(field, ast.AnnAssign)
                   and isinstance(field.target, ast.Name) and field.target.id in rows[node.name]]
    for value in filter(None, values):
        for text in _literals(value, {}):
            if text is None or _has_words(text):
                yield Text(text, f"{source.path}:{value.lineno}")


def _texts_of(source: Source, calls: dict[str, Signature]) -> Iterator[Text]:
    tables = {target.id: node.value for node in source.tree.body if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value
              for target in (node.targets if isinstance(node, ast.Assign) else [node.target]) if isinstance(target, ast.Name)}
    for call in (node for node in ast.walk(source.tree) if isinstance(node, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        for parameter, position in calls.get(name, {}).items():
            argument = call.args[position] if position < len(call.args) else given.get(parameter)
            for text in _literals(argument, tables):
                if text is None or _has_words(text):
                    yield Text(text, f"{source.path}:{call.lineno}")


def _literals(node: ast.expr | None, tables: dict[str, ast.expr]) -> Iterator[str | None]:
    """The texts an argument can be: a literal, either branch of a choice, any value of a table of the same module."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr():
            yield None
        case ast.IfExp(body=body, orelse=orelse):
            yield from _literals(body, tables)
            yield from _literals(orelse, tables)
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            for part in parts:
                yield from _literals(part, tables)
        case ast.Dict(values=parts):
            for part in parts:
                yield from _literals(part, tables)
        case ast.Subscript(value=ast.Name(id=table)) | ast.Call(func=ast.Attribute(value=ast.Name(id=table), attr="get")):
            yield from _literals(tables.get(table), {})


def _has_words(template: str) -> bool:
    """Whether anything but placeholders, digits and signs is left to translate."""
    return any(letter.isalpha() for literal, _, _, _ in string.Formatter().parse(template) for letter in literal)


def main(words: list[str]) -> int:
    if not words or words[0] != "missing":
        print("usage: python tools/translations.py missing [LANGUAGE ...]")
        return 2
    lacking = {language: missing(language) for language in words[1:] or sorted(path.name for path in TRANSLATIONS.iterdir())}
    for language, rows in lacking.items():
        for text, place in sorted(rows.items(), key=lambda row: (row[1].rpartition(":")[0], row[0])):
            print(f"{language}  {place}  {json.dumps(text, ensure_ascii=False)}")
    return 1 if any(lacking.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
