"""What pages say of a run before it has begun, and after it has ended."""
from __future__ import annotations

import pytest

from core.jobs import probe, usage
from core.jobs.usage import Compared
from core.owners import LOCAL_OWNER
from core.specs import to_json
from core.workspace import Workspace, write_atomic
from pages.ui import predictions
from pages.ui.state import Draft
from tests.pages.conftest import Visit
from tests.pages.prepared import ENDED, PETS, add_dataset
from tests.pages.seen import said


@pytest.mark.parametrize("now, text", [("running", "Measuring this model on this machine"), ("waits", "once nothing else is learning"),
                                       ("failed", "A first guess"), ("known", "")])
def test_the_page_says_how_good_its_figures_are(ws: Workspace, visit: Visit, monkeypatch: pytest.MonkeyPatch, now: str, text: str) -> None:
    data = add_dataset(ws, PETS, ("cat", "dog"), {"train": 4, "val": 2, "test": 2}, name="pets")
    write_atomic(ws.draft(LOCAL_OWNER), to_json(Draft(data=data)))
    monkeypatch.setattr(probe, "measure", lambda ws, wish: now)
    shown = said(visit("train.py"))
    assert text in shown and (text or ("guess" not in shown and "Measuring" not in shown))


def test_an_ended_run_says_how_far_off_its_prediction_was(lived_in: Workspace, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions, "compare", lambda folder: Compared(3.2, 3.6, 1.0, 1.0, 1.1e9, 1.0e9, True))
    shown = said(visit("results.py", run=ENDED))
    assert "Predicted 3.2 s an epoch, took 3.6 s (12 % more). Predicted 1.1 GB of memory, used 1.0 GB (9 % less)." in shown


def test_a_run_of_which_nothing_was_predicted_says_nothing(lived_in: Workspace, visit: Visit) -> None:
    assert usage.compare(lived_in.run(ENDED)) is None and "Predicted" not in said(visit("results.py", run=ENDED))
