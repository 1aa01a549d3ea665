"""Tar files, packed or not, and several archives at once; zip files are in test_sources."""
from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import random
import struct
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from core.data.intake.archives import archive_source, kind_of, stem
from core.data.intake.entries import LINK, NAME_TOO_LONG, NO_FILE, SPARSE
from core.data.intake.sources import path_source, upload_source
from core.data.limits import Limits
from tests.core.data.intake.test_sources import listed, refusal, staged, zipped

FILES = {"cat/1.jpg": b"one" * 300, "cat/2.jpg": b"", "dog/小狗.jpg": b"three"}
PACK: dict[str, Callable[[bytes], bytes]] = {"tar": bytes, "tar.gz": gzip.compress, "tar.bz2": bz2.compress, "tar.xz": lzma.compress}


def member(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(data), kind, link
    return info, data


def tarred(path: Path, members: dict[str, bytes] | list[tuple[tarfile.TarInfo, bytes]], format: int = tarfile.PAX_FORMAT,
        **options: str) -> Path:
    """A tar packed as its ending says."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format, **options) as archive:
        for info, data in [member(*pair) for pair in members.items()] if isinstance(members, dict) else members:
            archive.addfile(info, io.BytesIO(data))
    path.write_bytes(next((pack for ending, pack in reversed(PACK.items()) if path.name.endswith(ending)), bytes)(out.getvalue()))
    return path


def header(name: str, size: int, kind: bytes = b"0") -> bytes:
    """One header block with any size it likes to claim."""
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_tar_lists_what_a_zip_does(tmp_path: Path, ending: str, format: int) -> None:
    path = tarred(tmp_path / f"pets.{ending}", FILES, format)
    assert listed(archive_source(path)) == FILES == listed(path_source(zipped(tmp_path / "pets.zip", FILES)))


@pytest.mark.parametrize("ending", PACK)
def test_the_content_tells_the_kind_and_not_the_ending(tmp_path: Path, ending: str) -> None:
    path = tarred(tmp_path / f"pets.{ending}", FILES).rename(tmp_path / "pets.zip")
    assert listed(archive_source(path)) == FILES
    assert listed(upload_source(staged(tmp_path / "up", {"pets": path.read_bytes()}))) == FILES


@pytest.mark.parametrize("ending", PACK)
def test_entries_are_right_in_any_order_and_twice(tmp_path: Path, ending: str) -> None:
    dice = random.Random(3)
    files = {f"cat/{n}.jpg": dice.randbytes(dice.randrange(40_000)) for n in range(12)}
    with closing(archive_source(tarred(tmp_path / f"pets.{ending}", files))) as source:
        entries = list(source) * 2
        dice.shuffle(entries)
        for one in entries:
            with one.open() as file:
                assert (file.read(10), file.read()) == (files[one.name][:10], files[one.name][10:])


def test_a_packed_tar_is_unpacked_no_more_than_twice_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tarred(tmp_path / "pets.tar.gz", {f"cat/{n}.jpg": os.urandom(50_000) for n in range(40)})
    rewinds: list[int] = []
    rewind = gzip._GzipReader._rewind
    monkeypatch.setattr(gzip._GzipReader, "_rewind", lambda self: (rewinds.append(1), rewind(self))[1])
    assert len(listed(archive_source(path))) == 40
    assert len(rewinds) == 1  # between listing and reading


def test_names_of_a_tar_stay_text(tmp_path: Path) -> None:
    path = tarred(tmp_path / "slip.tar", {"../../evil.jpg": b"a", "/etc/job.jpg": b"b", "C:\\pets\\1.jpg": b"c",
        "n" * 3000 + "/1.jpg": b"d"})
    assert listed(archive_source(path)) == {"evil.jpg": b"a", "etc/job.jpg": b"b", "C:/pets/1.jpg": b"c", "n" * 60 + "…": NAME_TOO_LONG}
    assert os.listdir(tmp_path) == ["slip.tar"]


def test_chinese_names_of_an_old_program_are_decoded(tmp_path: Path) -> None:
    path = tarred(tmp_path / "pets.tar", {"猫/照片.jpg": b"1", "狗/照片.jpg": b"2"}, tarfile.GNU_FORMAT, encoding="gb18030")
    assert list(listed(archive_source(path))) == ["猫/照片.jpg", "狗/照片.jpg"]


def test_links_devices_and_gaps_are_left_out(tmp_path: Path) -> None:
    members = [member("cat/1.jpg", b"one"), member("cat/out.jpg", b"", tarfile.SYMTYPE, "/etc/passwd"),
               member("cat/hard.jpg", b"", tarfile.LNKTYPE, "cat/1.jpg"), member("cat/tty", b"", tarfile.CHRTYPE),
               member("cat/disk", b"", tarfile.BLKTYPE), member("cat/pipe", b"", tarfile.FIFOTYPE), member("cat", b"", tarfile.DIRTYPE)]
    gaps = tarfile.TarInfo("cat/gaps.bmp")
    gaps.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.map": "0,0", "GNU.sparse.size": str(10**12),
                        "GNU.sparse.name": "cat/gaps.bmp"}
    path = tarred(tmp_path / "odd.tar", [*members, (gaps, b"")])
    assert listed(archive_source(path)) == {
        "cat/1.jpg": b"one", "cat/out.jpg": LINK, "cat/hard.jpg": LINK, "cat/tty": NO_FILE, "cat/disk": NO_FILE, "cat/pipe": NO_FILE,
        "cat/gaps.bmp": SPARSE}


@pytest.mark.parametrize("ending", ["tar.gz", "tar.bz2", "tar.xz"])
def test_a_bomb_is_stopped_while_it_unpacks(tmp_path: Path, ending: str) -> None:
    path = tarred(tmp_path / f"bomb.{ending}", {"a/1.bmp": bytes(6_000_000)})
    assert refusal(archive_source, path, "", Limits(ratio_from_bytes=10**6)).title == "“{file}” is not safe to unpack."
    assert refusal(archive_source, path, "", Limits(total_bytes=2 * 10**6, entries=10)).title == "“{file}” is too large."


def test_a_size_that_reaches_beyond_the_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(header("a/1.jpg", 10**15) + bytes(1024))
    (tmp_path / "b.tar.gz").write_bytes(gzip.compress(header("a/1.jpg", 10**9) + bytes(10**6)))
    for name in ("a.tar", "b.tar.gz"):
        assert refusal(archive_source, tmp_path / name).title == "“{file}” can't be opened as a tar file."


def gzip_of(pieces: list[tuple[bytes, int]]) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as file:
        for piece, times in pieces:
            for _ in range(times):
                file.write(piece)
    return out.getvalue()


@pytest.mark.parametrize("kind", [b"L", b"x", b"g", b"K"])
def test_a_header_without_end_is_stopped_before_it_fills_the_memory(tmp_path: Path, kind: bytes) -> None:
    (tmp_path / "a.tar.gz").write_bytes(gzip_of([(header("a", 50 * 2**20, kind), 1), (b"1" * 2**20, 50)]))
    assert refusal(archive_source, tmp_path / "a.tar.gz").title == "“{file}” is not safe to unpack."


def test_a_map_of_gaps_without_end_is_stopped(tmp_path: Path) -> None:
    first = bytearray(header("a", 0, b"S"))
    first[482] = 1  # the map goes on in the next block, and there again
    first[148:156] = b"%06o\0 " % (sum(first[:148]) + sum(first[156:]) + 8 * 32)
    more = (b"%011o\0" % 1) * 42 + b"\1" + bytes(7)
    (tmp_path / "a.tar.gz").write_bytes(gzip_of([(bytes(first), 1), (more * 2048, 50)]))
    assert refusal(archive_source, tmp_path / "a.tar.gz").title == "“{file}” is not safe to unpack."


def test_headers_that_follow_one_another_for_ever_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(header("a", 0, b"x") * 5000)
    assert "a.tar" in str(refusal(archive_source, tmp_path / "a.tar"))


def test_a_negative_size_is_refused(tmp_path: Path) -> None:
    block = bytearray(header("a/1.jpg", 0))
    block[124:136] = b"\xff" * 8 + struct.pack(">i", -512)
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + sum(block[156:]) + 8 * 32)
    (tmp_path / "a.tar").write_bytes(bytes(block) * 4 + bytes(1024))
    assert refusal(archive_source, tmp_path / "a.tar").title == "“{file}” can't be opened as a tar file."


@pytest.mark.parametrize("ending", PACK)
def test_a_tar_that_was_cut_or_changed_is_refused(tmp_path: Path, ending: str) -> None:
    whole = tarred(tmp_path / f"pets.{ending}", {f"cat/{n}.jpg": os.urandom(3000) for n in range(20)}).read_bytes()
    path = tmp_path / f"cut.{ending}"
    path.write_bytes(whole[:30_000])
    assert refusal(archive_source, path).title == "“{file}” can't be opened as a tar file."


def test_damage_between_files_is_no_end(tmp_path: Path) -> None:
    data = bytearray(tarred(tmp_path / "pets.tar", {f"cat/{n}.jpg": bytes(512) for n in range(9)}).read_bytes())
    data[1024 * 4:1024 * 4 + 100] = b"\xaa" * 100
    (tmp_path / "pets.tar").write_bytes(data)
    assert refusal(archive_source, tmp_path / "pets.tar").title == "“{file}” can't be opened as a tar file."


def test_too_many_files_are_counted_as_they_come(tmp_path: Path) -> None:
    path = tarred(tmp_path / "many.tar.gz", {f"cat/{n}.jpg": b"" for n in range(40)})
    assert refusal(archive_source, path, "", Limits(entries=39)).title == "“{file}” holds too many files."
    assert len(listed(archive_source(path, "", Limits(entries=40)))) == 40


@pytest.mark.parametrize("name, data, cause", [
    ("pets.7z", b"7z\xbc\xaf\x27\x1c" + bytes(99), "7z archive"), ("pets.rar", b"Rar!\x1a\x07\x01\0", "RAR archive"),
    ("pets.zip", b"Rar!\x1a\x07\x01\0", "RAR archive"), ("pets.tar.zst", b"\x28\xb5\x2f\xfd" + bytes(9), "Zstandard archive"),
    ("pets.gz", gzip.compress(b"one file", mtime=0), "one compressed file, not an archive"),
        ("pets.tar", b"no tar at all", "archive of an unusual kind"),
])
def test_other_archives_are_refused_by_name_with_the_way_out(tmp_path: Path, name: str, data: bytes, cause: str) -> None:
    error = refusal(upload_source, staged(tmp_path / "up", {name: data}))
    assert name in str(error) and cause in str(error) and "zip file" in error.fix


def test_a_lone_part_of_a_split_zip_is_named_as_such(tmp_path: Path) -> None:
    data = bytearray(zipped(tmp_path / "a.zip", FILES).read_bytes())
    end = data.rindex(b"PK\5\6")
    data[end + 4:end + 8] = struct.pack("<HH", 2, 2)
    (tmp_path / "a.zip").write_bytes(data)
    assert refusal(archive_source, tmp_path / "a.zip").title == "“{file}” is one part of several."
    (tmp_path / "a.z01").write_bytes(b"PK\7\x08" + bytes(data))
    assert refusal(archive_source, tmp_path / "a.z01").title == "“{file}” is one part of several."


def test_an_archive_of_nothing_but_names_is_stopped_by_its_count(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for number in range(300):
            archive.writestr(f"{number}", b"")
    assert refusal(archive_source, tmp_path / "many.zip", "", Limits(entries=299)).title == "“{file}” holds too many files."


# ---- several at once ----

def test_several_archives_are_folders_with_their_names(tmp_path: Path) -> None:
    cats, dogs = tarred(tmp_path / "cats.tar.gz", {"1.jpg": b"a", "more/2.jpg": b"b"}), zipped(tmp_path / "dogs.zip", {"1.jpg": b"c"})
    up = staged(tmp_path / "up", {"cats.tar.gz": cats.read_bytes(), "dogs.zip": dogs.read_bytes(), ".DS_Store": b"x"})
    assert listed(upload_source(up)) == {"cats/1.jpg": b"a", "cats/more/2.jpg": b"b", "dogs/1.jpg": b"c"}


def test_an_archive_beside_a_table_keeps_its_names(tmp_path: Path) -> None:
    data = zipped(tmp_path / "pets.zip", {"img/1.jpg": b"a"}).read_bytes()
    assert listed(upload_source(staged(tmp_path / "up", {"labels.csv": b"name,label", "pets.zip": data}))) == {
        "img/1.jpg": b"a", "labels.csv": b"name,label"}


def test_limits_hold_for_all_archives_together(tmp_path: Path) -> None:
    data = zipped(tmp_path / "a.zip", {"1.jpg": b"abc"}).read_bytes()
    up = staged(tmp_path / "up", {"a.zip": data, "b.zip": data})
    assert refusal(upload_source, up, Limits(entries=1)).title == "“{file}” holds too many files."
    assert refusal(upload_source, up, Limits(total_bytes=5)).title == "“{file}” is too large."


def test_one_broken_archive_of_several_is_named(tmp_path: Path) -> None:
    up = staged(tmp_path / "up", {"cats.zip": zipped(tmp_path / "a.zip", {"1.jpg": b"abc"}).read_bytes(),
        "dogs.zip": b"PK\3\4 and no more"})
    assert "dogs.zip" in str(refusal(upload_source, up))


@pytest.mark.parametrize("name, short", [("cats.tar.gz", "cats"), ("a/dogs.ZIP", "a/dogs"), ("x.tgz", "x"), ("v1.2", "v1.2"),
    (".zip", ".zip")])
def test_an_archive_lends_its_name_without_the_ending(name: str, short: str) -> None:
    assert stem(name) == short


# ---- pickles ----

BATCH = pickle.dumps({b"data": b"x" * 3072, b"labels": [1]}, protocol=2)


def test_cifar_as_pickles_is_refused_with_where_the_pictures_are(tmp_path: Path) -> None:
    path = tarred(tmp_path / "cifar-10-python.tar.gz", {f"cifar-10-batches-py/data_batch_{n}": BATCH for n in range(1, 4)})
    error = refusal(archive_source, path)
    assert error.title == "“{file}” holds pickled data." and "CIFAR-10-images" in error.fix and "runs" in error.cause


@pytest.mark.parametrize("name, data", [("data_batch_1", BATCH), ("set.pkl", pickle.dumps([1])), ("set.p", pickle.dumps({}, protocol=5)),
                                        ("table.csv", pickle.dumps([1])), ("data.npy", b"\x93NUMPY\1\0v\0{'descr': '|O', ")])
def test_pickles_are_known_by_their_content(tmp_path: Path, name: str, data: bytes) -> None:
    assert refusal(upload_source, staged(tmp_path / "up", {name: data})).title == "“{file}” holds pickled data."
    assert refusal(archive_source, zipped(tmp_path / "a.zip",
        {"set/" + name.replace(".csv", ".pkl"): data})).title == "“{file}” holds pickled data."


def test_a_checkpoint_of_torch_is_a_pickle_too(tmp_path: Path) -> None:
    path = zipped(tmp_path / "set.pt", {"archive/data.pkl": b"\x80\x02}q\0.", "archive/data/0": b"x"})
    assert refusal(archive_source, path).title == "“{file}” holds pickled data."


def test_one_pickle_among_pictures_refuses_nothing(tmp_path: Path) -> None:
    files = {"cat/1.jpg": b"x", "cat/notes": BATCH}
    assert listed(archive_source(zipped(tmp_path / "a.zip", files))) == files


@pytest.mark.parametrize("first", ["[Content_Types].xml", "mimetype"])
def test_a_document_is_no_archive(tmp_path: Path, first: str) -> None:
    assert kind_of(zipped(tmp_path / "a.xlsx", {first: b"x", "xl/1.xml": b"y"})) is None


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="open files are counted only there")
@pytest.mark.parametrize("ending", ["zip", "tar.gz"])
def test_a_source_that_refuses_leaves_no_file_open(tmp_path: Path, ending: str) -> None:
    make = zipped if ending == "zip" else tarred
    path = make(tmp_path / f"a.{ending}", {"a/1.jpg": b"x", "a/2.jpg": b"x"})
    before = len(os.listdir("/proc/self/fd"))
    refusal(archive_source, path, "", Limits(entries=1))
    assert len(os.listdir("/proc/self/fd")) == before
