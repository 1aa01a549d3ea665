"""What kind of data a source holds, and the reader for it: pictures in folders, pictures listed in a table, tables of texts, text files."""
from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace
from pathlib import Path, PurePosixPath

from core.data.intake.collected import Collected, Progress
from core.data.intake.entries import below
from core.data.intake.foreign import HEAD_BYTES, PICTURES
from core.data.intake.layout import arrange, may_be_picture
from core.data.intake.manifest import Manifest, read_manifest
from core.data.intake.read_pictures import read_pictures
from core.data.intake.read_texts import Kept, keep_tables, open_tables, read_tables, read_text_files
from core.data.intake.sources import READ_ERRORS, Entry, Limits, Source
from core.data.intake.tables import is_table
from core.data.versions import Rejected, TableChoice, TableSource
from core.errors import DataError

TEXT_FILES = (".txt", ".text")
FOLDERS_COUNT = "The folders of the pictures tell their labels, so this table is not used."
"""A template of the translation catalogue."""
NAMES_NO_PICTURES = "It names too few of the pictures, or has no labels, so this table is not used."
"""A template of the translation catalogue."""
LOOKED_INTO = 20
"""Files without a telling ending whose first bytes are read."""


def collect(source: Source, staging: Path, limits: Limits, progress: Progress, choice: TableChoice = TableChoice(),
            least: int = 2) -> Collected:
    """Read a source by the reader for its kind. `least`: labels that its folders must tell.

    Raises `DataError` when it holds no kind that is known, or two at once.
    """
    entries = _named(source, least)
    sound = [entry for entry in entries if not entry.problem]
    tables = [entry for entry in sound if is_table(entry.name)]
    others = [entry for entry in entries if entry.problem or not is_table(entry.name)]
    texts = _text_files(sound)
    pictures = [entry for entry in sound if may_be_picture(entry.name) and entry.name not in texts]
    if len(sound) == 1 and texts and "/" not in sound[0].name:
        _refuse_lone_text(sound[0].name)
    if _mixed(pictures, texts):
        raise DataError("“{file}” holds pictures and texts.", "There are {pictures} pictures and {texts} texts; a dataset is of one kind.",
                        "Put the pictures and the texts in folders of their own and import each by itself.", file=source.name,
                        pictures=len(pictures), texts=len(texts))
    if len(pictures) > len(texts) / 20 or not (texts or tables):
        return _pictures(source, others, tables, pictures, staging, limits, progress, choice, least)
    if tables and len(texts) <= 10 * len(tables):
        kept, lost = keep_tables(tables, source.name, staging, limits)
        if kept:
            collected = read_tables(kept, staging, limits, progress, choice)
            return replace(collected, rejected=(*lost, *collected.rejected))
    layout = arrange([entry.name for entry in others if not entry.problem], "text", texts.__contains__, least)
    return read_text_files(others, layout, source.name, staging, limits, progress, texts.__contains__)


def _pictures(source: Source, others: Sequence[Entry], tables: Sequence[Entry], pictures: Sequence[Entry], staging: Path, limits: Limits,
              progress: Progress, choice: TableChoice, least: int) -> Collected:
    kept, lost = keep_tables(tables, source.name, staging, limits) if tables else ([], [])
    manifest, problem = _manifest(pictures, kept, limits, choice)
    try:
        layout = arrange([entry.name for entry in others if not entry.problem], least=least)
    except DataError as error:
        if manifest is None:
            if kept and len(pictures) <= 5:  # drawings beside a table of texts
                return read_tables(kept, staging, limits, progress, choice)
            raise problem or _unmatched(kept, pictures) or error
    else:
        if manifest is None or manifest.share < 0.5:
            collected = read_pictures(others, layout, source.name, staging, limits, progress)
            unused = (Rejected(one.name, FOLDERS_COUNT) for one in kept)
            return replace(collected, rejected=(*lost, *unused, *collected.rejected))
    return _by_table(manifest, pictures, [entry for entry in others if entry.problem], kept, source, staging, limits, progress)


def _by_table(manifest: Manifest, pictures: Sequence[Entry], broken: Sequence[Entry], kept: Sequence[Kept], source: Source,
              staging: Path, limits: Limits, progress: Progress) -> Collected:
    collected = read_pictures([*pictures, *broken], manifest.layout, source.name, staging, limits, progress)
    files = tuple((one.name, one.sha) for one in kept if one.name in manifest.tables)
    table = TableSource(files, manifest.columns, manifest.choice)
    unused = (Rejected(one.name, NAMES_NO_PICTURES) for one in kept if one.name not in manifest.tables)
    return replace(collected, rejected=(*collected.rejected, *manifest.left_out, *unused), table=table, reading=manifest.reading)


def _manifest(pictures: Sequence[Entry], kept: Sequence[Kept], limits: Limits,
              choice: TableChoice) -> tuple[Manifest | None, DataError | None]:
    if not kept:
        return None, None
    try:
        tables, _ = open_tables(kept, choice.encoding, limits)
        return read_manifest([entry.name for entry in pictures], tables, choice), None
    except DataError as error:
        return None, error


def _unmatched(kept: Sequence[Kept], pictures: Sequence[Entry]) -> DataError | None:
    if not kept:
        return None
    return DataError("“{file}” names too few of the pictures.", "No column of it holds the names of most pictures, such as {example}.",
                     "Give it a column with the pictures' file names and one with their labels, or put the pictures of each label "
                     "in a folder.",
                     file=kept[0].name, example=pictures[0].name[-80:])


def _named(source: Source, least: int) -> list[Entry]:
    """The entries; those of a single class, chosen by its folder, under the folder's name, which is the label."""
    entries = list(source)
    names = {entry.name for entry in entries}
    if least > 1 or source.name in names or any("/" in name for name in names):
        return entries
    return [below(source.name, entry) for entry in entries]


def _text_files(entries: Sequence[Entry]) -> set[str]:
    """Files that end like texts; also those without an ending, when the first of them begin like texts."""
    found = {entry.name for entry in entries if entry.name.lower().endswith(TEXT_FILES)}
    bare = [entry for entry in entries if may_be_picture(entry.name) and not entry.name.lower().endswith(PICTURES)]
    looked = bare[::max(1, len(bare) // LOOKED_INTO)][:LOOKED_INTO]
    if looked and sum(map(_begins_like_text, looked)) > len(looked) / 2:
        found |= {entry.name for entry in bare}
    return found


def _begins_like_text(entry: Entry) -> bool:
    try:
        with entry.open() as file:
            head = file.read(HEAD_BYTES)
    except READ_ERRORS:
        return False
    if not head or b"\x00" in head or head.lstrip()[:1] == b"<":  # a page or a drawing
        return False
    return sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head) == 0 and (head.isascii() or _utf8(head))


def _utf8(head: bytes) -> bool:
    return head[:-4].decode("utf-8", "replace").count("\ufffd") <= 1


def _mixed(pictures: Sequence[Entry], texts: Set[str]) -> bool:
    """Texts that go with a picture of the same name, such as notes or boxes, and a few notes, are no texts of their own."""
    stems = {PurePosixPath(entry.name).stem for entry in pictures}
    own = sum(PurePosixPath(name).stem not in stems for name in texts if "/" in name)
    return own > len(pictures) / 2 and own > 3 and len(pictures) > own / 20


def _refuse_lone_text(name: str) -> None:
    raise DataError("“{file}” is a single text.", "A dataset needs many texts, each with its label.",
                    "Import a table with a column of texts and one of labels, or a folder with one sub-folder of text files "
                    "for each label.",
                    file=name)
