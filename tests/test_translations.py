"""The catalogues of translations hold every text of the interface, and nothing else."""
from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.models.catalog import CATALOG, phrase
from tools import translations
from tools.translations import Source, constants, entries, placeholders, sources, texts

LANGUAGES = sorted(path.name for path in translations.TRANSLATIONS.iterdir() if path.is_dir())

FREEZE_MAP = {text for row in CATALOG.values() for block in row.blocks for text in (phrase(block.group)[0], block.note) if text}
"""Groups and notes come from measured facts, so they stand nowhere in the source; numbers in them are placeholders."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_has_an_entry(language: str) -> None:
    lacking = [f"{place}  {json.dumps(text, ensure_ascii=False)}" for text, place in translations.missing(language).items()]
    assert not lacking, f"{len(lacking)} texts have no entry (tools/translations.py missing {language}):\n" + "\n".join(sorted(lacking))


def test_a_text_with_values_is_a_template_and_no_f_string() -> None:
    wrong = sorted(text.place for text in texts(sources()) if text.text is None)
    assert not wrong, "an f-string has no entry in any catalogue; pass a literal template and its values: " + ", ".join(wrong)


@pytest.mark.parametrize("language", LANGUAGES)
def test_entries_keep_the_placeholders(language: str) -> None:
    wrong = [f"{file}: {key!r} → {value!r}" for file, rows in entries(language).items() for key, value in rows.items()
             if placeholders(key) != placeholders(value)]
    assert not wrong, "other placeholders than the English text:\n" + "\n".join(wrong)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_entry_is_left_over(language: str) -> None:
    used = constants(sources()) | FREEZE_MAP
    stale = [f"{file}: {key!r}" for file, rows in entries(language).items() for key in rows if key not in used]
    assert not stale, "entries whose English text stands nowhere in the source:\n" + "\n".join(stale)


@pytest.mark.parametrize("language", LANGUAGES)
def test_files_agree_on_a_text_they_share(language: str) -> None:
    seen: dict[str, tuple[str, str]] = {}
    for file, rows in entries(language).items():
        for key, value in rows.items():
            other, said = seen.setdefault(key, (file, value))
            assert said == value, f"{key!r} is {said!r} in {other} and {value!r} in {file}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_the_freeze_map_draws_has_an_entry(language: str) -> None:
    assert FREEZE_MAP - {key for rows in entries(language).values() for key in rows} == set()


def _found(tmp_path: Path, code: str) -> list[str | None]:
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "errors.py").write_text("class DataError(Exception): ...\n", encoding="utf-8")
    (tmp_path / "app.py").write_text(code, encoding="utf-8")
    return [text.text for text in texts(sources(tmp_path))]


@pytest.mark.parametrize("code, expected", [
    ('_("Run " "{name}", name=x)', ["Run {name}"]),
    ('_("on" if x else "off")', ["on", "off"]),
    ('WORDS = {1: "one", 2: "two"}\n_(WORDS[n])', ["one", "two"]),
    ('raise DataError("Title.", fix="Fix {a}.", a=1)', ["Title.", "Fix {a}."]),
    ('raise DataError("{problems}")', []),
    ('Notice(text="Halved to {n}.")', ["Halved to {n}."]),
    ('_(f"Run {name}")', [None]),
    ('class Row:\n    """`label` is a key of the translation catalogue."""\n    key: str\n    label: str\nRow("a", "A label")', ["A label"]),
    ('class Row:\n    key: str\n    label: str\n    """A key of the translation catalogue."""\nRow("a", label="A label")', ["A label"]),
    ('class Row:\n    """`label` is a key of the translation catalogue."""\n    key: str\n    label: str = "Standard"', ["Standard"]),
    ('NAMES = ("stem", "stage {a}")\n"""Keys of the translation catalogue."""', ["stem", "stage {a}"]),
])
def test_texts_are_found_where_they_stand(tmp_path: Path, code: str, expected: list[str | None]) -> None:
    assert _found(tmp_path, code) == expected


def test_the_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text('\n_("Hello")\n', encoding="utf-8")
    found: list[Source] = sources(tmp_path)
    assert [text.place for text in texts(found)] == ["app.py:2"]
