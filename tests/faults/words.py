"""What the Train page says of a run that does not go on by itself, and the button with which it does."""
from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest

from core.specs import RunSpec
from core.workspace import Workspace
from tests.faults.lives import set_for
from tests.faults.record import Record, Trial
from tests.pages.seen import markdown, trouble

ROUTER = Path(__file__).parents[2] / "pages" / "router.py"
NEXT = "recipe.next"


def page_says(ws: Workspace, faults: Record, run: RunSpec, *words: str, failed: bool = False, button: str = "Resume") -> None:
    """The page says all of this, without a traceback in sight, and offers to let the run go on. `failed`: in an error box."""
    with faults.trial("words") as trial:
        trial.hit()
        _says(ws, run, words, failed, button, trial)


def visit(ws: Workspace, run: RunSpec) -> AppTest:
    """The Train page of the run, by way of the start page."""
    with set_for(ws):
        page = AppTest.from_file(str(ROUTER), default_timeout=60)
        page.context = {"locale": "en-US", "theme": "light", "timezone": "Europe/Berlin"}
        page.query_params["run"] = run.id
        return page.run().switch_page("train.py").run()


def _says(ws: Workspace, run: RunSpec, words: tuple[str, ...], failed: bool, button: str, trial: Trial) -> None:
    page = visit(ws, run)
    shown = markdown(page).replace("\\", "")  # names and templates are escaped
    trial.finished = True
    assert [text for text in words if text not in shown] == [], shown
    assert len(page.error) == failed and not page.exception
    assert failed or trouble(page) == [], "no traceback, and nothing that looks like one"
    assert page.button(key=NEXT).label == button and not page.button(key=NEXT).disabled
    trial.same = True
