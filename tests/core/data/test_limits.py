"""What an import may bring, and which folders it may read: checked when set and when read."""
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from core import owners
from core.data.limits import LIMITS, Limits, UploadLimits, inside_roots, load_limits, roots, save_limits, save_roots
from core.errors import DataError, NotFound, SettingsError
from core.workspace import Workspace


@pytest.fixture(autouse=True)
def _no_roots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRAFT_ROOTS", raising=False)


def write(ws: Workspace, settings: object) -> None:
    (ws.root / "settings.json").write_text(json.dumps(settings), encoding="utf-8")


def stored(ws: Workspace) -> dict[str, object]:
    return json.loads((ws.root / "settings.json").read_text(encoding="utf-8"))


def test_without_settings_the_defaults_hold(ws: Workspace) -> None:
    assert load_limits(ws) == LIMITS == Limits()


def test_limits_are_kept_and_what_is_default_is_not_written(ws: Workspace) -> None:
    wanted = Limits(entries=500, pixels=10**6, upload=UploadLimits(files=7))
    save_limits(ws, wanted)
    assert load_limits(ws) == wanted
    assert stored(ws) == {"import": {"entries": 500, "pixels": 10**6, "upload": {"files": 7}}}
    save_limits(ws, LIMITS)
    assert stored(ws) == {}


def test_other_settings_and_the_roots_stay_unhurt(ws: Workspace, tmp_path: Path) -> None:
    code = owners.start_sharing(ws)
    save_roots(ws, [str(tmp_path)])
    save_limits(ws, replace(LIMITS, entries=9))
    assert owners.join_code(ws) == code and roots(ws) == (tmp_path,)
    owners.stop_sharing(ws)
    save_roots(ws, [])
    assert load_limits(ws).entries == 9 and roots(ws) == ()


@pytest.mark.parametrize("section, named", [
    ({"entries": 0}, "entries: 0"), ({"entries": "many"}, "entries: many"), ({"entries": True}, "entries: True"),
        ({"ratio": 1}, "ratio: 1"),
    ({"pixels": 10**9}, "pixels: 1000000000"), ({"entires": 5}, "import.entires"), ({"upload": {"files": -1}}, "upload.files: -1"),
    ({"upload": {"file": 1}}, "import.upload.file"), ({"upload": 5}, "import.upload"), ([], "import"),
        ({"file_bytes": 1.5}, "file_bytes: 1.5"),
    ({"file_bytes": None}, "file_bytes: None"),
])
def test_a_setting_that_cannot_be_used_is_named(ws: Workspace, section: object, named: str) -> None:
    write(ws, {"import": section})
    with pytest.raises(SettingsError) as caught:
        load_limits(ws)
    assert named in str(caught.value) and "{" not in caught.value.cause.format(**caught.value.params) and caught.value.fix


def test_all_problems_are_named_together() -> None:
    with pytest.raises(SettingsError, match="entries: 0.*pixels: -5"):
        Limits(entries=0, pixels=-5)


@pytest.mark.parametrize("text", ["{", "[]", "", "[" * 100_000])
def test_a_damaged_file_of_settings_is_explained_and_not_overwritten(ws: Workspace, text: str) -> None:
    (ws.root / "settings.json").write_text(text)
    for use in (load_limits, roots, lambda ws: save_limits(ws, Limits(entries=5)), lambda ws: save_roots(ws, [])):
        with pytest.raises(SettingsError, match="settings.json"):
            use(ws)
    assert (ws.root / "settings.json").read_text() == text


# ---- folders that may be read ----

def test_roots_come_from_the_environment_and_the_settings(ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, c = (tmp_path / name for name in "abc")
    for folder in (a, b, c):
        folder.mkdir()
    monkeypatch.setenv("GRAFT_ROOTS", f"{a}:{b}:" if ":" in str(a) or "/" in str(a) else f"{a};{b}")
    save_roots(ws, [str(c), str(a), "  "])
    assert roots(ws) == (a, b, c)


@pytest.mark.parametrize("text", ["pictures", "./x", "", "a\0b"])
def test_a_root_must_be_a_whole_path(ws: Workspace, text: str) -> None:
    write(ws, {"import": {"roots": [text]}})
    with pytest.raises(SettingsError):
        roots(ws)


@pytest.mark.parametrize("given", ["/data", [5], {"a": 1}])
def test_roots_that_are_no_list_of_texts_are_named(ws: Workspace, given: object) -> None:
    write(ws, {"import": {"roots": given}})
    with pytest.raises(SettingsError, match="import.roots"):
        roots(ws)


def test_a_root_that_is_not_there_is_not_kept(ws: Workspace, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nowhere"):
        save_roots(ws, [str(tmp_path / "nowhere")])
    assert roots(ws) == ()


def test_what_lies_in_a_root_may_be_read(ws: Workspace, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "pets").mkdir(parents=True)
    (data / "link").symlink_to(data / "pets")
    save_roots(ws, [str(data)])
    assert inside_roots(ws, data) == data and inside_roots(ws, str(data / "pets")) == data / "pets"
    assert inside_roots(ws, data / "link") == data / "pets" == inside_roots(ws, data / "pets" / ".." / "pets")


def test_what_lies_outside_is_refused_whether_it_exists_or_not(ws: Workspace, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "database").mkdir()
    (data / "out").symlink_to(tmp_path / "database")
    (data / "circle").symlink_to(data / "circle")
    save_roots(ws, [str(data)])
    for path in ("/etc/passwd", "/nowhere/at/all", data / "..", data / "../database", data / "out", data / "out" / "x", "data", "~", "",
            "~nobody/x",
                 f"{data}\0", data / "circle", tmp_path / "database"):
        with pytest.raises(DataError) as caught:
            inside_roots(ws, path)
        assert caught.value.title.endswith("in none of the folders that may be read.") and str(data) in str(caught.value)


def test_without_roots_nothing_may_be_read(ws: Workspace, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none of the folders"):
        inside_roots(ws, tmp_path)


def test_a_missing_folder_inside_is_called_missing(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    save_roots(ws, [str(tmp_path / "data")])
    with pytest.raises(NotFound, match="gone"):
        inside_roots(ws, tmp_path / "data" / "gone")
    with pytest.raises(NotFound, match="There is no file or folder"):  # which the system does not even look for
        inside_roots(ws, tmp_path / "data" / ("long" * 100))


@pytest.mark.parametrize("inside", ["", "workspace", "workspace/blobs", "workspace/secret"])
def test_the_workspace_itself_is_never_read(ws: Workspace, tmp_path: Path, inside: str) -> None:
    """The pictures of others and the key of every signature lie in it."""
    save_roots(ws, [str(tmp_path)])
    owners.secret(ws)
    with pytest.raises(DataError, match="belongs to Graft itself"):
        inside_roots(ws, tmp_path / inside)
