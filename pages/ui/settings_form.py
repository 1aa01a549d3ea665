"""The advanced settings of a run, each with a sentence of help. Folded: presets come first."""
from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.errors import SettingsError, UserError
from core.models.catalog import ModelRow
from core.specs import Augmentation, TrainConfig
from pages.ui import preview, state
from pages.ui.errors import show_error
from pages.ui.i18n import _
from pages.ui.state import Draft


def advanced(row: ModelRow, draft: Draft) -> TrainConfig:
    """The settings as edited; the draft keeps them. Invalid ones are explained and not taken."""
    given = draft.actual_config()
    with st.expander(_("Advanced settings"), icon=":material/tune:", key="train.advanced"):
        try:
            edited = _fields(given, row)
        except SettingsError as error:
            show_error(error)
            return given
        if edited.augmentation.active and draft.data:
            try:
                preview.augmented(draft.data, row.key, edited.augmentation)
            except UserError as error:
                show_error(error)
    if edited != given:
        state.update(config=replace(edited, preset="custom"), plan=draft.actual_plan(), preset="custom")
        st.rerun()
    return edited


def _fields(given: TrainConfig, row: ModelRow) -> TrainConfig:
    rev = str(state.rev("settings"))
    grid = st.grid(3, min_column_width=220)
    one, two, three = grid.container(), grid.container(), grid.container()
    with one:
        st.markdown(f"**{_('Learning')}**")
        epochs = st.number_input(_("Epochs"), 1, 1000, given.epochs, key=f"train.epochs.{rev}", help=_("One epoch is one pass over your pictures."))
        rate = st.number_input(_("Learning rate"), 1e-8, 10.0, given.learning_rate, format="%.5f", step=given.learning_rate / 4, key=f"train.rate.{rev}",
                               help=_("The size of each step. Too large: the loss blows up. Too small: it hardly learns."))
        optimizer = st.selectbox(_("Optimizer"), ["adamw", "adam", "sgd", "rmsprop"], ["adamw", "adam", "sgd", "rmsprop"].index(given.optimizer),
                                 format_func={"adamw": "AdamW", "adam": "Adam", "sgd": "SGD", "rmsprop": "RMSprop"}.get,
                                 key=f"train.optimizer.{rev}", help=_("The rule that turns errors into steps. AdamW is a safe choice."))
        momentum = given.momentum
        if optimizer in ("sgd", "rmsprop"):
            momentum = st.number_input(_("Momentum"), 0.0, 0.999, given.momentum, step=0.05, key=f"train.momentum.{rev}",
                                       help=_("How much of the last step is kept in the next one."))
        schedule = st.selectbox(_("Schedule"), ["cosine", "step", "constant"], ["cosine", "step", "constant"].index(given.schedule),
                                format_func={"cosine": _("cosine: smoothly to zero"), "step": _("in steps"), "constant": _("constant")}.get,
                                key=f"train.schedule.{rev}", help=_("How the learning rate changes during the run."))
    with two:
        st.markdown(f"**{_('Pictures')}**")
        batch = st.number_input(_("Batch size"), 1, 1024, given.batch_size, key=f"train.batch.{rev}", help=_("How many pictures make one step."))
        own = row.input
        least, most = (own.input_size, own.input_size) if own.fixed_size else (own.min_size, 1024)
        size = st.number_input(_("Input size (pixels)"), least, most, min(max(given.input_size or own.input_size, least), most), step=32,
                               disabled=own.fixed_size, key=f"train.size.{rev}.{row.key}",
                               help=_("Larger shows finer detail and costs more time."))
        weights = st.toggle(_("Rare labels count more"), given.class_weights, key=f"train.weights.{rev}",
                            help=_("Class weights: every label counts equally, however many pictures it has."))
        seed = st.number_input(_("Seed"), 0, 2**31 - 1, given.seed, key=f"train.seed.{rev}", help=_("The same seed gives the same run again."))
    with three:
        st.markdown(f"**{_('Against memorising')}**")
        patience = st.number_input(_("Stop after this many epochs without gain"), 0, 1000, given.patience, key=f"train.patience.{rev}",
                                   help=_("Early stopping; 0 means never."))
        decay = st.number_input(_("Weight decay"), 0.0, 1.0, given.weight_decay, format="%.4f", step=0.005, key=f"train.decay.{rev}",
                                help=_("Pulls weights towards zero, so that the network prefers simple answers."))
        smoothing = st.slider(_("Label smoothing"), 0.0, 0.5, given.label_smoothing, 0.05, key=f"train.smoothing.{rev}",
                              help=_("Asks for a little less certainty; helps when some labels may be wrong."))
    augmentation = _augmentation(given.augmentation, rev)
    return replace(given, epochs=int(epochs), learning_rate=float(rate), optimizer=optimizer, momentum=float(momentum), schedule=schedule,
                   batch_size=int(batch), input_size=None if int(size) == own.input_size else int(size), class_weights=weights, seed=int(seed),
                   patience=int(patience), weight_decay=float(decay), label_smoothing=float(smoothing), augmentation=augmentation)


def _augmentation(given: Augmentation, rev: str) -> Augmentation:
    st.markdown(f"**{_('Augmentation')}**")
    st.caption(_("Shows each picture a little changed every time, so that the network learns what does not matter. "
                 "The frozen part then has to be computed in every epoch."))
    grid = st.grid(4, min_column_width=190)
    one, two, three, four = grid.container(), grid.container(), grid.container(), grid.container()
    with one:
        flip = st.toggle(_("Mirror left and right"), given.flip, key=f"train.flip.{rev}")
        rotation = st.slider(_("Rotation (degrees)"), 0, 180, round(given.rotation_deg), key=f"train.rotation.{rev}")
    with two:
        shift = st.slider(_("Shift (%)"), 0, 50, round(given.shift * 100), key=f"train.shift.{rev}")
        shear = st.slider(_("Shear (degrees)"), 0, 45, round(given.shear_deg), key=f"train.shear.{rev}")
    with three:
        zoom = st.slider(_("Zoom (%)"), 0, 90, round(given.zoom * 100), key=f"train.zoom.{rev}")
        colour = st.slider(_("Colour and light (%)"), 0, 100, round(given.colour * 100), key=f"train.colour.{rev}")
    with four:
        fills = ["reflect", "edge", "black", "white"]
        fill = st.selectbox(_("Fill uncovered corners with"), fills, fills.index(given.fill), key=f"train.fill.{rev}", format_func={
            "reflect": _("a mirror image"), "edge": _("the edge colour"), "black": _("black"), "white": _("white")}.get)
    return Augmentation(flip, float(rotation), shift / 100, float(shear), zoom / 100, colour / 100, fill)
