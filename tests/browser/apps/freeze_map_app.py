"""A page with nothing but the freeze map. Query: model, lang, off, gradual, slow (seconds a run takes), unknown, adapters, changed, probes."""
from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

import streamlit as st  # noqa: E402

from core.specs import BlockPlan  # noqa: E402
from core.training.costs import BlockCost, Costs  # noqa: E402
from pages.ui import state  # noqa: E402
from pages.ui.components.freeze_map import Actual, Conditions, Part, Probe, Probes, Row, freeze_map  # noqa: E402
from pages.ui.i18n import language  # noqa: E402

CHINESE = {
    "stem": "茎部", "stage 1": "第 1 段", "stage 2": "第 2 段", "stage 3": "第 3 段", "stage 4": "第 4 段", "head": "分类头",
    "edges and colours": "边缘与颜色", "simple textures": "简单纹理", "patterns": "图案", "parts of things": "物体的部分",
    "whole things": "整个物体", "your 5 labels": "你的 5 个标签",
}
RESNET18 = (
    ("stem", "edges and colours", 118, (9_536,)), ("stage 1", "simple textures", 462, (73_984, 73_984)),
    ("stage 2", "patterns", 411, (230_144, 295_424)), ("stage 3", "parts of things", 411, (919_040, 1_180_672)),
    ("stage 4", "whole things", 411, (3_673_088, 4_720_640)), ("head", "your 5 labels", 4, (0, 2_565)),
)
UNITS = {"stage 1": (1_280, 1_280), "stage 2": (2_176, 2_560), "stage 3": (4_352, 5_120), "stage 4": (8_704, 10_240)}
"""Numbers of ResNet-18's thin adapters at rank 1; its stem goes without, as a table of word vectors would."""
HOSTILE = [Row("a", "<img src=x onerror=\"window.attacked=1\">" * 3, "<b>note</b>", (Part("a", "a", 10, 1),)),
           Row("b", "{a} **bold** $x$", "", (Part("b1", "<b>x</b>", 15, 1), Part("b2", "{a}", 5, 1))),
           Row("head", "<script>window.attacked=1</script>", "", (Part("head", "", 5, 1, locked=True),))]


def rows_of(model: str) -> list[Row]:
    if model == "hostile":
        return HOSTILE
    word, rows = CHINESE if language() == "zh-CN" else {}, []
    for name, note, compute, sizes in RESNET18:
        head = name == "head"
        parts = [Part(f"{name}, block {i + 1}", f"{word.get(name, name)}, {i + 1}", size, compute / len(sizes) if size else 0.0, locked=head,
                      lora_unit=UNITS.get(name, (0, 0))[i] if "adapters" in query else 0) for i, size in enumerate(sizes)]
        rows.append(Row(name, word.get(name, name), word.get(note, note), tuple(parts)))
    return rows


def costs(rows: list[Row]) -> Costs:
    """As if 280 items took 21 seconds with everything trained."""
    unit = 21 / 280 / (3 * 1817 - 118 / 2)
    seconds = [part.compute * unit for row in rows for part in row.parts]
    return Costs(tuple(BlockCost(s, s, s, s, 1e9 * s, kept_bytes=4e4, passed_bytes=2e8 * s) for s in seconds), 0.0, 3e8, True)


query = st.query_params
st.set_page_config(page_title="Freeze map", page_icon="❄️", layout="wide")
with st.sidebar:
    state.update(language="zh-CN" if st.toggle("Chinese", value=query.get("lang") == "zh-CN", key="chinese") else "en")
    if st.button("Start over", key="again"):
        st.session_state.rev = st.session_state.get("rev", 0) + 1
rows = rows_of(query.get("model", "resnet18"))
trains = len(rows) - (3 if "gradual" in query else 1)
first = [BlockPlan(part.name, "trained" if i >= trains else "frozen", from_epoch=2 * (len(rows) - 1 - i) if "gradual" in query and i >= trains else 0)
         for i, row in enumerate(rows) for part in row.parts]
if "slow" in query:  # as on the page, where what is measured meanwhile comes with the answer
    time.sleep(float(query["slow"]))
with st.container(border=True):
    seen = st.session_state.get("seen", 1.0)
    known = costs(rows)
    if "slow" in query:
        known = replace(known, base_bytes=known.base_bytes * seen)
    plan = freeze_map(rows, first, key="map", rev=st.session_state.get("rev", 0), epochs=10, disabled="off" in query,
                      conditions=None if "unknown" in query else Conditions(known, 280, 0, 32),
                      gentle={"trained": 0.3, "lora": 1.0},
                      probes=Probes((Probe(rows[1].parts[-1].name, "62 % (55–69)", 0.62, 0.55, 0.69),
                                     Probe(rows[3].parts[0].name, "88 % (83–92)", 0.88, 0.83, 0.92),
                                     Probe(rows[3].parts[-1].name, "91 % (88–94)", 0.91, 0.88, 0.94)), "what they say") if "probes" in query else Probes(),
                      change=[None if part.locked else 0.0 if i < 2 else 0.0004 * 3 ** i for i, part in enumerate(p for row in rows for p in row.parts)]
                      if "changed" in query else None, actual=Actual(3.0, 2.5, 6.0, 6.0, 4.1e8, 4.5e8, False) if "changed" in query else None)
states = {row.name: "/".join(dict.fromkeys(block.state for block in plan if block.name in {part.name for part in row.parts})) for row in rows}
st.text("Python sees: " + ", ".join(states.values()))
st.text("Exactly: " + "; ".join(f"{block.state} {block.lr_scale:g} {block.from_epoch} {block.anchor:g}" for block in plan))
if "slow" in query and seen != 1 + len([s for s in states.values() if s != "frozen"]) / 10:
    st.session_state["seen"] = 1 + len([s for s in states.values() if s != "frozen"]) / 10
    st.rerun()
