"""The advanced settings of a run, each with a sentence of help. Folded: presets come first."""
from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.errors import SettingsError
from core.models.catalog import ModelRow
from core.objectives import Objective, objective
from core.specs import OptimizerKey, ScheduleKey, TrainConfig
from core.training.presets import fitted_at_once
from pages.ui import advice_rate, settings_pictures, settings_texts, state
from pages.ui.errors import show_error
from pages.ui.i18n import _
from pages.ui.state import Draft

KINDS = {"image": settings_pictures, "text": settings_texts}
"""By task: the settings that only its items have."""
OPTIMIZERS: dict[OptimizerKey, str] = {"adamw": "AdamW", "adam": "Adam", "sgd": "SGD", "rmsprop": "RMSprop", "lbfgs": "L-BFGS"}


def schedule_names() -> dict[ScheduleKey, str]:
    return {"cosine": _("cosine: smoothly to zero"), "step": _("in steps"), "constant": _("constant")}


def advanced(row: ModelRow, draft: Draft) -> TrainConfig:
    """The settings as edited; the draft keeps them. Invalid ones are explained and not taken."""
    given = draft.actual_config()
    with st.expander(_("Advanced settings"), icon=":material/tune:", key="train.advanced"):
        try:
            edited = _fields(given, row, objective(draft.data.objective if draft.data else "single_label"), fitted_at_once(row, draft.actual_plan(), given))
        except SettingsError as error:
            show_error(error)
            return given
        KINDS[row.task].after(edited, row, draft.data)
    if edited != given:
        state.update(config=replace(edited, preset="custom"), plan=draft.actual_plan(), preset="custom")
        st.rerun()
    return edited


def _fields(given: TrainConfig, row: ModelRow, asked: Objective, at_once: bool) -> TrainConfig:
    rev, kind = str(state.rev("settings")), KINDS[row.task]
    grid = st.grid(3, min_column_width=220)
    one, two, three = grid.container(), grid.container(), grid.container()
    with one:
        st.markdown(f"**{_('Learning')}**")
        epochs = st.number_input(_("Epochs"), 1, 1000, given.epochs, key=f"train.epochs.{rev}", help=_("One epoch is one pass over your items."))
        rate = st.number_input(_("Learning rate"), 1e-8, 10.0, given.learning_rate, format="%.5f", step=given.learning_rate / 4, key=f"train.rate.{rev}",
                               help=_("The size of each step. Too large: the loss blows up. Too small: it hardly learns."))
        advice_rate.section(row)
        optimizer = st.selectbox(_("Optimizer"), list(OPTIMIZERS), list(OPTIMIZERS).index(given.optimizer), format_func=OPTIMIZERS.get,
                                 key=f"train.optimizer.{rev}", help=_("The rule that turns errors into steps. AdamW is a safe choice. L-BFGS fits a head that "
                                                                      "learns alone to all items at once; with anything else AdamW takes its place."))
        if at_once:
            st.caption(_("The head learns alone: L-BFGS fits it to all items at once, several times, and the validation items choose. Epochs, learning "
                         "rate, schedule, batch size and weight decay count once more than the head learns."))
        momentum = given.momentum
        if optimizer in ("sgd", "rmsprop"):
            momentum = st.number_input(_("Momentum"), 0.0, 0.999, given.momentum, step=0.05, key=f"train.momentum.{rev}",
                                       help=_("How much of the last step is kept in the next one."))
        schedules = schedule_names()
        schedule = st.selectbox(_("Schedule"), list(schedules), list(schedules).index(given.schedule), format_func=schedules.get,
                                key=f"train.schedule.{rev}", help=_("How the learning rate changes during the run."))
    with two:
        st.markdown(f"**{_('Items')}**")
        batch = st.number_input(_("Batch size"), 1, 1024, given.batch_size, key=f"train.batch.{rev}", help=kind.batch_help())
        given = kind.size(given, row, rev)
        weights = asked.weights and st.toggle(_("Rare labels count more"), given.class_weights, key=f"train.weights.{rev}",
                                              help=_("Class weights: every label counts equally, however many items it has."))
        first = given.first_model
        if not at_once:
            first = st.toggle(_("A first model at once"), given.first_model, key=f"train.first.{rev}",
                              help=_("Fits the head alone before the rest learns: a model to try meanwhile, and one to compare with. It costs about one pass over "
                                     "your items."))
        seed = st.number_input(_("Seed"), 0, 2**31 - 1, given.seed, key=f"train.seed.{rev}", help=_("The same seed gives the same run again."))
    with three:
        st.markdown(f"**{_('Against memorising')}**")
        patience = st.number_input(_("Stop after this many epochs without gain"), 0, 1000, given.patience, key=f"train.patience.{rev}",
                                   help=_("Early stopping; 0 means never."))
        decay = st.number_input(_("Weight decay"), 0.0, 1.0, given.weight_decay, format="%.4f", step=0.005, key=f"train.decay.{rev}",
                                help=_("Pulls weights towards zero, so that the network prefers simple answers."))
        smoothing = given.label_smoothing
        if asked.smoothing:
            smoothing = st.slider(_("Label smoothing"), 0.0, 0.5, given.label_smoothing, 0.05, key=f"train.smoothing.{rev}",
                                  help=_("Asks for a little less certainty; helps when some labels may be wrong."))
    given = kind.more(given, row, rev)
    return replace(given, epochs=int(epochs), learning_rate=float(rate), optimizer=optimizer, momentum=float(momentum), schedule=schedule,
                   batch_size=int(batch), class_weights=weights, seed=int(seed), first_model=first, patience=int(patience), weight_decay=float(decay),
                   label_smoothing=float(smoothing))
