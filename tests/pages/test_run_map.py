"""A finished run's map: what moved, and what was predicted."""
from __future__ import annotations

import pytest

from core.jobs.usage import Predicted, Usage
from core.models.catalog import DEFAULT, find
from core.specs import to_json
from core.training.change import Change, write_changes
from core.training.estimate import Estimate
from core.workspace import Workspace, write_atomic
from pages.ui import run_map
from pages.ui.components import freeze_map
from tests.pages.conftest import Visit
from tests.pages.prepared import ENDED
from tests.pages.seen import said, trouble

ROW = find(DEFAULT)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    calls: list[dict] = []
    monkeypatch.setattr(freeze_map, "_component", lambda *, data, **_: calls.append(data) or {"edit": None})
    return calls


def test_the_results_page_ends_with_how_far_each_block_moved(lived_in: Workspace, visit: Visit, shown: list[dict]) -> None:
    moved = [0.01 * i for i in range(len(ROW.blocks) - 1)] + [None]
    write_changes(lived_in.run(ENDED), [Change(block.name, part) for block, part in zip(ROW.blocks, moved)])
    page = visit("results.py", run=ENDED)
    assert "What changed in the network" in said(page) and trouble(page) == []
    assert shown[-1]["change"] == moved and shown[-1]["disabled"] and shown[-1]["conditions"]["n_train"] == 12


def test_an_older_run_and_one_of_other_blocks_show_none(lived_in: Workspace, visit: Visit, shown: list[dict]) -> None:
    file = lived_in.run(ENDED) / "change.json"
    file.unlink(missing_ok=True)
    assert "What changed in the network" not in said(visit("results.py", run=ENDED))
    file.write_bytes(to_json((Change("stem", 0.1),)))
    page = visit("results.py", run=ENDED)
    assert "What changed in the network" not in said(page) and trouble(page) == [] and shown == []


def test_the_prediction_is_the_one_of_the_day_the_run_was_submitted(lived_in: Workspace) -> None:
    folder = lived_in.run(ENDED)
    (folder / "predicted.json").unlink(missing_ok=True)
    assert run_map.took(folder) is None
    write_atomic(folder / "predicted.json", to_json(Predicted(Estimate(1.0, 2.0, 5.0, True, 3e8), (2.0, 4.0), 1.5)))
    write_atomic(folder / "usage.json", to_json(Usage(4e8)))
    seen = run_map.took(folder)
    assert seen and (seen.predicted_epoch_s, seen.predicted_once_s, seen.peak_bytes, seen.predicted_peak_bytes, seen.measured) == (3.0, 1.5, 4e8, 3e8, True)
    assert seen.epoch_s and 0 < seen.epoch_s < 60
