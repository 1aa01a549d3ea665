"""Whatever an archive holds, it is read or refused: nothing else is raised, nothing is written, and names are harmless text."""
from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import struct
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from contextlib import closing
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.data.intake.archives import archive_source
from core.data.intake.entries import READ_ERRORS, clean_name
from core.data.intake.sources import upload_source
from core.data.limits import Limits
from core.errors import DataError
from tests.core.data.intake.test_sources import staged

LIMITS = Limits(entries=50, total_bytes=200_000, file_bytes=50_000, ratio_from_bytes=100_000, name_chars=80, nesting=5)
CALM = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))

NASTY = st.sampled_from(["../../x", "/etc/passwd", "C:\\x\\y", "..", ".", "", "a//b", "a\0b", "CON", "x" * 300, "\u202egpj.exe", "a\r\nb",
    "~", "./.", "猫/1.jpg",
                         "\ufeff", "a/../../b", " / ", "cat/1.jpg/"])
NAMES = st.one_of(NASTY, st.text(max_size=30), st.lists(st.one_of(NASTY, st.text(max_size=8)), max_size=4).map("/".join))
CONTENT = st.one_of(st.binary(max_size=200), st.integers(0, 60_000).map(bytes))
UINT16, UINT32 = st.integers(0, 0xFFFF), st.one_of(st.integers(0, 300), st.integers(0, 0xFFFFFFFF))


def check(data: bytes, name: str = "any.zip") -> None:
    """Read it all, as an import does."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "input").write_bytes(data)
        here = sorted(os.listdir()), sorted(os.listdir(folder))
        try:
            source = archive_source(Path(folder) / "input", name, LIMITS)
        except DataError as error:
            assert name in str(error) and error.fix
        else:
            with closing(source):
                total = 0
                for one in source:
                    harmless(one.name)
                    if not one.problem:
                        try:
                            with one.open() as file:
                                total += len(file.read(LIMITS.file_bytes + 1))
                        except READ_ERRORS:
                            continue
                assert total <= LIMITS.total_bytes and len(source.entries) <= LIMITS.entries
        assert (sorted(os.listdir()), sorted(os.listdir(folder))) == here


def harmless(name: str) -> None:
    assert name and not name.startswith(("/", "\\")) and len(name) <= LIMITS.name_chars
    parts = name.split("/")
    assert not {"", ".", ".."} & set(parts) and "\\" not in name
    assert not any(unicodedata.category(letter) in ("Cc",
        "Cs") or letter in "\u202a\u202b\u202d\u202e\u2066\u2067\u2069" for letter in name)
    name.encode("utf-8")


@CALM
@given(NAMES)
def test_a_cleaned_name_is_harmless_and_stays_as_it_is(name: str) -> None:
    cleaned = clean_name(name)
    assert clean_name(cleaned) == cleaned
    if cleaned and len(cleaned) <= LIMITS.name_chars:
        harmless(cleaned)


@st.composite
def zips(draw: st.DrawFn) -> bytes:
    """A zip whose fields say anything, now and then the truth."""
    body, central, n = b"", b"", draw(st.integers(0, 5))
    for _ in range(n):
        name, content = draw(NAMES).encode("utf-8", "surrogatepass")[:60_000], draw(CONTENT)
        method = draw(st.sampled_from([0, 8, 8, 8, 9, 12, 14, 99]))
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        packed = packer.compress(content) + packer.flush() if method == 8 else content
        flags = draw(st.sampled_from([0, 0, 0x800, 0x800, 1, 8, 0x20, 0x40, 0x2000]))
        crc = draw(st.sampled_from([zlib.crc32(content), 0]))
        size, claimed = draw(st.one_of(st.just(len(packed)), UINT32)), draw(st.one_of(st.just(len(content)), UINT32))
        fields = struct.pack("<HHHHHIIIHH", draw(st.sampled_from([20, 20, 45, 255])), flags, method, draw(UINT16), draw(UINT16), crc, size,
            claimed,
                             len(name), 0)
        offset = draw(st.one_of(st.just(len(body)), st.just(len(body)), UINT32))
        central += b"PK\1\2\x14" + bytes((draw(st.sampled_from([0, 3, 19])),)) + fields
        central += struct.pack("<HHHII", 0, 0, 0, draw(st.sampled_from([0, 0o100644 << 16, 0o120777 << 16, 0x10])), offset) + name
        body += b"PK\3\4" + fields + name + packed
    place, count = draw(st.one_of(st.just(len(body)), UINT32)), draw(st.one_of(st.just(n), UINT16))
    return body + central + struct.pack("<4sHHHHIIH", b"PK\5\6", draw(st.sampled_from([0, 0, 0, 3])), 0, count, count, len(central), place,
        0)


@CALM
@given(zips())
def test_any_zip_is_read_or_refused(data: bytes) -> None:
    check(data)


@st.composite
def tars(draw: st.DrawFn) -> bytes:
    """A tar of headers with any type, size and name, packed or not."""
    out = b""
    for _ in range(draw(st.integers(0, 6))):
        info, content = tarfile.TarInfo(), draw(CONTENT)
        info.name, info.linkname = draw(NAMES).replace("\0", "")[:400], draw(NAMES).replace("\0", "")[:24]
        info.size = draw(st.one_of(st.just(len(content)), st.just(len(content)), st.integers(0, 2**40)))
        info.type = draw(st.sampled_from([b"0", b"0", b"0", b"\0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"S", b"L", b"K", b"x", b"g",
            b"V", b"\xff"]))
        info.mtime = draw(st.integers(0, 2**33 - 1))
        block = info.tobuf(draw(st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT])) if len(info.name.encode("utf-8",
            "surrogatepass")) < 90 and info.size < 8**11
                           else tarfile.GNU_FORMAT, "utf-8", "surrogatepass")
        if info.type in (b"x", b"g"):
            content = b"".join(b"%d %s=%s\n" % (len(key) + len(value) + 5, key, value) for key, value in draw(st.lists(st.tuples(
                st.sampled_from([b"path", b"size", b"GNU.sparse.map", b"GNU.sparse.major", b"mtime", b"hdrcharset"]),
                st.sampled_from([b"1", b"-1", b"9" * 30, b"../../x", b"1,2,3", b"\xff", b"0"])), max_size=4)))
        out += block + content + bytes(-len(content) % 512)
    out += bytes(draw(st.sampled_from([0, 512, 1024, 10240])))
    return draw(st.sampled_from([bytes, gzip.compress, bz2.compress, lzma.compress]))(out)


@CALM
@given(tars())
def test_any_tar_is_read_or_refused(data: bytes) -> None:
    check(data, "any.tar")


def whole(kind: str) -> bytes:
    out = io.BytesIO()
    files = {f"cat/{n}.jpg": bytes((n,)) * 700 for n in range(6)}
    if kind == "zip":
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return out.getvalue()
    with tarfile.open(fileobj=out, mode=f"w:{kind}") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


@CALM
@given(st.sampled_from(["zip", "", "gz", "bz2", "xz"]), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6),
    st.floats(0.05, 1))
def test_changed_and_cut_archives_are_read_or_refused(kind: str, changes: list[tuple[float, int]], kept: float) -> None:
    data = bytearray(whole(kind))
    for place, value in changes:
        data[int(place * (len(data) - 1))] = value
    check(bytes(data[:max(1, int(len(data) * kept))]))


@CALM
@given(st.lists(st.tuples(NAMES, CONTENT), max_size=5))
def test_any_names_in_an_upload_are_harmless(files: list[tuple[str, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sent = {name.encode("utf-8", "replace").decode(): data for name, data in files}
        try:
            source = upload_source(staged(Path(folder) / "up", sent), LIMITS)
        except DataError as error:
            assert error.fix
            return
        with closing(source):
            for one in source:
                harmless(one.name)
