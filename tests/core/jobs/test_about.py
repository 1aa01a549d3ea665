from __future__ import annotations

import time
from pathlib import Path

import pytest

from core.errors import SettingsError
from core.jobs.about import DAYS, About, about, say, tags_in


def test_what_was_said_is_kept_and_the_rest_stays(tmp_path: Path) -> None:
    assert about(tmp_path) == About()
    say(tmp_path, name="best", tags=("a", "b"))
    say(tmp_path, star=True, note="line\nline")
    assert about(tmp_path) == About("best", ("a", "b"), "line\nline", True)


def test_a_damaged_file_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "about.json").write_bytes(b'{"name": ')
    assert about(tmp_path) == About()


@pytest.mark.parametrize("changes", [{"name": " "}, {"name": "x" * 61}, {"name": "a\nb"}, {"note": "x" * 2001}, {"tags": ("x" * 25,)},
                                     {"tags": tuple("abcdefghi")}])
def test_what_can_not_be_kept_is_refused_and_changes_nothing(tmp_path: Path, changes: dict) -> None:
    say(tmp_path, name="best")
    with pytest.raises(SettingsError):
        say(tmp_path, star=True, **changes)
    assert about(tmp_path) == About("best")


def test_tags_are_parted_by_commas_of_any_kind() -> None:
    assert tags_in(" a, b，猫、a ,,") == ("a", "b", "猫")


def test_what_was_deleted_expires(tmp_path: Path) -> None:
    assert not say(tmp_path, deleted=time.time()).expired and not About().expired
    assert say(tmp_path, deleted=time.time() - DAYS * 86400 - 1).expired
