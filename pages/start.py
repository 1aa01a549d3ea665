"""Start: bring a folder, or try a sample set; and what was done before."""
from __future__ import annotations

import streamlit as st

from core.data.samples.sets import SAMPLES
from core.jobs.runs import list_runs
from pages.ui import importer, run_cards, state, ways_in
from pages.ui.i18n import _

RECENT = 4

ws, who = state.workspace(), state.me()
st.title(_("What should your model learn?"), anchor=False)
st.write(_("Give it labeled examples, pictures or texts: at least two labels, about twenty items each. Everything stays on this machine."))
if importer.busy():
    importer.progress("start")
    st.stop()
ways_in.choose("start")
importer.last_error()
st.subheader(_("Nothing at hand? Try a sample set"), anchor=False)
cards = st.grid(len(SAMPLES) + 1, min_column_width=240)
for sample in SAMPLES.values():
    with cards.container(border=True, height="stretch"):
        st.markdown(f"**{_(sample.title)}**")
        st.caption(_(sample.description))
        if st.button(_("Try with {name}", name=_(sample.title).lower()), key=f"start.sample.{sample.key}", icon=":material/play_arrow:"):
            importer.begin_sample(sample.key)
with cards.container(border=True, height="stretch"):
    st.markdown(f"**{_('What happens then?')}**")
    st.caption(_("Graft keeps what a pretrained network already knows, and teaches it your labels. You watch it learn, try it on "
                 "new pictures or texts and take it home as a file."))
recent = run_cards.recent(list_runs(ws, who), RECENT)
if recent:
    st.subheader(_("Recent runs"), anchor=False)
    run_cards.grid(recent)
