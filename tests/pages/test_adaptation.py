"""Model: the head, normalisation and the pull to the source, beside the freeze map."""
from __future__ import annotations

from streamlit.testing.v1 import AppTest

from core.models.catalog import DEFAULT, find
from core.owners import LOCAL_OWNER
from core.specs import HeadPlan, from_json, to_json
from core.training.presets import PlanKind, plan_for
from core.workspace import Workspace, write_atomic
from pages.ui.state import Draft
from tests.pages.conftest import Visit
from tests.pages.seen import said

ROW = find(DEFAULT)
KEY = f"0.{DEFAULT}"


def stored(ws: Workspace) -> Draft:
    return from_json(Draft, ws.draft(LOCAL_OWNER).read_bytes())


def opened(ws: Workspace, visit: Visit, kind: PlanKind) -> AppTest:
    write_atomic(ws.draft(LOCAL_OWNER), to_json(Draft(plan=plan_for(ROW, kind), preset="custom")))
    return visit("model.py")


def test_a_hidden_layer_and_another_pooling_go_into_the_plan_and_are_counted(ws: Workspace, visit: Visit) -> None:
    page = opened(ws, visit, "head")
    page.selectbox(key=f"model.head.{KEY}").set_value("mlp").run()
    assert stored(ws).plan.head == HeadPlan("mlp") and stored(ws).preset == "custom"
    page.number_input(key=f"model.head_width.{KEY}").set_value(64).run()
    page.selectbox(key=f"model.pooling.{KEY}").set_value("flatten").run()
    assert stored(ws).plan.head == HeadPlan("mlp", "flatten", 64) and not page.exception
    assert "12.8 K numbers enter the head" in said(page)  # 512 channels in 5 x 5 places of a picture of 160 px


def test_one_strength_for_all_pretrained_blocks_that_train(ws: Workspace, visit: Visit) -> None:
    page = opened(ws, visit, "last-stage")
    page.selectbox(key=f"model.anchor.{KEY}.0.0").set_value(0.01).run()
    now = {block.name: block.anchor for block in stored(ws).plan.blocks}
    assert now["stage 4, block 1"] == 0.01 and now["head"] == 0 == now["stem"] and not page.exception
    assert page.selectbox(key=f"model.anchor.{KEY}.0.01").value == 0.01
    page.selectbox(key=f"model.anchor.{KEY}.0.01").set_value(0.0).run()
    assert {block.anchor for block in stored(ws).plan.blocks} == {0.0}


def test_with_the_head_alone_there_is_nothing_to_pull_back(ws: Workspace, visit: Visit) -> None:
    page = opened(ws, visit, "head")
    assert "once a pretrained block trains" in said(page)


def test_statistics_stay_with_the_source_where_that_is_wished(ws: Workspace, visit: Visit) -> None:
    page = opened(ws, visit, "last-stage")
    page.selectbox(key=f"model.batch_norm.{KEY}").set_value("keep").run()
    assert stored(ws).plan.batch_norm == "keep" and not page.exception
