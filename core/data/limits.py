"""The most that imports and uploads may bring, and the folders of this machine that imports may read: one place for both.

What differs from the defaults stands in the section "import" of the workspace's settings.json, which holds other sections too:

    {"import": {"entries": 1000, "upload": {"total_bytes": 1000000000}, "roots": ["/data/pictures"]}}
"""
from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from filelock import FileLock

from core.errors import DataError, NotFound, SettingsError
from core.workspace import Workspace, write_atomic

MOST_PIXELS = 100_000_000
"""A trained network reads no larger pictures, in the app or exported, so an import can't be allowed to bring them."""
MOST = 2**50
ROOTS = "GRAFT_ROOTS"
"""Name of the environment variable with folders, separated as in PATH."""


def _check(limits: object, prefix: str, **ranges: tuple[int, int] | None) -> None:
    """Raise one `SettingsError` that names every value that is no whole number in its range."""
    problems = []
    for name in (one.name for one in fields(limits)):  # type: ignore[arg-type]
        bounds, value = ranges.get(name, (1, MOST)), getattr(limits, name)
        if bounds and not (type(value) is int and bounds[0] <= value <= bounds[1]):
            problems.append(f"{prefix}{name}: {str(value)[:40]} ({bounds[0]} … {bounds[1]})")
    if problems:
        raise SettingsError("Some limits of imports can't be used.", "{problems}", "Give whole numbers in these ranges.",
                            problems="; ".join(problems))


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """What one upload may bring."""
    file_bytes: int = 4 * 2**30
    total_bytes: int = 8 * 2**30
    files: int = 200_000
    name_bytes: int = 1024
    spare_bytes: int = 2**29
    """Left free on the disk in any case, so that everything else goes on working."""

    def __post_init__(self) -> None:
        _check(self, "upload.", spare_bytes=(0, 2**60))


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one import may bring; beyond it, it is refused before anything is kept."""
    entries: int = 200_000
    total_bytes: int = 20 * 2**30
    """Of all files together, unpacked."""
    file_bytes: int = 100 * 2**20
    """Of a single picture or text file; larger ones are left out. Tables are bounded by `total_bytes` and by their rows."""
    ratio: int = 200
    """Unpacked bytes for each byte of the archive ..."""
    ratio_from_bytes: int = 256 * 2**20
    """... which is looked at only beyond this size: flat little drawings compress better than any bomb."""
    name_chars: int = 1000
    """Of a name with its folders; longer ones are left out."""
    nesting: int = 50
    """Folders inside one another; what lies deeper is left out."""
    pixels: int = MOST_PIXELS
    """Of a single picture; larger ones are left out."""
    total_pixels: int = 300_000 * 10**6
    """Of all different pictures together: 200,000 of 1.5 million each. Every one is decoded, which files of little size can make long."""
    cell_chars: int = 10_000_000
    """Of one cell of a table, and of one row."""
    table_rows: int = 1_000_000
    table_cells: int = 100_000_000
    """Of a workbook or a Parquet file, empty ones too: a few bytes there can stand for a row of thousands."""
    table_bytes: int = 2 * 2**30
    """Of a workbook or a Parquet file, unpacked; a small one may hold anything."""
    json_bytes: int = 200 * 2**20
    """Of a file that is one JSON list, which can't be read in parts."""
    upload: UploadLimits = field(default_factory=UploadLimits)

    def __post_init__(self) -> None:
        _check(self, "", pixels=(1, MOST_PIXELS), ratio=(2, MOST), upload=None)


LIMITS = Limits()


def load_limits(ws: Workspace) -> Limits:
    """Those of a workspace: the defaults, changed by its settings. Raises `SettingsError` that names what can't be used."""
    section = dict(_section(ws))
    section.pop("roots", None)
    upload = section.pop("upload", {})
    if not isinstance(upload, dict):
        raise _unusable("import.upload", upload)
    _check_names(Limits, section, "import.")
    _check_names(UploadLimits, upload, "import.upload.")
    return Limits(**section, upload=UploadLimits(**upload))


def save_limits(ws: Workspace, limits: Limits) -> None:
    """Keep what differs from the defaults; the roots stay. Raises `SettingsError` when the file of settings is damaged."""
    changed: dict[str, Any] = {name: value for name, value in asdict(limits).items() if name != "upload" and value != getattr(LIMITS, name)}
    upload = {name: value for name, value in asdict(limits.upload).items() if value != getattr(LIMITS.upload, name)}
    _save(ws, changed | ({"upload": upload} if upload else {}), keep=("roots",))


def roots(ws: Workspace) -> tuple[Path, ...]:
    """Folders of this machine from which imports by path are allowed: of the environment, then of the settings.

    Raises `SettingsError` for one that is not absolute.
    """
    return tuple(dict.fromkeys((*environment_roots(), *(_absolute(text) for text in _given_roots(ws)))))


def environment_roots() -> tuple[Path, ...]:
    """Those of `GRAFT_ROOTS`, which only whoever starts the app can change. Raises `SettingsError` for one that is not absolute."""
    return tuple(_absolute(text) for text in os.environ.get(ROOTS, "").split(os.pathsep) if text.strip())


def save_roots(ws: Workspace, folders: Sequence[str]) -> None:
    """Keep these folders in the settings. Raises `SettingsError` for one that is not absolute or no folder."""
    paths = [_absolute(text) for text in folders if text.strip()]
    for path in paths:
        if not path.is_dir():
            raise SettingsError("There is no folder “{file}”.", "", "Check the path.", file=str(path))
    _save(ws, {"roots": [str(path) for path in paths]} if paths else {}, keep=tuple(one.name for one in fields(Limits)))


def inside_roots(ws: Workspace, path: Path | str) -> Path:
    """The path, resolved, if an import may read it.

    Raises `DataError` for what lies outside of the roots, links that lead out included, and for what holds the workspace or lies in it;
    `NotFound` for what is not there. What lies outside is not even looked at: its existence is nobody's business.
    """
    text = str(path)
    try:
        resolved = Path(text).expanduser().resolve() if "\0" not in text else None
    except (OSError, RuntimeError):  # links in a circle, nobody's home
        resolved = None
    allowed = roots(ws)
    if resolved is None or not resolved.is_absolute() or not any(resolved.is_relative_to(root) for root in allowed):
        raise DataError("“{file}” is in none of the folders that may be read.", "Imports from this machine may read: {folders}",
                        "Choose a folder in one of them, or upload it. The owner of this machine can add folders in the settings.",
                        file=text.replace("\0", "")[:300], folders=", ".join(str(root) for root in allowed) or "–")
    if resolved.is_relative_to(ws.root) or ws.root.is_relative_to(resolved):
        raise DataError("“{file}” belongs to Graft itself.", "Everybody's data and runs are kept in it.",
                        "Choose the folder of your own files.", file=text[:300])
    if not os.path.exists(resolved):  # what can't even be asked for, as a name that is too long, is not there either
        raise NotFound("There is no file or folder “{file}”.", "", "Check the path.", file=text[:300])
    return resolved


def _absolute(text: str) -> Path:
    try:
        path = Path(text.strip()).expanduser()
        if not path.is_absolute() or "\0" in text:
            raise ValueError("not absolute")
        return path.resolve()
    except (ValueError, RuntimeError, OSError) as error:
        raise SettingsError("“{file}” is no whole path.", "A folder that imports may read needs its whole path, from the root of the disk.",
                            "Write it whole, such as {example}.", file=text[:300], example=str(Path.home() / "pictures")) from error


def _given_roots(ws: Workspace) -> list[str]:
    given = _section(ws).get("roots", [])
    if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
        raise _unusable("import.roots", given)
    return given


def _check_names(kind: type, given: Mapping[str, object], prefix: str) -> None:
    unknown = sorted(set(given) - {one.name for one in fields(kind)})
    if unknown:
        raise SettingsError("The settings name limits that do not exist.", "In settings.json: {names}",
            "Correct their names, or take them out.",
                            names=", ".join(prefix + name for name in unknown)[:300])


def _unusable(name: str, value: object) -> SettingsError:
    return SettingsError("A setting can't be used.", "In settings.json, “{name}” is {value}.", "Correct it, or take it out.", name=name,
                         value=json.dumps(value)[:100])


def _section(ws: Workspace) -> dict[str, Any]:
    section = _settings(ws).get("import", {})
    if not isinstance(section, dict):
        raise _unusable("import", section)
    return section


def _settings(ws: Workspace) -> dict[str, Any]:
    path = ws.root / "settings.json"
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(value, dict):
            raise ValueError("no object")
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:
        raise SettingsError("A file of the workspace can't be read.", "“{name}” is damaged.",
                            "Correct it, or move it away to start with an empty one.", name=path.name) from error
    return value


def _save(ws: Workspace, section: Mapping[str, Any], keep: Sequence[str]) -> None:
    with FileLock(ws.root / "owners.lock"):  # the one under which `core.owners` changes this file
        settings = _settings(ws)
        before = settings.get("import", {})
        kept = {name: before[name] for name in keep if name in before} if isinstance(before, dict) else {}
        settings["import"] = kept | dict(section)
        if not settings["import"]:
            del settings["import"]
        write_atomic(ws.root / "settings.json", json.dumps(settings, ensure_ascii=False, indent=1).encode("utf-8"))
