"""What a run would take on this machine, for pages: from measurements of the model, or a guess until there are any."""
from __future__ import annotations

import streamlit as st

from core.data.versions import Version
from core.jobs import probe
from core.jobs.probe import Wish
from core.jobs.usage import Compared, compare
from core.models.catalog import ModelRow, on_this_machine
from core.objectives import objective
from core.specs import DataSpec, FreezePlan, RunSpec, TrainConfig
from core.training.costs import Costs
from core.training.estimate import Estimate, estimate
from core.training.measured import costs_for
from core.training.presets import fitted_at_once
from pages.ui import run_cards, state
from pages.ui.fragments import fragment_of
from pages.ui.i18n import _
from pages.ui.text import size

LOOK_S = 1.0
NEARLY = 0.03
"""What is off by less is right."""


def costs(row: ModelRow, plan: FreezePlan, config: TrainConfig, data: DataSpec | None = None) -> Costs:
    """Of the model's blocks with these settings, for the items of the data (else of the draft's)."""
    data = data or state.draft().data
    version = state.read_version(data) if data and data.task == row.task else None
    n_outputs = objective(version.objective).outputs(len(version.labels)) if version else 0
    return costs_for(state.workspace(), row, plan, config, state.item_cost(row, config, data), n_outputs)


def expected(row: ModelRow, plan: FreezePlan, config: TrainConfig, version: Version) -> Estimate:
    """Of a run on the draft's data."""
    n_train, n_val = len(version.split("train")), len(version.split("val"))
    return estimate(costs(row, plan, config), plan, config, n_train, n_val, state.item_cost(row, config), fitted_at_once(row, plan, config))


def measure(page: str, row: ModelRow, config: TrainConfig) -> None:
    """Have the model measured under these settings where it is not, and say how good the figures are meanwhile. Once it is, the page
    takes them by itself."""
    data = state.draft().data
    if not on_this_machine(row) or data is None or data.task != row.task:
        return
    wish = Wish(row.key, config, state.item_cost(row, config).work)
    now = probe.measure(state.workspace(), wish)
    if now in SAID:
        fragment_of(page, lambda: _look(wish), run_every=LOOK_S)()
    elif now != "known":
        st.caption(_("A first guess: this model has not run here yet."))


def _look(wish: Wish) -> None:
    now = probe.measure(state.workspace(), wish)
    if now not in SAID:
        st.rerun()
    st.caption(SAID[now]())


SAID = {
    "running": lambda: f":material/speed: {_('Measuring this model on this machine … Until then, time and memory are a guess.')}",
    "waits": lambda: f":material/speed: {_('A guess: this model is measured once nothing else is learning or being measured.')}",
}


def outcome(run: RunSpec) -> None:
    """In one line: what was predicted of an ended run, and what it took."""
    found = compare(state.workspace().run(run.id))
    if found is None or found.epoch_s is None:
        return
    told = dict(a=_seconds(found.predicted_epoch_s), b=_seconds(found.epoch_s), off=_off(found.time_off))
    time = _("Predicted {a} a fit, took {b} ({off}).", **told) if run_cards.fits(run) else _("Predicted {a} an epoch, took {b} ({off}).", **told)
    st.caption(f":material/speed: {time} {_memory(found)}")


def _memory(found: Compared) -> str:
    if found.predicted_peak_bytes is None or found.peak_bytes is None:
        return _("It used {b} of memory.", b=size(found.peak_bytes)) if found.peak_bytes else ""
    return _("Predicted {a} of memory, used {b} ({off}).", a=size(found.predicted_peak_bytes), b=size(found.peak_bytes), off=_off(found.memory_off))


def _off(share: float | None) -> str:
    if share is None or abs(share) < NEARLY:
        return _("as predicted")
    if share >= 1:
        return _("{n} times as much", n=f"{1 + share:.2g}")
    return _("{n} % more", n=round(100 * share)) if share > 0 else _("{n} % less", n=round(-100 * share))


def _seconds(seconds: float) -> str:
    """Finer than an estimate needs: two such figures are compared."""
    if seconds < 90:
        return _("{n} s", n=f"{seconds:.2g}" if seconds < 10 else f"{seconds:.0f}")
    return _("{n} min", n=f"{seconds / 60:.1f}")
