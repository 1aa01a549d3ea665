"""A page with nothing but the freeze map. Query: model, lang, off, gradual, follow (seconds a run takes), unknown, adapters."""
from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

import streamlit as st  # noqa: E402

from pages.ui import state  # noqa: E402
from pages.ui.components.freeze_map import Row, Seconds, freeze_map  # noqa: E402
from pages.ui.i18n import language  # noqa: E402

CHINESE = {
    "stem": "茎部", "stage 1": "第 1 段", "stage 2": "第 2 段", "stage 3": "第 3 段", "stage 4": "第 4 段", "head": "分类头",
    "edges and colours": "边缘与颜色", "simple textures": "简单纹理", "patterns": "图案", "parts of things": "物体的部分",
    "whole things": "整个物体", "your 5 labels": "你的 5 个标签",
}
RESNET18 = (
    ("stem", "edges and colours", 9_536, 118, 1), ("stage 1", "simple textures", 147_968, 462, 2),
    ("stage 2", "patterns", 525_568, 411, 2), ("stage 3", "parts of things", 2_099_712, 411, 2),
    ("stage 4", "whole things", 8_393_728, 411, 2), ("head", "your 5 labels", 2_565, 4, 1),
)
UNITS = {"stage 1": 2_560, "stage 2": 4_736, "stage 3": 9_472, "stage 4": 18_944}
"""Numbers of ResNet-18's thin adapters at rank 1; its stem goes without, as a table of word vectors would."""
HOSTILE = [Row("a", "<img src=x onerror=\"window.attacked=1\">" * 3, "<b>note</b>", 10, 1, 1), Row("b", "{a} **bold** $x$", "", 20, 1, 1),
           Row("head", "<script>window.attacked=1</script>", "", 5, 1, 1, locked=True)]


def rows_of(model: str) -> list[Row]:
    if model == "hostile":
        return HOSTILE
    word = CHINESE if language() == "zh-CN" else {}
    return [Row(name, word.get(name, name), word.get(note, note), parameters, compute, blocks, locked=name == "head")
            for name, note, parameters, compute, blocks in RESNET18]


query = st.query_params
st.set_page_config(page_title="Freeze map", page_icon="❄️", layout="wide")
with st.sidebar:
    state.update(language="zh-CN" if st.toggle("Chinese", value=query.get("lang") == "zh-CN", key="chinese") else "en")
rows = rows_of(query.get("model", "resnet18"))
if "gradual" in query:
    rows = [replace(row, from_epoch=2 * (len(rows) - 1 - i)) for i, row in enumerate(rows)]
if "adapters" in query:
    rows = [replace(row, lora_unit=UNITS.get(row.name, 0)) for row in rows]
with st.sidebar:
    if st.button("Start over", key="again"):
        st.session_state.rev = st.session_state.get("rev", 0) + 1
if "follow" in query:  # as on the page, where the plan decides when a row joins
    rows = [replace(row, from_epoch=2 * (row.name in st.session_state.get("joining", ()))) for row in rows]
    time.sleep(float(query["follow"]))
first = ["trained" if i >= len(rows) - (3 if "gradual" in query else 1) else "frozen" for i in range(len(rows))]
with st.container(border=True):
    seconds = None if "unknown" in query else Seconds(21.0, 280)
    plan = freeze_map(rows, first, key="map", rev=st.session_state.get("rev", 0), seconds=seconds,
                      epochs=10 if {"gradual", "follow"} & set(query) else 0, disabled="off" in query)
st.text("Python sees: " + ", ".join(plan))
joining = [row.name for row, choice in zip(rows, plan) if choice == "trained" and not row.locked]
if "follow" in query and joining != st.session_state.get("joining", []):
    st.session_state["joining"] = joining
    st.rerun()
st.text("Joining later: " + ", ".join(joining))
