"""Train: choose a preset and start; with a run in the address, watch it."""
from __future__ import annotations

import streamlit as st

from core.jobs.predictor_client import client
from core.jobs.runs import submit
from core.jobs.usage import note_prediction
from core.models.catalog import find, on_this_machine
from core.objectives import objective
from core.specs import ModelSpec
from core.training.presets import fitted_at_once
from core.workspace import new_id
from pages.ui import code, data_view, live, model_cards, predictions, presets, recipe, settings_form, state
from pages.ui.empty import empty
from pages.ui.i18n import _
from pages.ui.text import about, duration, size


def prepare() -> None:
    """The draft: presets first, everything else folded."""
    ws, draft, version = state.workspace(), state.draft(), state.version()
    st.title(_("Train"), anchor=False)
    bar = recipe.place()
    if draft.data is None or version is None:
        empty(_("Choose data first: a folder with one sub-folder for each label, or a sample set."))
        recipe.fill_draft(bar, "train", button=_("Choose data"), icon=":material/arrow_forward:", on_click=lambda: st.switch_page("start.py"))
        return
    client().warm()  # so that Try it answers at once
    held = data_view.holds(draft.data)
    if held:
        data_view.show_hold(held)
    row = find(draft.model, ws)
    if not on_this_machine(row):
        model_cards.missing_weights(row, "train")
    alike = max(version.counts()["train"].values(), default=0) if objective(version.objective).labels_exclude else 0  # pairs want one label each
    presets.cards(row, draft, version, alike)
    config = settings_form.advanced(row, draft)
    expected = predictions.expected(row, draft.actual_plan(), config, version)
    told = dict(t=about(expected.total), once=duration(expected.once), epoch=duration(expected.epoch), n=expected.epochs)
    if fitted_at_once(row, draft.actual_plan(), config):
        text = _("Time on this machine: {t} ({once} once, then {n} fits of the head of {epoch} each).", **told)
    else:
        text = _("Time on this machine: {t} ({once} once, then {epoch} for each of up to {n} epochs).", **told)
    if expected.views:
        text += " " + _("Of each item {n} variants are made, which take turns.", n=expected.views)
    if expected.peak_bytes is not None:
        text += " " + _("Memory: about {a}.", a=size(expected.peak_bytes))
    st.markdown(f":material/timer: {text}", help=_("One epoch is one pass over your items."))
    settings_form.KINDS[row.task].warn(config, row, draft.data)
    predictions.measure("train", row, config)
    code.of_draft("train")

    def start() -> None:
        run = submit(ws, state.me(), draft.data, ModelSpec(row.key, draft.pretrained), draft.actual_plan(), config, draft.request)
        note_prediction(ws, run)
        state.update(request=new_id())
        state.look_at(run.id)
        state.put("watching", run.id)
        st.switch_page("train.py", query_params={"run": run.id})

    recipe.fill_draft(bar, "train", button=_("Start training"), icon=":material/play_arrow:", on_click=start, disabled=held is not None)


if "run" in st.query_params:
    live.watch(st.query_params["run"])
else:
    prepare()
