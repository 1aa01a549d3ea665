from __future__ import annotations

import os
import stat
import threading

import pytest

from core import owners
from core.errors import NotFound, SettingsError
from core.workspace import Workspace


def test_everybody_is_the_local_owner_until_sharing_starts(ws: Workspace) -> None:
    assert owners.owner_of(ws, {}) == "local"
    owners.start_sharing(ws)
    assert owners.owner_of(ws, {}) is None
    owners.stop_sharing(ws)
    assert owners.owner_of(ws, {}) == "local"


def test_the_local_owner_can_be_part_of_a_path(ws: Workspace) -> None:
    assert ws.draft(owners.LOCAL_OWNER).name == "local.json"


def test_a_cookie_names_its_owner_and_nobody_else(ws: Workspace) -> None:
    owners.start_sharing(ws)
    ada, bob = owners.new_owner(ws, "Ada"), owners.new_owner(ws, "Bob")
    cookie = owners.cookie_for(ws, ada)
    assert owners.owner_of(ws, {owners.COOKIE: cookie}) == ada
    assert owners.owner_of(ws, {owners.COOKIE: owners.cookie_for(ws, bob)}) == bob
    at = cookie.rindex(".") + 1  # the signature's first letter; of its last one some bits mean nothing
    assert owners.owner_of(ws, {owners.COOKIE: cookie[:at] + ("a" if cookie[at] != "a" else "b") + cookie[at + 1:]}) is None
    assert owners.owner_of(ws, {owners.COOKIE: owners.cookie_for(ws, "stranger0")}) is None, "signed, but unknown here"


def test_a_cookie_of_another_workspace_is_worth_nothing(ws: Workspace, tmp_path) -> None:
    other = Workspace.open(tmp_path / "other")
    owners.start_sharing(ws)
    assert owners.owner_of(ws, {owners.COOKIE: owners.cookie_for(other, "local")}) is None
    assert owners.owner_of(ws, {owners.COOKIE: owners.cookie_for(ws, "local")}) == "local"


def test_the_secret_is_made_once_by_many_at_a_time(ws: Workspace) -> None:
    start, found = threading.Barrier(8), []

    def ask() -> None:
        start.wait()
        found.append(owners.secret(ws))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1 and len(found[0]) == 64


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_nobody_else_can_read_the_secret(ws: Workspace) -> None:
    owners.secret(ws)
    assert stat.S_IMODE((ws.root / "secret").stat().st_mode) == 0o600


def test_an_emptied_secret_is_refused_instead_of_used(ws: Workspace) -> None:
    (ws.root / "secret").write_bytes(b"")
    with pytest.raises(SettingsError, match="damaged"):
        owners.secret(ws)


def test_the_join_code_forgives_how_it_is_typed_and_ends_with_sharing(ws: Workspace) -> None:
    assert not owners.code_fits(ws, ""), "there is no code yet"
    code = owners.start_sharing(ws)
    assert owners.start_sharing(ws) == code == owners.join_code(ws)
    assert owners.code_fits(ws, f" {code.replace('-', ' ').upper()} ")
    assert not owners.code_fits(ws, "") and not owners.code_fits(ws, code[:-1]) and not owners.code_fits(ws, "é")
    owners.stop_sharing(ws)
    assert owners.join_code(ws) is None and not owners.code_fits(ws, code)
    assert owners.start_sharing(ws) != code


def test_sharing_leaves_other_settings_alone(ws: Workspace) -> None:
    (ws.root / "settings.json").write_text('{"cache_limit_bytes": 7}', encoding="utf-8")
    owners.start_sharing(ws)
    owners.stop_sharing(ws)
    assert '"cache_limit_bytes": 7' in (ws.root / "settings.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("typed, kept", [("  Ada \n Lovelace\t", "Ada Lovelace"),
                                         ("x\u202egpj\x00.exe", "x gpj .exe"), ("n" * 60, "n" * 40), ("小明", "小明")])
def test_names_are_cleaned(ws: Workspace, typed: str, kept: str) -> None:
    owner = owners.new_owner(ws, typed)
    assert owners.display_name(ws, owner) == kept
    assert owners.rename(ws, "local", typed) == owners.display_name(ws, "local") == kept


def test_an_empty_name_and_an_unknown_owner_are_refused(ws: Workspace) -> None:
    with pytest.raises(SettingsError, match="name is missing"):
        owners.new_owner(ws, " \n\u200b ")
    with pytest.raises(NotFound):
        owners.rename(ws, "nobody", "Ada")
    assert owners.owners(ws) == {} and owners.display_name(ws, "nobody") == "nobody"


def test_people_who_join_at_once_are_all_kept(ws: Workspace) -> None:
    threads = [threading.Thread(target=owners.new_owner, args=(ws, f"student {i}")) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(owners.owners(ws).values()) == sorted(f"student {i}" for i in range(12))


def test_a_local_turn_is_taken_once(ws: Workspace) -> None:
    turn = owners.local_turn(ws)
    assert owners.take_local_turn(ws, turn)
    assert not owners.take_local_turn(ws, turn)
    assert owners.take_local_turn(ws, owners.local_turn(ws))
