"""Pages run without a browser: the router through Streamlit's own test runner, in a workspace that core has furnished."""
from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from streamlit.testing.v1 import AppTest

from core.jobs import supervisor
from core.jobs.predictor_client import PredictorClient
from core.workspace import Workspace
from tests.pages.prepared import furnish

ROUTER = Path(__file__).parents[2] / "pages" / "router.py"
LARGE_BYTES = 1 << 20
Visit = Callable[..., AppTest]


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a workspace with data and runs of every kind. Copy it, never change it.

    Real trainings make it: the pytest processes that run side by side have one together, in the folder above their own.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "furnished"
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / "whole").exists():
            shutil.rmtree(folder, ignore_errors=True)  # begun by one that failed
            furnish(Workspace.open(folder / "workspace"))
            (folder / "whole").touch()
    return Workspace.open(folder / "workspace").root


@pytest.fixture
def lived_in(ws: Workspace, furnished: Path) -> Workspace:
    """The test's own workspace, with data and runs of every kind in it."""
    shutil.copytree(furnished, ws.root, dirs_exist_ok=True, copy_function=_copy)
    return ws


def _copy(source: str, target: str) -> None:
    """Bundles are large and only ever replaced as a whole: one copy of them on the disk is enough."""
    if os.stat(source).st_size > LARGE_BYTES:
        os.link(source, target)
    else:
        shutil.copyfile(source, target)


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch) -> Visit:
    """`visit("data.py", run="…", locale="zh-CN")`: a new browser session that opens a page. No process is started by it."""
    monkeypatch.setattr(supervisor, "ensure_supervisor", lambda ws: None)
    monkeypatch.setattr(PredictorClient, "warm", lambda self: None)

    def open_page(page: str = "start.py", *, run: str = "", locale: str = "en-US") -> AppTest:
        shown = AppTest.from_file(str(ROUTER), default_timeout=60)
        shown.context = {"locale": locale, "theme": "light", "timezone": "Europe/Berlin"}
        if run:
            shown.query_params["run"] = run
        shown.run()
        return shown.switch_page(page).run() if page != "start.py" else shown
    return open_page
