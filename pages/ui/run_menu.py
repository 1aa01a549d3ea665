"""What the owner of a run may do with it, besides what its page offers at once: name and note it, vary it, train it longer, put it away."""
from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.events import RunState
from core.jobs.about import MOST_CHARS, about, say, tags_in
from core.jobs.life import ENDED
from core.jobs.runs import can_go_on, delete, discard, longer
from core.jobs.usage import note_prediction
from core.specs import RunSpec
from core.workspace import new_id
from pages.ui import run_cards, state
from pages.ui.errors import acting
from pages.ui.i18n import _

MORE_EPOCHS = 10


def menu(run: RunSpec, now: RunState) -> None:
    """The button behind which everything else stands."""
    with st.popover("⋯", help=_("More"), key=f"menu.{now}"):  # it closes when the run becomes something else: another button then stands under the pointer
        if st.button(_("Duplicate with changes"), icon=":material/content_copy:", key="menu.vary", width="stretch"):
            prepare_again(run)
        if run_cards.row_of(run) and can_go_on(state.workspace(), run) and not run_cards.fits(run):
            _longer(run)
        _said(run)
        if now in ENDED:
            if st.button(_("Delete (undo: 7 days)"), icon=":material/delete:", key="menu.delete", width="stretch"):
                put_away([run])
        else:
            if st.button(_("Discard this run (undo: 7 days)"), icon=":material/cancel:", key="live.discard", width="stretch"):
                with acting():
                    discard(state.workspace(), run)
                st.rerun()


def put_away(runs: Sequence[RunSpec]) -> None:
    """Delete those that may be, and go to the list, which offers to take it back."""
    gone = []
    for run in runs:
        with acting():
            delete(state.workspace(), run)
            gone.append(run.id)
    if gone:
        state.put("deleted", gone)
        st.switch_page("runs.py")


def prepare_again(run: RunSpec) -> None:
    """Prepare the same run anew, with all its settings, to be changed."""
    state.update(data=run.data, model=run.model.key, pretrained=run.model.pretrained, plan=run.plan, config=run.config, preset=run.config.preset)
    state.bump("settings")
    st.switch_page("train.py")


def train_longer(run: RunSpec, epochs: int) -> None:
    """Start a run that goes on from where this one ended, and watch it."""
    ws, key = state.workspace(), f"longer.{run.id}"
    request = state.get(key) or new_id()  # two clicks make one run
    state.put(key, request)
    new = longer(ws, run, epochs, request)
    note_prediction(ws, new)
    state.look_at(new.id)
    state.put("watching", new.id)
    st.switch_page("train.py", query_params={"run": new.id})


def _longer(run: RunSpec) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        epochs = st.number_input(_("More epochs"), 1, 500, MORE_EPOCHS, key="menu.epochs", width=120)
        if st.button(_("Train longer"), icon=":material/fast_forward:", key="menu.longer",
                     help=_("A new run goes on from where this one ended; this one stays as it is.")):
            with acting():
                train_longer(run, int(epochs))


def _said(run: RunSpec) -> None:
    """Name, tags and note: fields of this run's own, which keep nothing of another one's."""
    folder = state.workspace().run(run.id)
    before = about(folder)
    with st.form("menu.said", border=False):
        name = st.text_input(_("Name"), run.name, max_chars=MOST_CHARS["name"], key=f"menu.name.{run.id}")
        tags = st.text_input(_("Tags"), ", ".join(before.tags), placeholder=_("separated by commas"), key=f"menu.tags.{run.id}")
        note = st.text_area(_("Note"), before.note, max_chars=MOST_CHARS["note"], key=f"menu.note.{run.id}", height=80)
        if st.form_submit_button(_("Save"), icon=":material/check:"):
            with acting(_("Saved.")):
                say(folder, name=" ".join(name.split()), tags=tags_in(tags), note=note)
            st.rerun()
