"""Folders, uploads, archives and pictures that lie, break or attack: rows of the corpus."""
from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from PIL import Image

from core.data.limits import LIMITS, Limits
from tests.core.data.intake.test_archives import gzip_of, header, member
from tests.core.data.picture_files import HEIC, classes, encoded, jpeg, picture, write_tree
from tests.corpus.rows import GOOD, Row, file, tree, upload

MB = 10**6
LOW = Limits(ratio_from_bytes=20 * MB)
"""Bombs are found out early, so that these tests need no hundreds of megabytes."""
NO_LINKS = "" if hasattr(os, "mkfifo") else "this system has no pipes and links like these"
AS_ROOT = "root may read everything" if not hasattr(os, "geteuid") or os.geteuid() == 0 else ""
SAFE = "“{file}” is not safe to unpack."
DAMAGED_ZIP, DAMAGED_TAR = "“{file}” can't be opened as a zip file.", "“{file}” can't be opened as a tar file."


# ---- builders ----

def on_disk(change: Callable[[Path], object]) -> Callable[[Path], Path]:
    """The good folder, changed."""
    def make(folder: Path) -> Path:
        root = write_tree(folder / "pets", GOOD)
        change(root)
        return root
    return make


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED, change: Callable[[bytearray], object] = len) -> bytes:
    """A zip file, changed afterwards."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name) if name.endswith("\0") else name, data, method)
    data = bytearray(out.getvalue())
    change(data)
    return bytes(data)


def tarred(members: list[tuple[tarfile.TarInfo, bytes]] | Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for info, data in [member(*pair) for pair in members.items()] if isinstance(members, Mapping) else members:
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def raw_names(files: Mapping[bytes, bytes], flags: int = 0) -> bytes:
    """A zip file with names in any bytes; what Python's own module would not write."""
    body, central = bytearray(), bytearray()
    for name, data in files.items():
        fields = struct.pack("<HHHHHIIIHH", 20, flags, 0, 0, 0, zlib.crc32(data), len(data), len(data), len(name), 0)
        central += b"PK\1\2" + b"\x14\x03" + fields + struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + name
        body += b"PK\3\4" + fields + name + data
    n = min(len(files), 0xFFFF)
    return bytes(body + central) + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, n, n, len(central), len(body), 0)


def poke(signature: bytes, offset: int, value: bytes, last: bool = False) -> Callable[[bytearray], object]:
    """Write over the fields of the first (or last) record with this signature."""
    def change(data: bytearray) -> None:
        place = (data.rindex if last else data.index)(signature) + offset
        data[place:place + len(value)] = value
    return change


def every(signature: bytes, offset: int, value: bytes) -> Callable[[bytearray], object]:
    def change(data: bytearray) -> None:
        place = data.find(signature)
        while place >= 0:
            data[place + offset:place + offset + len(value)] = value
            place = data.find(signature, place + 1)
    return change


def overlapping() -> bytes:
    """Five hundred names for one megabyte of zeros."""
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = packed.compress(bytes(MB)) + packed.flush()
    fields = struct.pack("<HHHHHIII", 20, 0, 8, 0, 0, zlib.crc32(bytes(MB)), len(data), MB)
    body = b"PK\3\4" + fields + struct.pack("<HH", 7, 0) + b"a/0.bmp" + data
    central = b"".join(b"PK\1\2\x14\x03" + fields + struct.pack("<HHHHHII", 10, 0, 0, 0, 0, 0, 0) + b"a/%04d.bmp" % n for n in range(500))
    return body + central + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 500, 500, len(central), len(body), 0)


def matryoshka() -> bytes:
    """Zip in zip in zip, each more than the one around it."""
    data = zipped({"core.bmp": bytes(10 * MB)})
    for depth in range(4):
        data = zipped({f"{depth}/{n}.zip": data for n in range(4)}, zipfile.ZIP_STORED)
    return zipped({**GOOD, "cat/inner.zip": data})


def many(n: int) -> bytes:
    """That many empty files, which can be no pictures, beside four that are."""
    return raw_names({name.encode(): data for name, data in GOOD.items()} | {b"notes/%06d.xml" % number: b"" for number in range(n)})


def negative_tar() -> bytes:
    block = bytearray(header("a/1.jpg", 0))
    block[124:136] = b"\xff" * 8 + struct.pack(">i", -512)
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + sum(block[156:]) + 8 * 32)
    return bytes(block) * 4 + bytes(1024)


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    body = b"".join(chunk(*one) for one in chunks) + chunk(b"IDAT", zlib.compress(b"\0" * 10_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + body + chunk(b"IEND", b"")


def sized(data: bytes, offset: int, value: bytes) -> bytes:
    """The picture with another size in its header."""
    return data[:offset] + value + data[offset + len(value):]


def jpeg_size(width: int, height: int) -> bytes:
    data = jpeg()
    return sized(data, data.index(b"\xff\xc0") + 5, struct.pack(">HH", height, width))


def huge_tiff() -> bytes:
    tags = [(256, 4, 1, 90_000), (257, 4, 1, 90_000), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 1),
            (278, 4, 1, 90_000), (279, 4, 1, 100)]
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H",
        len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(200)


def huge_webp() -> bytes:
    data = b"VP8X" + struct.pack("<I", 10) + b"\x10\0\0\0" + (16_000).to_bytes(3, "little") + (16_000).to_bytes(3, "little")
    data += b"ALPH" + struct.pack("<I", 4) + bytes(4) + encoded(picture(), "WEBP")[12:]
    return b"RIFF" + struct.pack("<I", len(data) + 4) + b"WEBP" + data


def frames(n: int) -> bytes:
    pages = [Image.new("P", (400, 400), number % 250) for number in range(n)]
    return encoded(pages[0], "GIF", save_all=True, append_images=pages[1:])


# ---- rows of every kind ----

def left_out(id: str, data: bytes, words: str, name: str = "cat/bad.jpg", **options: object) -> Row:
    """A file among good pictures that must be named with its reason."""
    return Row(id, tree(GOOD | {name: data}), rejected={name: words}, accepted=tuple(GOOD), **options)  # type: ignore[arg-type]


def taken(id: str, data: bytes, name: str = "cat/odd.jpg", **options: object) -> Row:
    """An odd file among good pictures that is a picture all the same."""
    return Row(id, tree(GOOD | {name: data}), accepted=(*GOOD, name), **options)  # type: ignore[arg-type]


def called(id: str, label: str, shown: str) -> Row:
    """A label whose name attacks whoever shows it: it comes as the text `shown`."""
    return Row(id, file("pets.zip", lambda: zipped({name.replace("cat/", f"{label}/"): data for name, data in GOOD.items()})),
               labels=tuple(sorted((shown, "dog"))))


FOLDERS = (
    Row("folder: link to a file outside", on_disk(lambda root: (root / "cat" / "out.jpg").symlink_to("/etc/passwd")),
        rejected={"cat/out.jpg": "A link to another place"}, skip=NO_LINKS),
    Row("folder: link to a folder outside", on_disk(lambda root: (root / "owl").symlink_to("/etc")),
        rejected={"owl": "A link to another place"}, labels=("cat", "dog"), skip=NO_LINKS),
    Row("folder: link in a circle", on_disk(lambda root: (root / "cat" / "self.jpg").symlink_to("self.jpg")),
        rejected={"cat/self.jpg": "A link to another place"}, skip=NO_LINKS),
    Row("folder: link to its own parent", on_disk(lambda root: (root / "cat" / "up").symlink_to(root)),
        rejected={"cat/up": "A link to another place"}, skip=NO_LINKS),
    Row("folder: link to nothing", on_disk(lambda root: (root / "cat" / "gone.jpg").symlink_to("gone")),
        rejected={"cat/gone.jpg": "A link to another place"}, skip=NO_LINKS),
    Row("folder: pipe", on_disk(lambda root: os.mkfifo(root / "cat" / "pipe.jpg")), rejected={"cat/pipe.jpg": "no ordinary file"},
        skip=NO_LINKS),
    Row("folder: endless device", on_disk(lambda root: (root / "cat" / "zero.jpg").symlink_to("/dev/zero")),
        rejected={"cat/zero.jpg": "A link to another place"}, skip=NO_LINKS),
    Row("folder: file that may not be read", on_disk(lambda root: (write_tree(root, {"cat/mine.jpg": jpeg(9)}) / "cat/mine.jpg").chmod(0)),
        rejected={"cat/mine.jpg": "can't be opened"}, skip=NO_LINKS or AS_ROOT),
    Row("folder: folder that may not be read", on_disk(lambda root: (write_tree(root, {"owl/1.jpg": jpeg(9)}) / "owl").chmod(0)),
        rejected={"owl": "can't be opened"}, skip=NO_LINKS or AS_ROOT),
    Row("folder: reserved names of Windows", tree(classes({"CON": 2, "aux": 2}) | {"CON/NUL.jpg": jpeg(8), "aux/COM1.png": jpeg(9)}),
        labels=("CON", "aux"), accepted=("CON/NUL.jpg", "aux/COM1.png"),
            skip="" if sys.platform != "win32" else "they can't be made there"),
    Row("folder: names that end in dots and spaces", file("pets.zip", lambda: zipped(classes({"cat.": 2, "dog ": 2, "owl": 2}))),
        labels=("cat.", "dog", "owl")),
    Row("folder: names that differ in case only", file("pets.zip", lambda: zipped(classes({"Cat": 2, "cat": 2}))), labels=("Cat", "cat")),
    Row("folder: name of bytes that are no text",
        on_disk(lambda root: Path(os.fsdecode(os.fsencode(root) + b"/cat/\xff\xfe.jpg")).write_bytes(jpeg(9))),
        accepted=("cat/\ufffd\ufffd.jpg",), skip="" if sys.platform == "linux" else "names are always text there"),
    Row("folder: too many folders inside one another", file("pets.zip", lambda: zipped(GOOD | {"cat/" + "x/" * 60 + "1.jpg": jpeg(9)})),
        rejected={"cat/" + "x/" * 60 + "1.jpg": "too many folders"}),
    Row("folder: name that is far too long", file("pets.zip", lambda: zipped(GOOD | {"cat/" + "n" * 5000 + ".jpg": jpeg(9)})),
        rejected={"cat/" + "n" * 56 + "…": "name is too long"}),
    Row("folder: empty", tree({}), refused="There are no files in “{file}”."),
    Row("folder: nothing but hidden files", tree({".git/1.jpg": jpeg(), "cat/.DS_Store": b"x", "__MACOSX/cat/1.jpg": b"x"}),
        refused="There are no files in “{file}”."),
    Row("folder: one label", tree(classes({"cat": 5})), refused="Only one label: add a second folder"),
    Row("folder: a label with braces and too few pictures", tree(classes({"cat": 3, "{c.__class__} {x}": 1})),
        refused="“{c}” has {n} items, needs {m}", says=("“{c.__class__} {x}” has 1 items",)),
    Row("folder: more files than the limit", tree(classes({"cat": 4, "dog": 4})), refused="“{file}” holds too many files.",
        says=("pets", "7"),
        limits=Limits(entries=7)),
    Row("folder: more bytes than the limit", tree(GOOD), refused="“{file}” is too large.", says=("pets", "1 kB"),
        limits=Limits(total_bytes=1000)),
    Row("folder: one file beyond the limit", tree(GOOD | {"cat/big.bmp": bytes(60_000)}), rejected={"cat/big.bmp": "larger than 50 kB"},
        limits=Limits(file_bytes=50_000)),
    Row("folder: not there", lambda folder: folder / "nowhere", refused="There is no file or folder “{file}”."),
)

NAMES = (
    called("name: control characters", "ca\x07\x1b[31mt", "ca[31mt"), called("name: new lines", "ca\r\nt", "cat"),
    called("name: reversed writing", "cat\u202egpj", "catgpj"),
    called("name: HTML", "<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
    called("name: Markdown", "![t](x)", "![t](x)"), called("name: formula", "=cmd|' /C calc'!A0", "=cmd|'"),
    called("name: braces", "{0.__class__}", "{0.__class__}"),
    called("name: invisible mark at its beginning", "\ufeffcat", "cat"), called("name: joined emoji", "👩‍🔬", "👩‍🔬"),
)

PICTURES = (
    left_out("picture: empty", b"", "The file is empty"),
    *(left_out(f"picture: cut {kind}", (HEIC if kind == "HEIC" else encoded(picture(3, (200, 150)), kind))[:-share], "he picture",
        f"cat/cut.{kind}")
      for kind, share in (("JPEG", 9000), ("PNG", 9000), ("WEBP", 5000), ("GIF", 9000), ("BMP", 9000), ("TIFF", 9000), ("AVIF", 4000),
              ("HEIC", 60))),
    left_out("picture: PNG with a wrong checksum", sized(encoded(picture(), "PNG"), 60, b"\0\1\2\3\4\5\6\7"), "he picture"),
    left_out("picture: PNG bomb", png(60_000, 60_000), "million pixels"),
    left_out("picture: PNG beyond the limit", png(11_000, 10_000), "11000 × 10000"),
    left_out("picture: PNG with a bomb of text", png(24, 18, (b"zTXt", b"a\0\0" + zlib.compress(bytes(60 * MB), 1))), "picture"),
    left_out("picture: PNG with a bomb of a colour profile", png(24, 18, (b"iCCP", b"a\0\0" + zlib.compress(bytes(60 * MB), 1))),
        "picture"),
    left_out("picture: GIF bomb", sized(encoded(picture(), "GIF"), 6, struct.pack("<HH", 65_535, 65_535)), "million pixels"),
    left_out("picture: TIFF bomb", huge_tiff(), "million pixels"), left_out("picture: WebP bomb", huge_webp(), "million pixels"),
    left_out("picture: BMP bomb", sized(encoded(picture(), "BMP"), 18, struct.pack("<ii", 60_000, 60_000)), "million pixels"),
    left_out("picture: JPEG bomb", jpeg_size(65_500, 65_500), "million pixels"),
    left_out("picture: BMP of negative size", sized(encoded(picture(), "BMP"), 18, struct.pack("<ii", -24, 18)), "million pixels"),
    left_out("picture: beyond the pixels that the settings allow", encoded(picture(1, (300, 300))), "0.05 million pixels",
        limits=Limits(pixels=50_000)),
    left_out("picture: numbers that are none", encoded(Image.new("F", (9, 9), float("inf")), "TIFF"), "values that are no numbers",
        "cat/inf.tif"),
    left_out("picture: SVG", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "an SVG drawing"),
    left_out("picture: web page", b"<!DOCTYPE html><html><body>404 not found</body></html>", "a web page"),
    left_out("picture: PDF", b"%PDF-1.7\n1 0 obj", "a PDF document"),
    left_out("picture: PostScript", b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) (r) file\nshowpage", "a PostScript drawing"),
    left_out("picture: PostScript for Windows", b"\xc5\xd0\xd3\xc6" + bytes(40), "a PostScript drawing"),
    left_out("picture: script", b"#!/bin/sh\ntouch /tmp/owned\n", "a program"),
    left_out("picture: PHP", b"<?php system($_GET['c']); ?>", "a program"),
    left_out("picture: Windows program", b"MZ\x90\0" + bytes(99), "a program"), left_out("picture: zip", zipped({"a": b"x"}), "an archive"),
    left_out("picture: text", b"these are not the pixels you are looking for", "It is text"),
    left_out("picture: video", b"\0\0\0\x20ftypisom" + bytes(99), "a video"),
    left_out("picture: Photoshop", b"8BPS\0\1" + bytes(99), "a Photoshop file"),
    left_out("picture: icon", b"\0\0\1\0\1\0\x10\x10" + bytes(60), "an icon"),
    left_out("picture: pickle", pickle.dumps({b"data": bytes(3072)}, 2), "pickled data"),
    left_out("picture: NumPy objects", b"\x93NUMPY\1\0v\0{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "an array of numbers"),
    left_out("picture: pointer instead of a file", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n", "Git LFS"),
    left_out("picture: noise", bytes(range(128, 256)) * 9, "It is no JPEG"),
    taken("accepted: PNG called .jpg", encoded(picture(9), "PNG")), taken("accepted: no ending", jpeg(9), "cat/photo"),
    taken("accepted: moving GIF", encoded(picture(9).quantize(9), "GIF", save_all=True, append_images=[picture(8).quantize(9)]),
        "cat/a.gif"),
    taken("accepted: GIF of a thousand frames", frames(1000), "cat/film.gif"),
    taken("accepted: moving WebP", encoded(picture(9), "WEBP", save_all=True, append_images=[picture(8)]), "cat/a.webp"),
    taken("accepted: moving PNG", encoded(picture(9), "PNG", save_all=True, append_images=[picture(8)]), "cat/a.png"),
    taken("accepted: 16 bits", encoded(Image.new("I;16", (24, 18), 40_000), "PNG"), "cat/deep.png"),
    taken("accepted: floats", encoded(picture(9).convert("F"), "TIFF"), "cat/float.tif"),
    taken("accepted: CMYK", encoded(picture(9, mode="CMYK"))),
    taken("accepted: palette with alpha", encoded(picture(9).quantize(9), "PNG", transparency=3), "cat/p.png"),
    taken("accepted: grey with alpha", encoded(picture(9, mode="LA"), "PNG"), "cat/la.png"),
    taken("accepted: black and white", encoded(picture(9, mode="1"), "PNG"), "cat/1.png"),
    taken("accepted: HEIC", HEIC, "cat/IMG_0001.HEIC"), taken("accepted: AVIF", encoded(picture(9), "AVIF"), "cat/a.avif"),
    taken("accepted: one pixel", encoded(Image.new("RGB", (1, 1)), "PNG"), "cat/1x1.png"),
    taken("accepted: very long", encoded(Image.new("RGB", (30_000, 1)), "PNG"), "cat/long.png"),
    taken("accepted: a program behind the picture", jpeg(9) + zipped({"evil.sh": b"#!/bin/sh"})),
    taken("accepted: thirty million pixels", encoded(Image.new("RGB", (6000, 5000)), "PNG"), "cat/wide.png", peak_mb=420),
)

SLIP = {"../../evil.jpg": jpeg(31), "/etc/cron.d/job.jpg": jpeg(32), "C:\\Windows\\evil.jpg": jpeg(33), "..\\..\\up.jpg": jpeg(34)}
LINKED = [member("cat/out.jpg", b"", tarfile.SYMTYPE, "/etc/passwd"), member("cat/hard.jpg", b"", tarfile.LNKTYPE, "cat/0.jpg"),
          member("cat/tty.jpg", b"", tarfile.CHRTYPE), member("cat/sda.jpg", b"", tarfile.BLKTYPE),
              member("cat/pipe.jpg", b"", tarfile.FIFOTYPE)]


def linked_zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in GOOD.items():
            archive.writestr(name, data)
        link = zipfile.ZipInfo("cat/out.jpg")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    return out.getvalue()


ZIPS = (
    Row("zip: names that lead out", file("pets.zip", lambda: zipped(GOOD | SLIP)), accepted=tuple(GOOD)),
    Row("zip: absolute names only", file("pets.zip", lambda: zipped({f"/{name}": data for name, data in GOOD.items()})),
        accepted=tuple(GOOD)),
    Row("zip: paths of Windows", file("pets.zip",
        lambda: zipped({"C:\\pets\\" + name.replace("/", "\\"): data for name, data in GOOD.items()})),
        labels=("cat", "dog")),
    Row("zip: link", file("pets.zip", linked_zip), rejected={"cat/out.jpg": "A link to another place"}),
    Row("zip: NUL in a name", file("pets.zip",
        lambda: raw_names({name.encode(): data for name, data in GOOD.items()} | {b"cat/x.jpg\0.exe": jpeg(9)})),
        accepted=("cat/x.jpg.exe",)),
    Row("zip: the same name twice", file("pets.zip",
        lambda: raw_names({**{name.encode(): data for name, data in GOOD.items()}, b"./cat/0.jpg": jpeg(9)})),
        accepted=tuple(GOOD)),
    Row("zip: bomb of files that overlap", file("bomb.zip", overlapping), refused=SAFE, says=("bomb.zip", "share the same bytes")),
    Row("zip: bomb by ratio", file("bomb.zip", lambda: zipped({f"a/{n}.bmp": bytes(10 * MB) for n in range(6)})), refused=SAFE,
        says=("times its size",),
        limits=LOW),
    Row("zip: bomb of zips inside", file("pets.zip", matryoshka), rejected={"cat/inner.zip": "An archive among the files"},
        accepted=tuple(GOOD)),
    Row("zip: claims gigabytes", file("pets.zip", lambda: zipped(GOOD, change=poke(b"PK\1\2", 24, b"\xfe\xff\xff\xff"))), refused=SAFE,
        says=("4.29 GB",)),
    Row("zip: claims more than it holds",
        file("pets.zip", lambda: zipped(GOOD | {"dog/z.jpg": jpeg(9)}, change=poke(b"PK\1\2", 24, b"\0\0\0\x08", last=True))),
        rejected={"dog/z.jpg": "larger than"}, accepted=tuple(GOOD)),
    Row("zip: claims less than it holds",
        file("pets.zip", lambda: zipped(GOOD | {"dog/z.jpg": jpeg(9)}, change=poke(b"PK\1\2", 24, b"\x20\0\0\0", last=True))),
        rejected={"dog/z.jpg": "damaged"}, accepted=tuple(GOOD)),
    Row("zip: wrong checksum", file("pets.zip",
        lambda: zipped(GOOD | {"dog/z.jpg": jpeg(9)}, change=poke(b"PK\1\2", 16, b"\1\2\3\4", last=True))),
        rejected={"dog/z.jpg": "what the archive holds is not what it says"}, accepted=tuple(GOOD)),
    Row("zip: packed bytes that are damaged",
        file("pets.zip", lambda: zipped(GOOD | {"dog/z.jpg": bytes(5000)}, change=poke(b"dog/z.jpg", 9, b"\xff" * 9))),
        rejected={"dog/z.jpg": "what the archive holds is not what it says"}, accepted=tuple(GOOD)),
    Row("zip: another name before the file",
        file("pets.zip", lambda: zipped(GOOD | {"dog/z.jpg": jpeg(9)}, change=poke(b"dog/z.jpg", 0, b"dog/y"))),
        rejected={"dog/z.jpg": "what the archive holds is not what it says"}, accepted=tuple(GOOD)),
    Row("zip: encrypted", file("secret.zip", lambda: zipped(GOOD, change=every(b"PK\1\2", 8, b"\1\0"))), refused="“{file}” is encrypted.",
        says=("secret.zip", "password")),
    *(Row(f"zip: method {method}", file("odd.zip",
        lambda method=method: zipped(GOOD, change=every(b"PK\1\2", 10, struct.pack("<H", method)))),
          refused="“{file}” is packed in an unusual way.", says=("odd.zip",)) for method in (9, 12, 14, 93, 95, 98)),
    Row("zip: one part of several", file("pets.zip", lambda: zipped(GOOD, change=poke(b"PK\5\6", 4, b"\2\0\2\0"))),
        refused="“{file}” is one part of several."),
    Row("zip: cut", file("pets.zip", lambda: zipped(GOOD)[:-60]), refused=DAMAGED_ZIP, says=("pets.zip",)),
    Row("zip: cut in its middle", file("pets.zip", lambda: zipped(GOOD)[:900]), refused=DAMAGED_ZIP),
    Row("zip: no byte", file("pets.zip", b""), refused=DAMAGED_ZIP),
    Row("zip: no file in it", file("pets.zip", lambda: zipped({})), refused="There are no files in “{file}”."),
    Row("zip: list of files that lies about its place",
        file("pets.zip", lambda: zipped(GOOD, change=poke(b"PK\5\6", 12, b"\xff\xff\xff\x7f"))), refused=DAMAGED_ZIP),
    Row("zip: needs a newer version", file("pets.zip", lambda: zipped(GOOD, change=poke(b"PK\1\2", 6, b"\xff\0"))), refused=DAMAGED_ZIP),
    Row("zip: name that claims to be UTF-8 and is not", file("pets.zip", lambda: raw_names({b"cat/\xff\xfe.jpg": jpeg()}, 0x800)),
        refused=DAMAGED_ZIP),
    Row("zip: a web page called .zip", file("pets.zip", b"<html>404</html>"), refused=DAMAGED_ZIP),
    Row("zip: a hundred thousand files", file("pets.zip", lambda: many(100_000)), accepted=tuple(GOOD), peak_mb=400,
        rejected={"notes/000007.xml": "no pictures"}),
    Row("zip: a hundred thousand files, and fewer allowed", file("pets.zip", lambda: many(100_000)),
        refused="“{file}” holds too many files.",
        says=("50,000",), limits=Limits(entries=50_000), peak_mb=120),
)

def sized_xz() -> bytes:
    """The first block asks for a dictionary of 3 GB; the checksums fit."""
    data = bytearray(lzma.compress(tarred(GOOD), preset=0))
    place = data.index(b"\x21\x01", 12) + 2  # LZMA2, one byte of properties
    data[place] = 39
    length = (data[12] + 1) * 4
    data[12 + length - 4:12 + length] = struct.pack("<I", zlib.crc32(data[12:12 + length - 4]))
    return bytes(data)


TARS = (
    Row("tar: names that lead out", file("pets.tar", lambda: tarred(GOOD | SLIP)), accepted=tuple(GOOD)),
    Row("tar: links and devices", file("pets.tar", lambda: tarred([*(member(*pair) for pair in GOOD.items()), *LINKED])),
        accepted=tuple(GOOD),
        rejected={"cat/out.jpg": "A link", "cat/hard.jpg": "A link", "cat/tty.jpg": "no ordinary file", "cat/sda.jpg": "no ordinary file",
                  "cat/pipe.jpg": "no ordinary file"}),
    Row("tar.gz: called .zip", file("pets.zip", lambda: gzip.compress(tarred(GOOD))), accepted=tuple(GOOD)),
    *(Row(f"tar: bomb of {kind}", file(f"bomb.tar.{kind}",
        lambda pack=pack: pack(tarred({f"a/{n}.bmp": bytes(10 * MB) for n in range(6)}))),
          refused=SAFE, says=("times its size",), limits=LOW) for kind, pack in
      (("gz", lambda data: gzip.compress(data, 9)), ("bz2", bz2.compress), ("xz", lambda data: lzma.compress(data, preset=0)))),
    Row("tar: attributes without end", file("bomb.tgz", lambda: gzip_of([(header("a", 80 * 2**20, b"x"), 1), (b"1" * 2**20, 80)])),
        refused=SAFE),
    Row("tar: headers without end", file("pets.tar", lambda: header("a", 0, b"x") * 5000), refused=DAMAGED_TAR),
    Row("tar: negative size", file("pets.tar", negative_tar), refused=DAMAGED_TAR),
    Row("tar: claims a petabyte", file("pets.tar", lambda: header("a/1.jpg", 10**15) + bytes(2048)), refused=DAMAGED_TAR),
    Row("tar: cut", file("pets.tar.gz", lambda: gzip.compress(tarred(GOOD))[:-400]), refused=DAMAGED_TAR, says=("pets.tar.gz",)),
    Row("tar: damage in its middle", file("pets.tar", lambda: sized(tarred(GOOD), tarred(GOOD).index(b"cat/1.jpg"), b"\xaa" * 300)),
        refused=DAMAGED_TAR),
    Row("tar: too many files", file("pets.tar", lambda: tarred(GOOD)), refused="“{file}” holds too many files.", limits=Limits(entries=3)),
    Row("tar: xz that asks for gigabytes", file("pets.tar.xz", sized_xz), refused=SAFE),
    Row("gz: a single file", file("cat.jpg.gz", lambda: gzip.compress(jpeg())), refused="“{file}” holds a single file."),
    Row("pickles: CIFAR", file("cifar-10-python.tar.gz",
        lambda: gzip.compress(tarred({"cifar-10-batches-py/data_batch_1": pickle.dumps({b"data": b"x"}, 2)}))),
        refused="“{file}” holds pickled data.", says=("runs as soon as it reads", "CIFAR-10-images")),
    Row("pickles: one file", file("set.pkl", lambda: pickle.dumps([b"x"])), refused="“{file}” holds pickled data.",
        says=("set.pkl", "ordinary files")),
    Row("pickles: a folder of them", tree({"sets/a.pkl": pickle.dumps([1]), "sets/b.pkl": pickle.dumps([2])}),
        refused="“{file}” holds pickled data."),
    *(Row(f"archive: {kind}", file(name, data + bytes(99)), refused="“{file}” can't be opened here.", says=(name, kind)) for kind, name,
        data in (
        ("7z", "pets.7z", b"7z\xbc\xaf\x27\x1c"), ("RAR", "pets.rar", b"Rar!\x1a\x07\x01\0"),
            ("Zstandard", "pets.tar.zst", b"\x28\xb5\x2f\xfd"))),
)


UPLOADS = (
    Row("upload: nothing arrived", upload({}), refused="No file arrived."),
    Row("upload: list that breaks off", upload(GOOD, '{"file": "000001", "na'), refused="The upload broke off."),
    Row("upload: list that leads out", upload(GOOD, '{"file": "../../../etc/passwd", "name": "cat/1.jpg", "size": 9}\n'),
        refused="The upload broke off."),
    Row("upload: list nested without end", upload(GOOD, "[" * 100_000), refused="The upload broke off."),
    Row("upload: a file that did not arrive whole", upload(GOOD | {"dog/z.jpg": jpeg(9)}, lost=50),
        rejected={"dog/z.jpg": "did not arrive whole"},
        accepted=tuple(GOOD)),
    Row("upload: an archive that did not arrive whole", upload({"pets.zip": zipped(GOOD)}, lost=50),
        refused="“{file}” did not arrive whole."),
    Row("upload: one picture", upload({"cat.jpg": jpeg()}), refused="“{file}” is a single file.", says=("cat.jpg",)),
    Row("upload: one of two archives is broken", upload({"cats.zip": zipped({"1.jpg": jpeg()}), "dogs.zip": b"PK\3\4 no more"}),
        refused=DAMAGED_ZIP, says=("dogs.zip",)),
    Row("upload: archives that lead out of one another", upload({"../cats.zip": zipped({"../1.jpg": jpeg(), "2.jpg": jpeg(2)}),
        "dogs.tar": tarred({"/1.jpg": jpeg(3), "2.jpg": jpeg(4)})}), labels=("cats", "dogs")),
    Row("upload: an archive among pictures", upload(GOOD | {"more.zip": zipped(GOOD)}),
        rejected={"more.zip": "An archive among the files"}, accepted=tuple(GOOD)),
)

ROWS: tuple[Row, ...] = (*FOLDERS, *NAMES, *PICTURES, *ZIPS, *TARS, *UPLOADS)
"""Every limit that no row lowers is that of `LIMITS`."""
assert LIMITS.entries > 100_000
