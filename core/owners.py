"""Whose things these are: the one local owner, or, while a class shares the machine, the person a signed cookie names."""
from __future__ import annotations

import hmac
import json
import os
import secrets
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock
from itsdangerous import BadSignature, URLSafeTimedSerializer

from core.errors import NotFound, SettingsError
from core.workspace import Workspace, new_id, write_atomic

LOCAL_OWNER = "local"
COOKIE = "graft_owner"
COOKIE_AGE_S = 365 * 24 * 3600
MAX_NAME = 40


def secret(ws: Workspace) -> bytes:
    """The key every signature of this workspace is made with; made on first use, readable by its user only."""
    path = ws.root / "secret"
    if not path.is_file():
        with _locked(ws):
            if not path.is_file():
                _write_private(path, secrets.token_hex(32).encode("ascii"))
    key = path.read_bytes()
    if len(key) < 32:
        raise SettingsError("A file of the workspace can't be read.", "“{name}” is damaged.",
                            "Delete it and reload the page: a new one is made. Everybody who joined has to join again.", name=path.name)
    return key


def sharing(ws: Workspace) -> bool:
    """Whether several people use this workspace; without it everybody who reaches the app is `LOCAL_OWNER`."""
    return _settings(ws).get("sharing") is True


def start_sharing(ws: Workspace) -> str:
    """Let others join, and return the code they need. Sharing already: nothing changes and the same code is returned."""
    with _locked(ws):
        settings = _settings(ws)
        if settings.get("sharing") is not True:
            code = new_id()[:8]
            settings |= {"sharing": True, "join_code": f"{code[:4]}-{code[4:]}"}
            _write_json(ws.root / "settings.json", settings)
        return str(settings["join_code"])


def stop_sharing(ws: Workspace) -> None:
    """Nobody can join any more and the join code is void; the people who joined keep what is theirs for the next time."""
    with _locked(ws):
        settings = _settings(ws) | {"sharing": False}
        settings.pop("join_code", None)
        _write_json(ws.root / "settings.json", settings)


def join_code(ws: Workspace) -> str | None:
    return str(_settings(ws)["join_code"]) if sharing(ws) else None


def code_fits(ws: Workspace, given: str) -> bool:
    """Compare in constant time, forgiving case, spaces and the dash."""
    code = join_code(ws)
    return code is not None and hmac.compare_digest(_plain(code), _plain(given))


def owners(ws: Workspace) -> dict[str, str]:
    """Display names by owner id; `LOCAL_OWNER` is in it once it has been named."""
    return {str(key): str(name) for key, name in _read_json(ws.root / "owners.json").items()}


def display_name(ws: Workspace, owner: str) -> str:
    """The owner's name as typed (escape it before showing), or the id where there is none."""
    return owners(ws).get(owner, owner)


def new_owner(ws: Workspace, name: str) -> str:
    """Add somebody and return their id. Raises `SettingsError` for an empty name; two people may have the same one."""
    owner, cleaned = new_id(), _cleaned(name)
    with _locked(ws):
        _write_json(ws.root / "owners.json", owners(ws) | {owner: cleaned})
    return owner


def rename(ws: Workspace, owner: str, name: str) -> str:
    """Give an owner another name, cleaned of control characters and cut to `MAX_NAME`, and return it."""
    cleaned = _cleaned(name)
    with _locked(ws):
        known = owners(ws)
        if owner != LOCAL_OWNER and owner not in known:
            raise NotFound("Nobody here has this name.", "The person was removed, or belongs to another workspace.", "Join again.")
        _write_json(ws.root / "owners.json", known | {owner: cleaned})
    return cleaned


def cookie_for(ws: Workspace, owner: str) -> str:
    """The value of the cookie `COOKIE` that makes its browser this owner's for `COOKIE_AGE_S`."""
    return _signer(ws).dumps(owner)


def owner_of(ws: Workspace, cookies: Mapping[str, str]) -> str | None:
    """Who is asking. Not sharing: always `LOCAL_OWNER`. Sharing: the owner in the signed cookie, None without a valid one."""
    if not sharing(ws):
        return LOCAL_OWNER
    try:
        owner = _signer(ws).loads(cookies.get(COOKIE, ""), max_age=COOKIE_AGE_S)
    except BadSignature:
        return None
    return owner if owner == LOCAL_OWNER or owner in owners(ws) else None


def local_turn(ws: Workspace) -> int:
    """Counts the links by which the person at the machine signed in; a link is good for the turn it was made in, so once."""
    return int(_settings(ws).get("local_turn", 0))


def take_local_turn(ws: Workspace, turn: int) -> bool:
    """Use up a link of that turn. False when it was used before."""
    with _locked(ws):
        settings = _settings(ws)
        if settings.get("local_turn", 0) != turn:
            return False
        _write_json(ws.root / "settings.json", settings | {"local_turn": turn + 1})
        return True


def _signer(ws: Workspace) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secret(ws), salt="graft owner cookie")


def _settings(ws: Workspace) -> dict[str, Any]:
    return _read_json(ws.root / "settings.json")


def _locked(ws: Workspace) -> FileLock:
    return FileLock(ws.root / "owners.lock")


def _cleaned(name: str) -> str:
    # "C": control and invisible format characters, which could reverse or hide what stands beside a name
    visible = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in name)
    cleaned = " ".join(visible.split())[:MAX_NAME].strip()
    if not cleaned:
        raise SettingsError("A name is missing.", "Others see your runs under your name.", "Type at least one letter.")
    return cleaned


def _plain(code: str) -> bytes:
    return "".join(code.split()).replace("-", "").lower().encode("utf-8")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise SettingsError("A file of the workspace can't be read.", "“{name}” is damaged.",
                            "Correct it, or move it away to start with an empty one.", name=path.name) from error
    return value if isinstance(value, dict) else {}


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    write_atomic(path, json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8"))


def _write_private(path: Path, data: bytes) -> None:
    """Like `write_atomic`, but nobody else can read the file at any moment."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
