from __future__ import annotations

import pytest

from core.errors import SettingsError
from core.objectives import OBJECTIVES, objective


def test_every_row_is_found_by_its_own_key() -> None:
    assert all(objective(key) is row and row.key == key for key, row in OBJECTIVES.items())


def test_an_unknown_key_names_the_nearest_one() -> None:
    with pytest.raises(SettingsError, match="Did you mean “single_label”"):
        objective("single-lable")
