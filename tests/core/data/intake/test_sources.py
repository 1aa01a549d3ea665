"""What folders, archives and uploads list, and what they refuse."""
from __future__ import annotations

import json
import os
import struct
import sys
import zipfile
import zlib
from contextlib import closing
from pathlib import Path

import pytest

from core.data.intake.sources import (
    ARCHIVE_INSIDE,
    LINK,
    NAME_TOO_LONG,
    NO_FILE,
    NOT_WHOLE,
    Limits,
    clean_name,
    folder_source,
    path_source,
    upload_source,
    zip_source,
)
from core.errors import DataError
from tests.core.data.picture_files import write_tree

JUNK = {"__MACOSX/cat/._1.jpg": b"x", "cat/.DS_Store": b"x", "cat/Thumbs.db": b"x", ".git/config": b"x", "desktop.ini": b"x"}


def zipped(path: Path, files: dict[str, bytes], **options: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data, **options)
    return path


def raw_zip(path: Path, names: list[bytes], *, system: int = 0, flags: int = 0, offsets: list[int] | None = None, claimed: int = 1) -> Path:
    """Stored one-byte files under names in any encoding, as programs write them that do not say which."""
    body, central = b"", b""
    for idx, name in enumerate(names):
        fields = struct.pack("<HHHHHIIIHH", 20, flags, 0, 0, 0, zlib.crc32(b"x"), 1, claimed, len(name), 0)
        offset = offsets[idx] if offsets else len(body)
        central += b"PK\1\2" + bytes((20, system)) + fields + struct.pack("<HHHII", 0, 0, 0, 0, offset) + name
        body += b"PK\3\4" + fields + name + b"x"
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, len(names), len(names), len(central), len(body), 0)
    path.write_bytes(body + central + end)
    return path


def staged(folder: Path, files: dict[str, bytes]) -> Path:
    (folder / "files").mkdir(parents=True)
    with (folder / "names.jsonl").open("w", encoding="utf-8") as names:
        for number, (name, data) in enumerate(files.items(), 1):
            (folder / "files" / f"{number:06d}").write_bytes(data)
            names.write(json.dumps({"file": f"{number:06d}", "name": name, "size": len(data)}) + "\n")
    return folder


def listed(source) -> dict[str, bytes | str]:
    """Content by name, or the problem."""
    found = {}
    with closing(source):
        for entry in source:
            if not entry.problem:
                with entry.open() as file:
                    found[entry.name] = file.read()
            else:
                found[entry.name] = entry.problem
    return found


def refusal(make, *arguments) -> DataError:
    with pytest.raises(DataError) as caught:
        make(*arguments).close()
    assert caught.value.fix and "{" not in str(caught.value)
    return caught.value


def test_a_folder_a_zip_and_an_upload_of_the_same_files_list_the_same(tmp_path: Path) -> None:
    files = {"cat/1.jpg": b"one", "dog/小狗.jpg": b"two", "notes.txt": b"three"}
    assert listed(folder_source(write_tree(tmp_path / "tree", files | JUNK))) == files
    assert listed(zip_source(zipped(tmp_path / "all.zip", files | JUNK))) == files
    assert listed(upload_source(staged(tmp_path / "up", files | JUNK))) == files


def test_a_zip_that_was_uploaded_alone_is_opened(tmp_path: Path) -> None:
    data = zipped(tmp_path / "all.zip", {"cat/1.jpg": b"one"}).read_bytes()
    assert listed(upload_source(staged(tmp_path / "up", {"my.zip": data, ".DS_Store": b"x"}))) == {"cat/1.jpg": b"one"}


def test_archives_inside_are_left_out_and_never_opened(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner.zip", {"cat/2.jpg": b"two"}).read_bytes()
    files = {"cat/1.jpg": b"one", "more.zip": inner, "old.tar.gz": b"x"}
    expected = {"cat/1.jpg": b"one", "more.zip": ARCHIVE_INSIDE, "old.tar.gz": ARCHIVE_INSIDE}
    assert listed(zip_source(zipped(tmp_path / "all.zip", files))) == expected
    assert listed(upload_source(staged(tmp_path / "up", files))) == expected


@pytest.mark.parametrize("name, clean", [
    ("../../etc/passwd", "etc/passwd"), ("/abs/1.jpg", "abs/1.jpg"), ("C:\\pets\\cat\\1.jpg", "C:/pets/cat/1.jpg"),
    ("./a//b/./1.jpg", "a/b/1.jpg"),
    ("cat/a\x00\x1b[31m.jpg", "cat/a[31m.jpg"), ("cat/gpj\u202e.exe", "cat/gpj.exe"), ("cafe\u0301/1.jpg", "café/1.jpg"),
    ("bad\udcff/1.jpg", "bad\ufffd/1.jpg"), (" cat / 1.jpg ", "cat/1.jpg"), ("..", ""), ("👩‍🔬/1.jpg", "👩‍🔬/1.jpg"),
])
def test_names_become_harmless_text(name: str, clean: str) -> None:
    assert clean_name(name) == clean


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    path = zipped(tmp_path / "slip.zip", {"../../evil.jpg": b"x", "/etc/cron.d/job.jpg": b"y", "a" * 3000 + "/1.jpg": b"z"})
    assert listed(zip_source(path)) == {"evil.jpg": b"x", "etc/cron.d/job.jpg": b"y", "a" * 60 + "…": NAME_TOO_LONG}
    assert sorted(os.listdir(tmp_path)) == ["slip.zip"]


@pytest.mark.parametrize("encoding, system, names", [
    ("utf-8", 3, ["猫/照片1.jpg", "狗/照片2.jpg"]),
    ("gb18030", 0, ["猫/照片1.jpg", "狗/照片2.jpg"]),
    ("gb18030", 3, ["猫咪/一.jpg", "小狗/二.jpg"]),
    ("gb18030", 0, ["拢/1.jpg", "芦/2.jpg"]),  # these bytes are valid UTF-8 too
    ("utf-8", 3, ["café/1.jpg", "naïve/2.jpg"]),
    ("utf-8", 0, ["chien/1.jpg", "猫/2.jpg"]),
    ("cp437", 0, ["café/1.jpg", "naïve/2.jpg"]),
    ("ascii", 0, ["cat/1.jpg"]),
])
def test_names_of_no_known_encoding_are_decoded_together(tmp_path: Path, encoding: str, system: int, names: list[str]) -> None:
    path = raw_zip(tmp_path / "names.zip", [name.encode(encoding) for name in names], system=system)
    assert list(listed(zip_source(path))) == names


def test_entries_that_share_bytes_are_refused(tmp_path: Path) -> None:
    """The overlap bomb: many names for one place."""
    path = raw_zip(tmp_path / "bomb.zip", [b"a/1.jpg", b"b/2.jpg", b"b/3.jpg"], offsets=[0, 0, 0])
    error = refusal(zip_source, path)
    assert error.title == "“{file}” is not safe to unpack." and "bomb.zip" in str(error)


def test_an_entry_that_reaches_into_the_next_is_refused(tmp_path: Path) -> None:
    path = raw_zip(tmp_path / "bomb.zip", [b"a/1.jpg", b"b/2.jpg"], offsets=[0, 20])
    assert refusal(zip_source, path).title == "“{file}” is not safe to unpack."


def test_too_high_a_ratio_is_refused_beyond_the_free_size(tmp_path: Path) -> None:
    path = zipped(tmp_path / "dense.zip", {"a/1.bmp": bytes(3_000_000)})
    assert "dense.zip" in str(refusal(zip_source, path, "", Limits(ratio_from_bytes=10**6)))
    assert listed(zip_source(path)) == {"a/1.bmp": bytes(3_000_000)}


def test_an_entry_gives_no_more_than_it_claims(tmp_path: Path) -> None:
    data = bytearray(zipped(tmp_path / "liar.zip", {"a/1.bmp": bytes(10**6)}).read_bytes())
    place = data.rindex(b"PK\1\2") + 24
    data[place:place + 4] = struct.pack("<I", 100)
    (tmp_path / "liar.zip").write_bytes(data)
    with closing(zip_source(tmp_path / "liar.zip")) as source:
        [entry] = source
        with pytest.raises(zipfile.BadZipFile), entry.open() as file:
            assert len(file.read(10**7)) <= 100


@pytest.mark.parametrize("limits, title", [(Limits(entries=2), "“{file}” holds too many files."),
                                           (Limits(total_bytes=8), "“{file}” is too large.")])
def test_limits_hold_for_every_kind_of_source(tmp_path: Path, limits: Limits, title: str) -> None:
    files = {f"cat/{number}.jpg": b"abc" for number in range(3)}
    for error in (refusal(folder_source, write_tree(tmp_path / "tree", files), limits),
                  refusal(zip_source, zipped(tmp_path / "all.zip", files), "", limits),
                  refusal(upload_source, staged(tmp_path / "up", files), limits)):
        assert error.title == title


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    assert refusal(zip_source, raw_zip(tmp_path / "secret.zip", [b"a/1.jpg"], flags=1)).title == "“{file}” is encrypted."


def test_unusual_compression_is_refused(tmp_path: Path) -> None:
    """bzip2 and LZMA unpack a small piece into gigabytes before anyone can count."""
    path = zipped(tmp_path / "bz.zip", {"a/1.jpg": b"x" * 99}, compress_type=zipfile.ZIP_BZIP2)
    assert refusal(zip_source, path).title == "“{file}” is packed in an unusual way."


@pytest.mark.parametrize("data", [b"", b"PK\3\4 and no more", b"Rar!\x1a\x07\0"], ids=["empty", "cut off", "other"])
def test_what_is_no_zip_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(data)
    assert refusal(zip_source, tmp_path / "a.zip").title == "“{file}” can't be opened as a zip file."


def test_a_cut_zip_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "cut.zip", {f"cat/{n}.jpg": os.urandom(500) for n in range(20)})
    path.write_bytes(path.read_bytes()[:-60])
    assert refusal(zip_source, path).title == "“{file}” can't be opened as a zip file."


def test_links_in_a_zip_are_left_out(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "links.zip", "w") as archive:
        link = zipfile.ZipInfo("cat/link.jpg")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    assert listed(zip_source(tmp_path / "links.zip")) == {"cat/link.jpg": LINK}


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes need rights there")
def test_links_out_of_a_folder_and_pipes_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    root = write_tree(tmp_path / "tree", {"cat/1.jpg": b"one"})
    (root / "cat" / "out.jpg").symlink_to(tmp_path / "secret.jpg")
    (root / "cat" / "in.jpg").symlink_to(root / "cat" / "1.jpg")
    (root / "cat" / "circle").symlink_to("circle")
    (root / "dog").symlink_to(tmp_path)
    os.mkfifo(root / "cat" / "pipe.jpg")
    assert listed(folder_source(root)) == {"cat/1.jpg": b"one", "cat/in.jpg": b"one", "cat/out.jpg": LINK, "cat/circle": LINK,
                                           "cat/pipe.jpg": NO_FILE, "dog": LINK}


def test_a_file_that_did_not_arrive_whole_is_named(tmp_path: Path) -> None:
    folder = staged(tmp_path / "up", {"cat/1.jpg": b"whole", "cat/2.jpg": b"whole", "cat/3.jpg": b"whole"})
    (folder / "files" / "000002").write_bytes(b"wh")
    (folder / "files" / "000003").unlink()
    assert listed(upload_source(folder)) == {"cat/1.jpg": b"whole", "cat/2.jpg": NOT_WHOLE, "cat/3.jpg": NOT_WHOLE}


def test_a_name_that_came_twice_counts_as_it_came_last(tmp_path: Path) -> None:
    folder = staged(tmp_path / "up", {"cat/1.jpg": b"old", "x": b"new!", "cat/2.jpg": b"two"})
    lines = (folder / "names.jsonl").read_text().replace('"x"', '"cat/1.jpg"')
    (folder / "names.jsonl").write_text(lines)
    assert listed(upload_source(folder)) == {"cat/1.jpg": b"new!", "cat/2.jpg": b"two"}


@pytest.mark.parametrize("lines, title", [
    ("", "No file arrived."),
    ('{"file": "000001", "na', "The upload broke off."),
    ('{"file": "../../secret", "name": "cat/1.jpg", "size": 1}', "The upload broke off."),
    ('[1]', "The upload broke off."),
])
def test_a_broken_list_of_files_is_refused(tmp_path: Path, lines: str, title: str) -> None:
    (tmp_path / "names.jsonl").write_text(lines)
    assert refusal(upload_source, tmp_path).title == title


def test_a_file_that_the_system_does_not_give_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(path_source, tmp_path / ("long" * 100)).title == "There is no file or folder “{file}”."
    (tmp_path / "table.csv").write_bytes(b"text,label")

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")
    monkeypatch.setattr(Path, "open", refused)
    assert refusal(path_source, tmp_path / "table.csv").title == "“{file}” can't be opened."


@pytest.mark.parametrize("name, title", [("data_batch_1.pkl", "“{file}” is a single file."),
                                         ("all.tar.gz", "“{file}” can't be opened here."),
                                         ("one.jpg", "“{file}” is a single file.")])
def test_a_lone_file_is_refused_with_its_way_out(tmp_path: Path, name: str, title: str) -> None:
    assert refusal(upload_source, staged(tmp_path / "up", {name: b"x"})).title == title


def table_beside_pictures(folder: Path) -> Path:
    (folder.parent / "secret.jpg").write_bytes(b"x")
    write_tree(folder, {"labels.csv": b"path,label\nimg/1.jpg,cat\nimg\\2.JPG,dog\nsecret.jpg,cat\ngone.jpg,dog\n", "img/1.jpg": b"a",
                        "img/2.jpg": b"b", "img/3.jpg": b"c", "notes.txt": b"n", "other.csv": b"path,label\nimg/3.jpg,dog\n"})
    return folder / "labels.csv"


def test_a_table_brings_the_pictures_beside_it_that_it_names(tmp_path: Path) -> None:
    table = table_beside_pictures(tmp_path / "set")
    assert [one.name for one in path_source(table)] == ["labels.csv", "img/1.jpg", "img/2.jpg"]
    (tmp_path / "set" / "secret.jpg").symlink_to(tmp_path / "secret.jpg")
    assert {one.name: one.problem for one in path_source(table)}["secret.jpg"] == LINK
    assert "too many files" in refusal(path_source, table, Limits(entries=2)).title


def test_a_table_that_names_no_pictures_stays_alone(tmp_path: Path) -> None:
    write_tree(tmp_path, {"texts.csv": b"text,label,source\nsun 1.jpg,1,a\nrain and wind,2,b\nsnow and hail,1,c\n", "1.jpg": b"a",
                          "2.jpg": b"b", "gone.csv": b"path,label\n8.jpg,a\n9.jpg,b\n"})
    assert [one.name for one in path_source(tmp_path / "texts.csv")] == ["texts.csv"]
    assert [one.name for one in path_source(tmp_path / "gone.csv")] == ["gone.csv"]
