"""Show the code: the plan and the settings as a script for PyTorch, made anew whenever they change."""
from __future__ import annotations

import html

import streamlit as st

from core.code.script import FILE, asked_of, script
from core.errors import UserError
from core.models.catalog import find, on_this_machine
from core.models.rows import ModelRow
from core.specs import DataSpec, FreezePlan, RunSpec, TrainConfig
from pages.routes.tokens import mint
from pages.ui import state
from pages.ui.errors import show_error
from pages.ui.i18n import _

HEIGHT = 480


def of_draft(here: str) -> None:
    """The code of the run that is being prepared. `here`: the page."""
    draft = state.draft()
    if draft.data is None:
        if _wanted(here):
            st.caption(_("Choose data first: the script names its labels."))
        return
    _section(here, find(draft.model, state.workspace()), draft.actual_plan(), draft.actual_config(), draft.data, draft.pretrained)


def of_run(here: str, run: RunSpec) -> None:
    """The code of a run, as it was started."""
    try:
        row = find(run.model.key, state.workspace(), state.me())
    except UserError:  # the model that it began as is gone
        return
    _section(here, row, run.plan, run.config, run.data, run.model.pretrained)


def _section(here: str, row: ModelRow, plan: FreezePlan, config: TrainConfig, data: DataSpec, pretrained: bool) -> None:
    if not _wanted(here):
        return
    if row.task == "text" and not on_this_machine(row):
        st.caption(_("Download the model first: the script needs its tokenizer."))
        return
    try:
        text = script(asked_of(state.workspace(), row, plan, config, state.read_version(data), pretrained))
    except UserError as error:
        show_error(error)
        return
    st.caption(_("The same training as a file for PyTorch alone. It begins with the same loss as here, and its score lies within the range of the "
                 "score here. It is in step with all that is set on these pages."))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(_("Download {file}", file=FILE), text, FILE, "text/x-python", icon=":material/download:", on_click="ignore",
                           key=f"{here}.code.file")
        token = mint(state.workspace(), state.me(), "kit", dataset=data.dataset, version=data.version, model=row.key)
        st.html(f'<a class="graft-link" href="graft/kit/{data.dataset}.zip?token={token}" download>'
                f'{html.escape(_("What belongs beside it: your data and the files of the model (zip)"))}</a>', width="content")
    st.code(text, language="python", line_numbers=True, height=HEIGHT)


def _wanted(here: str) -> bool:
    return st.toggle(_("Show the code"), key=f"{here}.code", persist_state="session")
