"""A finished run's network: how far each block moved from its source, and how far off the predictions were."""
from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.jobs import usage
from core.models.catalog import models
from core.specs import RunSpec
from core.training.change import load_changes
from pages.ui import predictions, state
from pages.ui.components.freeze_map import Actual, freeze_map
from pages.ui.i18n import _
from pages.ui.plan import conditions, map_rows


def show(run: RunSpec) -> None:
    """A section with the run's map; nothing where the run kept no changes (it is older) or its model was deleted."""
    ws = state.workspace()
    row, changes = models(ws).get(run.model.key), load_changes(ws.run(run.id))
    if row is None or [change.block for change in changes] != [block.name for block in run.plan.blocks]:
        return
    st.subheader(_("What changed in the network"), anchor=False)
    st.caption(_("How far the weights of each part are from where they started, as a share of their size. What hardly moved still knows what it "
                 "knew; a new head has no start to compare with."))
    version, config = state.read_version(run.data), run.config
    with st.container(border=True):
        freeze_map(map_rows(row, run.plan, len(version.labels), run.data.objective, config.input_size), run.plan.blocks, key=f"results.map.{run.id}",
                   rev=0, conditions=conditions(row, run.plan, predictions.costs(row, run.plan, config, run.data), config, version),
                   epochs=config.epochs, rank=config.lora_rank, stores=config.store_activations,
                   disabled=True, change=[change.moved for change in changes], actual=took(ws.run(run.id)))


def took(folder: Path) -> Actual | None:
    """What the run in `folder` took, beside what was predicted when it was submitted; None where nothing was."""
    seen = usage.compare(folder)
    if seen is None:
        return None
    return Actual(seen.epoch_s, seen.predicted_epoch_s, seen.once_s, seen.predicted_once_s, seen.peak_bytes, seen.predicted_peak_bytes, seen.measured)
