"""Show the code: a script that follows the form, with a link to what belongs beside it."""
from __future__ import annotations

import ast

from core.owners import LOCAL_OWNER
from core.specs import to_json
from core.workspace import Workspace, write_atomic
from pages.ui.state import Draft
from tests.pages.conftest import Visit
from tests.pages.prepared import PETS, add_dataset
from tests.pages.seen import html, said, trouble


def prepared(ws: Workspace, **changes: object) -> None:
    data = add_dataset(ws, PETS, ("cat", "dog"), {"train": 4, "val": 2, "test": 2})
    write_atomic(ws.draft(LOCAL_OWNER), to_json(Draft(**{"data": data, "language": "en", **changes})))


def test_the_code_follows_the_form(ws: Workspace, visit: Visit) -> None:
    prepared(ws)
    page = visit("train.py")
    assert not page.code, "it is made only when it is asked for"
    page.toggle("train.code").set_value(True).run()
    before = page.code[0].value
    assert not trouble(page) and ast.parse(before) and "LABELS = ('cat', 'dog')" in before and "layer4.0" not in before
    assert f"graft/kit/{PETS}.zip?token=" in html(page)
    page.button(key="train.preset.balanced").click().run()
    assert "layer4.0" in page.code[0].value and not trouble(page)


def test_without_data_it_says_what_to_do(ws: Workspace, visit: Visit) -> None:
    page = visit("model.py")
    page.toggle("model.code").set_value(True).run()
    assert "Choose data first: the script names its labels." in said(page) and not page.code
