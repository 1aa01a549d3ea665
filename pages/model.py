"""Model: which network to start from, and how much of it may change."""
from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.models.catalog import find, on_this_machine
from pages.ui import adaptation, add_model, advice_sections, code, model_cards, own_checkpoint, own_vectors, predictions, recipe, state
from pages.ui.components.freeze_map import freeze_map
from pages.ui.i18n import _
from pages.ui.plan import conditions, map_rows, shares
from pages.ui.text import md

BRING = {"image": (lambda: add_model.section("model", "image"), lambda: own_checkpoint.section(ws, "image")),
         "text": (lambda: add_model.section("model", "text"), lambda: own_checkpoint.section(ws, "text"), lambda: own_vectors.section(ws, "model"))}
"""By task: ways to bring a model of one's own."""

ws, draft, version = state.workspace(), state.draft(), state.version()
row, n_labels = find(draft.model, ws), len(version.labels) if version else 5
st.title(_("Model"), anchor=False)
bar, rows = recipe.place(), model_cards.rows_for(version)
if not on_this_machine(row):
    model_cards.missing_weights(row, "model")
st.subheader(_("How much may change?"), anchor=False)
with st.container(border=True):
    st.markdown(f"**{md(row.title)}**")
    plan, config = draft.actual_plan(), draft.actual_config()
    known = conditions(row, plan, predictions.costs(row, plan, config), config, version) if version else None
    bricks = map_rows(row, plan, n_labels, version.objective if version else "single_label", config.input_size)
    blocks = freeze_map(bricks, plan.blocks, key=f"model.map.{row.key}", rev=state.rev("settings") + state.rev("plan"), conditions=known,
                        epochs=config.epochs, gentle=shares(row), rank=config.lora_rank,
                        stores=config.store_activations, probes=advice_sections.probes(row))
    if blocks != plan.blocks:
        plan = replace(plan, blocks=blocks)
        state.update(plan=plan, preset="custom", config=replace(config, preset="custom"))
    elif version is None:
        st.caption(_("Figures are for five labels until you choose data."))
    predictions.measure("model", row, config)
    adaptation.section(row)
code.of_draft("model")
advice_sections.model(row)
st.subheader(_("Which network?"), anchor=False)
st.caption(_("A pretrained network has already learned to see, or to read. Those on this machine come first; the others are downloaded once."))
model_cards.grid(rows, draft.model)
for bring in BRING.get(version.task if version else row.task, ()):
    bring()
learns = any(block.trains_at(config.epochs - 1) for block in plan.blocks)
recipe.fill_draft(bar, "model", button=_("Next: train"), icon=":material/arrow_forward:",
                  on_click=lambda: st.switch_page("train.py"), disabled=not learns)
