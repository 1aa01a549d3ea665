"""The recipe bar under each title: what is chosen so far, each chip a way back, and the one button that leads on."""
from __future__ import annotations

import html
from collections.abc import Callable, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.data.versions import load_dataset
from core.models.catalog import find, known
from core.specs import DataSpec, FreezePlan, ModelSpec, PresetKey, RunSpec
from core.training.presets import groups
from pages.routes.tokens import mint
from pages.ui import state
from pages.ui.i18n import _
from pages.ui.plan import group_name, partly, states
from pages.ui.text import listed, md


def place() -> DeltaGenerator:
    """An empty bar; fill it after the page's body, so that it never lags behind it."""
    return st.container(horizontal=True, vertical_alignment="center", gap="small", key="recipe")


def fill_draft(bar: DeltaGenerator, here: str, *, button: str, icon: str, on_click: Callable[[], None], disabled: bool = False) -> None:
    draft = state.draft()
    with bar:
        _chips(draft.data, ModelSpec(draft.model, draft.pretrained), draft.actual_plan(), draft.preset, here)
        st.space("stretch")
        if st.button(button, type="primary", icon=icon, disabled=disabled, key="recipe.next"):
            on_click()


def fill_run(bar: DeltaGenerator, run: RunSpec, *, button: str, icon: str, on_click: Callable[[], None] | None = None, link: str = "") -> None:
    """A run's record: the chips don't lead to forms, since the run is what it is. `link` makes the button a download; with neither
    it rests."""
    with bar:
        version = state.read_version(run.data)
        name = load_dataset(state.workspace(), run.data.dataset, run.owner).name
        trains = trained_text(run.model.key, run.plan)
        st.markdown("  →  ".join(f":gray[{label}] **{value}**" for label, value in (
            (_("Data"), _("{data}, {n}", data=md(name), n=len(version.items))), (_("Model"), md(model_text(run.model))), (_("Trains"), trains),
            (_("Preset"), preset_text(run.config.preset)))), width="content")
        st.space("stretch")
        if link:
            download_link(button, link)
        elif st.button(button, type="primary", icon=icon, disabled=on_click is None, key="recipe.next") and on_click:
            on_click()


def fill_download(bar: DeltaGenerator, run: RunSpec) -> None:
    """The record of a run whose button takes its model home."""
    token = mint(state.workspace(), state.me(), "bundle", run=run.id, name=run.name)
    fill_run(bar, run, button=_("Download model"), icon=":material/download:", link=f"graft/bundle/{run.id}.zip?token={token}")


def download_link(label: str, url: str) -> None:
    """A plain link: the browser streams the file from the disk, nothing is held in memory."""
    st.html(f'<a class="graft-download" href="{html.escape(url)}" download>{html.escape(label)}</a>', width="content")


def trained_text(model: str, plan: FreezePlan) -> str:
    """“head”, “stage 4 to head”, “everything”, “head, adapters in stem to stage 4”, or the groups by name."""
    row = known(model, state.workspace())
    if row is None:
        return "–"
    names, now, some = groups(row), states(row, plan), partly(row, plan)
    full, thin = ([name for name, found in zip(names, now) if found == wanted and name not in some] for wanted in ("trained", "lora"))
    if len(full) == len(names):
        return _("everything")
    parts = [span(names, full)] if full else []
    parts += [_("adapters in {where}", where=span(names, thin))] if thin else []
    parts += [_("part of {name}", name=group_name(name)) for name in names if name in some]
    return listed(parts) if parts else _("nothing")


def span(names: Sequence[str], some: list[str]) -> str:
    """Groups by name, those that follow each other by the first and the last."""
    first = names.index(some[0])
    if len(some) > 1 and list(names[first:first + len(some)]) == some:
        return _("{a} to {b}", a=group_name(some[0]), b=group_name(some[-1]))
    return listed(group_name(name) for name in some)


def model_text(model: ModelSpec) -> str:
    """The model's title, as plain text, and that its weights are random where they are: such a run shows what pretraining is worth."""
    row = known(model.key, state.workspace())
    title = row.title if row else model.key
    return title if model.pretrained else _("{model}, random weights", model=title)


def preset_text(preset: PresetKey) -> str:
    return {"instant": _("Instant"), "balanced": _("Balanced"), "thorough": _("Thorough"), "few": _("Few examples"), "custom": _("Custom")}[preset]


def _chips(data: DataSpec | None, model: ModelSpec, plan: FreezePlan, preset: PresetKey, here: str) -> None:
    ws = state.workspace()
    what = _("none yet")
    if data:
        what = _("{data}, {n}", data=md(load_dataset(ws, data.dataset, state.me()).name), n=len(state.read_version(data).items))
    fits = data is None or find(model.key, ws).task == data.task
    chips = (("data", _("Data"), what, "data.py"), ("model", _("Model"), md(model_text(model)) if fits else _("none yet"), "model.py"),
             ("model", _("Trains"), trained_text(model.key, plan) if fits else "–", "model.py"),
             ("train", _("Preset"), preset_text(preset), "train.py"))
    for position, (page, label, value, target) in enumerate(chips):
        if position:
            st.markdown(":gray[→]", width="content")
        if st.button(f":gray[{label}] **{value}**", key=f"recipe.{position}", type="tertiary"):
            if page != here:
                st.switch_page(target)
