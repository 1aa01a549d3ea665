"""The Python side of the upload: what the browser is told, and what is made of its answer."""
from __future__ import annotations

import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.data.limits import UploadLimits
from core.specs import to_json
from core.workspace import Workspace
from pages.ui.components import upload as component
from pages.ui.components.upload import UploadResult, _result, _texts


def test_the_answer_becomes_a_result_with_reasons_for_what_was_left_out() -> None:
    failed = [{"name": "a.jpg", "why": "unreadable"}, {"name": "b", "why": "size"}, {"name": "c", "why": "name"}]
    result = _result({"n": 2, "bytes": 30, "ms": 5.0, "name": "cats", "failed": failed}, UploadLimits())
    assert isinstance(result, UploadResult) and (result.n, result.bytes, result.ms, result.name) == (2, 30, 5, "cats")
    assert [rejected.reason.format(**rejected.params) for rejected in result.failed] == [
        "The browser could not read it.", "It is larger than 4 GB.", "Its name, with its folders, is too long."]
    assert _result(None, UploadLimits()) is None


def test_names_of_what_was_left_out_are_harmless_and_can_be_stored() -> None:
    odd = _result({"n": 1, "bytes": 3, "ms": 5.0, "name": "cats", "failed": [{"name": "a/\ud800\u202egpj." + "x" * 5000, "why": "name"}]}, UploadLimits())
    assert odd is not None and to_json(odd.failed[0]) and odd.failed[0].name == ("a/\ufffdgpj." + "x" * 5000)[:200]


def test_every_text_the_script_shows_is_given_and_none_is_left_over() -> None:
    script = (Path(component.__file__).parent / "upload.js").read_text(encoding="utf-8")
    used = set(re.findall(r"\btext\.(\w+)", script))
    assert used == set(_texts())


@pytest.mark.parametrize("script", ["upload/upload.js", "collect/card.js", "picture_input/picture_input.js"])
def test_photos_of_phones_can_be_chosen_where_the_browser_does_not_take_them_for_pictures(script: str) -> None:
    text = (Path(component.__file__).parents[1] / script).read_text(encoding="utf-8")
    (accepted,) = re.findall(r"accept\b.*'(.*image/\*[^']*)'", text, re.IGNORECASE)
    assert {".heic", ".heif"} <= set(accepted.split(","))


def test_it_stands_on_a_page_and_has_no_result_at_first(ws: Workspace) -> None:
    def page() -> None:
        import streamlit as st

        from core.workspace import Workspace
        from pages.routes.tokens import mint
        from pages.ui.components.upload import upload

        st.write(str(upload(mint(Workspace.open(), "local", "upload", upload="upload7"), key="data.upload")))

    shown = AppTest.from_function(page).run(timeout=30)
    assert not shown.exception and shown.markdown[0].value == "None"
