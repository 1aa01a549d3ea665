"""When all kinds of faults were to be tried, all of them were."""
from __future__ import annotations

import pytest

from tests.faults.record import Record

pytestmark = pytest.mark.slow


def test_every_kind_was_tried(faults: Record) -> None:
    assert faults.missing() == []
    assert faults.kinds["worker"].of_which["while it saved"] >= 4


def test_no_run_was_lost_and_all_ended_with_the_result_they_would_have_had(faults: Record) -> None:
    assert [counted.line() for counted in faults.kinds.values() if counted.lost or counted.identical != counted.tried] == []
