"""Compare: two to six runs beside one another, by their addresses `?runs=id,id`."""
from __future__ import annotations

import logging

import streamlit as st

from core.errors import UserError
from core.jobs.runs import load_run
from pages.ui import compare_sections, compare_verdicts, recipe, run_menu, state
from pages.ui.compare_sections import Entry
from pages.ui.empty import empty
from pages.ui.i18n import _
from pages.ui.text import listed, md

LEAST, MOST = 2, 6
log = logging.getLogger(__name__)


def asked() -> list[str]:
    """The ids in the address, each once; without any, those compared last, since going back in the browser forgets them."""
    given = st.query_params.get("runs") or state.get("compared", "")
    return list(dict.fromkeys(key for key in given.split(",") if key))


def found(keys: list[str]) -> list[Entry]:
    """The reader's own runs among these; those that are gone, somebody else's or damaged are left out, and the page says how many."""
    entries: list[Entry] = []
    for key in keys:
        try:
            entries.append(compare_sections.entry(load_run(state.workspace(), key, state.me()), len(entries)))
        except (UserError, ValueError) as error:
            log.warning("run %s is not compared: %s", key, error)
    return entries


def to_the_list(sentence: str) -> None:
    empty(sentence)
    if st.button(_("Choose runs"), type="primary", icon=":material/list:", key="compare.choose"):
        st.switch_page("runs.py")


def show(entries: list[Entry]) -> None:
    judged = [(one.run, one.report) for one in entries if one.report]
    best = compare_verdicts.best_of(judged)
    if best is not None:
        run = judged[best][0]
        with recipe.place():
            names = [md(one.name) for one, report in judged if report.score == judged[best][1].score]
            st.markdown(f":gray[{_('Best score')}] **{listed(names)}**", width="content")
            st.space("stretch")
            if st.button(_("Rerun with these settings"), type="primary", icon=":material/replay:", key="compare.rerun"):
                run_menu.prepare_again(run)
    compare_sections.table(entries)
    compare_verdicts.show(judged, best)
    compare_sections.curves(entries)
    compare_sections.settings(entries)


st.title(_("Compare"), anchor=False)
keys = asked()
if LEAST <= len(keys) <= MOST:
    entries = found(keys)
    if len(entries) < len(keys):
        st.info(_("Not here, not yours, or damaged: {k} of these {n} runs.", k=len(keys) - len(entries), n=len(keys)), icon=":material/info:")
    if len(entries) >= LEAST:
        state.put("compared", ",".join(keys))
        st.query_params["runs"] = ",".join(keys)
        show(entries)
    else:
        to_the_list(_("There is nothing left to compare."))
else:
    to_the_list(_("Choose two to six runs in the list: they are compared here."))
