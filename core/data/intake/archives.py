"""Archives as entries: zip and tar, known by their content. Nothing is ever unpacked to a name, and nothing is unpacked unseen.

A tar can be read only from its beginning to its end: its entries are cheap to open in their order, and slow in any other.
"""
from __future__ import annotations

import bz2
import gzip
import lzma
import re
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal

from core.data.intake.entries import (
    LINK,
    NO_FILE,
    READ_ERRORS,
    SPARSE,
    Entry,
    Listing,
    below,
    check_count,
    clean_name,
    empty_file,
    entry,
    listed,
    size_text,
)
from core.data.intake.foreign import pickled, refuse_pickles
from core.data.limits import LIMITS, Limits
from core.errors import DataError

Kind = Literal["zip", "tar", "gzip", "bzip2", "xz", "7z", "rar", "zstd", "cab"]
SIGNATURES: dict[bytes, Kind] = {
    b"PK\3\4": "zip", b"PK\5\6": "zip", b"PK\7\x08": "zip", b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz",
    b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!\x1a\x07": "rar", b"\x28\xb5\x2f\xfd": "zstd", b"MSCF": "cab",
}
UNREADABLE = {"7z": "7z", "rar": "RAR", "zstd": "Zstandard", "cab": "Cabinet"}
UNPACK: dict[Kind | None, Callable[[BinaryIO], BinaryIO]] = {
    "gzip": lambda file: gzip.GzipFile(fileobj=file, mode="rb"), "bzip2": bz2.BZ2File,
        "xz": lzma.LZMAFile}  # type: ignore[dict-item, return-value]
BLOCK = 512
PIECE_BYTES = 2**20
HEADER_BYTES = 2**20
"""All that may describe one file in a tar, its long name and attributes included."""
XZ_MEMORY_BYTES = 2**28
PACK_AGAIN = "Pack the folder again with the zip program of your system."
"""A key of the translation catalogue."""


def kind_of(path: Path) -> Kind | None:
    """The kind of archive a file is, by its content; None for anything else, also for documents that are zip files inside."""
    with path.open("rb") as file:
        head = file.read(BLOCK)
    kind = next((kind for signature, kind in SIGNATURES.items() if head.startswith(signature)), None)
    if kind == "zip" and (b"[Content_Types].xml" in head or head[30:].startswith((b"mimetype", b"docProps/", b"xl/", b"word/", b"_rels/"))):
        return None
    return kind or ("tar" if _is_tar(head) else None)


def archive_source(path: Path, name: str = "", limits: Limits = LIMITS) -> Listing:
    """The files of an archive, whatever its ending. `name` is how messages call it.

    Raises `DataError` for archives that are broken, encrypted, of a kind that can't be read, too large, or made to unpack into far
    more than they hold.
    """
    name = name or path.name
    try:
        kind = kind_of(path)
    except OSError as error:
        raise cannot_open(name) from error
    if kind in UNREADABLE:
        raise DataError("“{file}” can't be opened here.", "It is a {kind} archive, and only zip and tar can be read.",
                        "Unpack it and choose the folder, or pack it as a zip file.", file=name, kind=UNREADABLE[kind])
    source = tar_source(path, name, limits) if kind and kind != "zip" else zip_source(path, name, limits)
    try:
        refuse_pickles(name, source)
    except BaseException:
        source.close()
        raise
    return source


def cannot_open(name: str) -> DataError:
    """The refusal of a file that the system does not give."""
    return DataError("“{file}” can't be opened.", "Graft may not read it, or it is gone.", "Check the file, then try again.", file=name)


def archives_source(archives: Iterable[tuple[Path, str]], name: str, limits: Limits = LIMITS) -> Listing:
    """Several archives as one source: each lies in a folder with its own name, without the ending. Raises as `archive_source` does."""
    opened: list[Listing] = []
    try:
        entries: list[Entry] = []
        for path, title in archives:
            opened.append(archive_source(path, title, limits))
            entries += (below(stem(clean_name(title)), one) for one in opened[-1])
            listed(name, entries, limits)
        return Listing(name, tuple(entries), partial(_close, *opened))
    except BaseException:
        _close(*opened)
        raise


def stem(name: str) -> str:
    """The name of an archive without its ending: "pets/cats.tar.gz" -> "pets/cats"."""
    return re.sub(r"(?i)(\.tar)?\.(zip|tar|tgz|tbz2?|txz|gz|bz2|xz)$", "", name) or name


# ---- zip ----

def zip_source(path: Path, name: str = "", limits: Limits = LIMITS) -> Listing:
    """The files of a zip file. `name` is how messages call it. Raises `DataError` as `archive_source` does."""
    name = name or path.name
    file = path.open("rb")
    try:
        _check_parts(file, name)
        watched = _Directory(file, name, limits)
        archive = zipfile.ZipFile(watched)  # type: ignore[arg-type]
        watched.listing = False
        _check_zip(archive, path.stat().st_size, name, limits)
        names = decode_names(archive.infolist())
        entries = (entry(text, info.file_size, partial(archive.open, info), limits, LINK if stat.S_ISLNK(info.external_attr >> 16) else "")
                   for text, info in zip(names, archive.infolist()) if not text.endswith(("/", "\\")))
        return Listing(name, listed(name, entries, limits), partial(_close, archive, file))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, OSError, OverflowError) as error:
        file.close()
        raise DataError("“{file}” can't be opened as a zip file.", "It is incomplete or damaged, or it is no zip file.",
                        "Pack the folder again and upload that.", file=name) from error
    except BaseException:
        file.close()
        raise


@dataclass(slots=True)
class _Directory:
    """The file as `zipfile` reads it. While it reads the list of files, it gets no more than the limits allow: a gigabyte of nothing but
    names would fill the memory before anybody could count them."""
    file: BinaryIO
    name: str
    limits: Limits
    listing: bool = True

    def read(self, n: int = -1) -> bytes:
        data = self.file.read(min(n, PIECE_BYTES + 1024 * self.limits.entries) if self.listing and n >= 0 else n)
        if self.listing:
            check_count(self.name, data.count(zipfile.stringCentralDir), self.limits)
        return data

    def seek(self, position: int, whence: int = 0) -> int:
        return self.file.seek(position, whence)

    def tell(self) -> int:
        return self.file.tell()

    def seekable(self) -> bool:
        return True


def _check_parts(file: BinaryIO, name: str) -> None:
    size = file.seek(0, 2)
    file.seek(max(0, size - 2**16))
    tail = file.read()
    end = tail.rfind(zipfile.stringEndArchive)
    parts = int.from_bytes(tail[end + 4:end + 6], "little") if end >= 0 else 0
    file.seek(0)
    if 0 < parts < 0xFFFF or file.read(4) == b"PK\7\x08":
        raise DataError("“{file}” is one part of several.", "The archive was split into files, and it can't be read without the others.",
                        "Put the parts together with the program that made them, then pack the folder as one zip file.", file=name)


def _check_zip(archive: zipfile.ZipFile, size_bytes: int, name: str, limits: Limits) -> None:
    infos = archive.infolist()
    check_count(name, len(infos), limits)
    if any(info.flag_bits & 1 for info in infos):
        raise DataError("“{file}” is encrypted.", "Its files can't be read without a password.",
                        "Pack the folder again without a password.", file=name)
    if any(info.filename.split("/")[-1] == "data.pkl" for info in infos):  # what torch.save writes
        raise pickled(name)
    if any(info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in infos):
        raise DataError("“{file}” is packed in an unusual way.", "Only the ordinary zip method (Deflate) can be read here.",
                        PACK_AGAIN, file=name)
    total = sum(info.file_size for info in infos)
    if _overlap(infos, archive.start_dir):
        raise DataError("“{file}” is not safe to unpack.", "Some of its files share the same bytes, so that it unpacks into far more.",
                        PACK_AGAIN, file=name)
    if total > limits.ratio_from_bytes and total > limits.ratio * size_bytes:
        raise DataError("“{file}” is not safe to unpack.",
                        "It is {packed} and claims to hold {unpacked}; the most is {limit} times its size.",
                        PACK_AGAIN, file=name, packed=size_text(size_bytes),
                        unpacked=size_text(total), limit=limits.ratio)


def _overlap(infos: Iterable[zipfile.ZipInfo], end: int) -> bool:
    """Whether two entries share bytes, which lets a few kilobytes unpack into gigabytes (Fifield 2019, "A better zip bomb")."""
    ordered = sorted(infos, key=lambda info: info.header_offset)
    ends = [info.header_offset for info in ordered[1:]] + [end]
    return any(not 0 <= info.header_offset <= limit - zipfile.sizeFileHeader - info.compress_size for info, limit in zip(ordered, ends))


# ---- tar ----

def tar_source(path: Path, name: str = "", limits: Limits = LIMITS) -> Listing:
    """The files of a tar file, packed by gzip, bzip2, xz or not at all. Raises `DataError` as `archive_source` does.

    A packed one is unpacked twice, piece by piece: once to list it, and once more as its entries are read.
    """
    name = name or path.name
    kind = kind_of(path)
    file = path.open("rb")
    try:
        _check_xz(file, kind, name)
        unpacked = UNPACK[kind](file) if kind in UNPACK else file
        stream = _Stream(unpacked, path.stat().st_size, kind in UNPACK, name, limits)
        if not _is_tar(stream.read(BLOCK)):
            raise DataError("“{file}” holds a single file.", "It is one compressed file, not an archive of a folder.",
                            "Unpack it and choose the folder, or pack it as a zip file.", file=name)
        members = list(_members(stream, name, limits))
        stream.listing = False
        names = _decoded([text.encode("utf-8", "surrogateescape") for text, _, _, _ in members], windows=False)
        archive = tarfile.TarFile(fileobj=_Nothing())  # type: ignore[arg-type]
        archive.fileobj = stream  # type: ignore[assignment]
        entries = (entry(text, size, partial(_open_member, archive, offset, size) if not problem else empty_file, limits, problem)
                   for text, (_, offset, size, problem) in zip(names, members))
        return Listing(name, listed(name, entries, limits), partial(_close, unpacked, file))
    except (*READ_ERRORS, RecursionError, OverflowError, MemoryError) as error:
        file.close()
        raise DataError("“{file}” can't be opened as a tar file.", "It is incomplete or damaged.",
                        "Pack the folder again and upload that.", file=name) from error
    except BaseException:
        file.close()
        raise


@dataclass(slots=True)
class _Stream:
    """The unpacked bytes of a tar, counted as they come, so that a bomb is stopped before it fills anything.

    While it is listed, `header_bytes` is what `tarfile` may still read before the next file: it takes names and attributes of any size
    into memory.
    """
    file: BinaryIO
    size_bytes: int
    packed: bool
    name: str
    limits: Limits
    listing: bool = True
    header_bytes: int = HEADER_BYTES
    at: int = 0
    last: bytes = b""

    def read(self, n: int = -1) -> bytes:
        if self.listing:
            self.header_bytes -= n
            if n < 0 or self.header_bytes < 0:
                raise DataError("“{file}” is not safe to unpack.", "It gives a single file a size that nothing real has.",
                                PACK_AGAIN, file=self.name)
        data = self.file.read(n)
        self.at, self.last = self.at + len(data), data if self.listing else b""
        if self.packed:
            self._check()
        return data

    def seek(self, position: int, whence: int = 0) -> int:
        """From the beginning only. Forward in a packed one means reading, whatever a header claims lies between."""
        if not self.packed or position < self.at:
            self.at = self.file.seek(position)
        while self.at < position:
            piece = self.file.read(min(PIECE_BYTES, position - self.at))
            if not piece:
                break
            self.at += len(piece)
            self._check()
        return self.at

    def tell(self) -> int:
        return self.at

    def _check(self) -> None:
        if self.at > self.limits.ratio_from_bytes and self.at > self.limits.ratio * self.size_bytes:
            raise DataError("“{file}” is not safe to unpack.", "It is {packed} and unpacks into more than {limit} times its size.",
                            PACK_AGAIN, file=self.name, packed=size_text(self.size_bytes), limit=self.limits.ratio)
        if self.at > self.limits.total_bytes + 4 * BLOCK * self.limits.entries:  # what the files hold, and what stands between them
            raise DataError("“{file}” is too large.", "Its files are more than {limit} together.", "Import it in parts.",
                            file=self.name, limit=size_text(self.limits.total_bytes))


class _Nothing:
    """A tar without any file, for a `TarFile` that only opens members whose places are known."""

    def read(self, n: int = -1) -> bytes:
        return bytes(BLOCK)

    def tell(self) -> int:
        return 0


def _members(stream: _Stream, name: str, limits: Limits) -> Iterator[tuple[str, int, int, str]]:
    """(name, place, size in bytes, problem) of every member that is no folder."""
    stream.seek(0)
    archive = tarfile.TarFile(fileobj=stream, encoding="utf-8", errors="surrogateescape")  # type: ignore[arg-type]
    count = 0
    while (member := archive.next()) is not None:
        archive.members.clear()  # it would keep them all
        stream.header_bytes = HEADER_BYTES
        if member.size < 0:  # tarfile would go back, and round and round
            raise tarfile.ReadError("a file of negative size")
        if not member.isdir():
            count += 1
            check_count(name, count, limits)
            problem = _problem(member)
            yield member.name, member.offset_data, 0 if problem else member.size, problem
    if stream.last.strip(b"\0"):  # tarfile takes damage for the end
        raise tarfile.ReadError("there is something behind the last file")


def _problem(member: tarfile.TarInfo) -> str:
    if member.issym() or member.islnk():
        return LINK
    if member.issparse():
        return SPARSE
    return "" if member.isfile() else NO_FILE


def _open_member(archive: tarfile.TarFile, offset: int, size_bytes: int) -> BinaryIO:
    member = tarfile.TarInfo()
    member.offset_data, member.size = offset, size_bytes
    opened = archive.extractfile(member)
    assert opened is not None, "an ordinary file can be opened"
    return opened  # type: ignore[return-value]


def _is_tar(head: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError, OverflowError):
        return False
    return True


def _check_xz(file: BinaryIO, kind: Kind | None, name: str) -> None:
    """xz can ask for gigabytes of memory in its header."""
    if kind != "xz":
        return
    try:
        lzma.LZMADecompressor(memlimit=XZ_MEMORY_BYTES).decompress(file.read(2**16), 1)
    except lzma.LZMAError as error:
        raise DataError("“{file}” is not safe to unpack.", "It needs more memory than an import may take, or it is damaged.",
                        PACK_AGAIN, file=name) from error
    file.seek(0)


def _close(*opened: zipfile.ZipFile | BinaryIO | Listing) -> None:
    for one in opened:
        one.close()


# ---- names ----

def decode_names(infos: Iterable[zipfile.ZipInfo]) -> list[str]:
    """The names of a zip file's entries. Those that say no encoding are decoded together."""
    infos = list(infos)
    marked = [bool(info.flag_bits & 0x800) for info in infos]
    raw = [b"" if utf8 else info.orig_filename.encode("cp437") for info, utf8 in zip(infos, marked)]
    windows = all(info.create_system == 0 for info, name in zip(infos, raw) if not name.isascii())
    decoded = _decoded(raw, windows)
    return [info.orig_filename if utf8 else name for info, utf8, name in zip(infos, marked, decoded)]


def _decoded(raw: list[bytes], windows: bool) -> list[str]:
    """Names in one encoding that none of them says: UTF-8, GBK or the old DOS letters.

    Some GBK names are valid UTF-8 by accident. Windows programs that write UTF-8 say so; hence unmarked names from Windows
    that would be UTF-8 without a single Chinese letter, and are common Chinese as GBK, are taken for GBK.
    """
    encoding = _guess_encoding(b"\n".join(name for name in raw if not name.isascii()), windows)
    return [name.decode(encoding) for name in raw]


def _guess_encoding(names: bytes, windows: bool) -> str:
    def common_chinese(least: float) -> bool:
        try:
            letters = [letter for letter in names.decode("gb18030") if letter > "\x7f"]
        except UnicodeDecodeError:
            return False
        common = sum(letter.encode("gb2312", "ignore") != b"" for letter in letters)
        return bool(letters) and common >= least * len(letters)

    try:
        text = names.decode("utf-8")
    except UnicodeDecodeError:
        return "gb18030" if common_chinese(0.5) else "cp437"
    return "gb18030" if windows and text and max(text) < "\u0800" and common_chinese(1.0) else "utf-8"
