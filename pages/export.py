"""Take home: the model as a file that works without Graft."""
from __future__ import annotations

import streamlit as st

from core.bundle.kinds import kind_in
from core.objectives import objective
from pages.ui import code, recipe, scores, state
from pages.ui.i18n import _
from pages.ui.run_pages import ended_run
from pages.ui.text import listed, md, size

ws = state.workspace()
run, report = ended_run(_("Take home"))
bar = recipe.place()
bundle = ws.run(run.id) / "bundle.zip"
kind, about = kind_in(ws.run(run.id) / "best")
libraries = kind.installs(about["architecture"])
halves = st.grid(2, min_column_width=360, gap="large")
with halves.container():
    st.subheader(_("What is in the file"), anchor=False)
    extra = [row for row in kind.companions if row.name in kind.files(ws.run(run.id) / "best")]
    st.markdown("\n".join("- " + _("**{name}**: {what}", name=md(name), what=what) for name, what in (
        ("model.safetensors", _("what it learned (its weights), in a format that holds nothing but numbers")),
        ("bundle.json", _(kind.about_note)),
        ("predict.py", _(kind.program_note, libraries=listed(libraries))),
        *((row.name, _(row.note)) for row in extra),
        ("README.md", _("what the model is, how good it is and what it can't do, in plain words")))))
    st.subheader(_("Use it on another computer"), anchor=False)
    st.caption(_("Unpack the file there. Where Python is installed, type these two lines in its folder:"))
    st.code(f"pip install {' '.join(libraries)}\n{kind.command}", language="shell")
with halves.container(border=True):
    st.caption(_("{metric} (95 % range)", metric=_(objective(report.objective).metric_label)))
    st.subheader(scores.score_with_range(report), anchor=False)
    st.caption(_("{size} · {n} labels · from {model}", size=size(bundle.stat().st_size), n=len(report.labels), model=md(recipe.model_text(run.model))))
    st.caption(_("Licence of the weights it started from: {licence}", licence=_(about["base"]["licence"])))
    if st.button(_("Start a next run from this model"), icon=":material/fork_right:", key="export.next"):
        state.begin_from(run)
        st.switch_page("model.py")
    st.caption(_("For other labels or more items: what it has learned stays, and it gets a new head."))
code.of_run("export", run)
recipe.fill_download(bar, run)
