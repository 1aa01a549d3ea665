"""The health report on the page: worst first, each problem with what to do about it."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from core.data.health import fixes
from core.data.health.check import LEFT_OUT, Problem, Severity, left_out
from core.data.versions import Version
from core.specs import DataSpec
from pages.ui import state
from pages.ui.data_tables import rejected_table
from pages.ui.data_view import carry_out, facts
from pages.ui.i18n import _
from pages.ui.text import listed, md

ICONS: dict[Severity, str] = {"holds": ":red[:material/front_hand:]", "bad": ":orange[:material/warning:]", "minor": ":gray[:material/info:]"}
FIRST = 4
NAMES = 3


def section(data: DataSpec, version: Version, found: Sequence[Problem]) -> None:
    """The first few problems, the others on demand."""
    if not found:
        st.success(_("Nothing wrong was found."), icon=":material/check_circle:")
        return
    for problem in found[:FIRST]:
        _row(data, version, problem)
    if len(found) > FIRST and st.toggle(_("Less serious: {n}", n=len(found) - FIRST), key="data.health.more"):
        for problem in found[FIRST:]:
            _row(data, version, problem)


def _row(data: DataSpec, version: Version, problem: Problem) -> None:
    with st.container(border=True, key=f"data-health-{problem.kind.replace('_', '-')}", gap="xsmall"):
        st.markdown(f"{ICONS[problem.severity]} **{md(_(problem.title, **problem.params))}**")
        st.caption(md(_(problem.advice, **problem.params)))
        if problem.names:
            more = " …" if len(problem.names) > NAMES else ""
            st.caption(md(listed(name[:60] for name in problem.names[:NAMES])) + more)
        with st.container(horizontal=True, gap="small"):
            _actions(data, version, problem)


def _actions(data: DataSpec, version: Version, problem: Problem) -> None:
    key = f"data.health.{problem.kind}"
    if problem.fix and st.button(_(problem.fix, **problem.params), key=f"{key}.fix", icon=":material/build:"):
        carry_out(data, lambda: fixes.fix(version, facts(data), problem.kind))
    if problem.kind == "imbalance" and version.task == "image" and not state.draft().actual_config().class_weights \
            and st.button(_("Let rare labels count more"), key=f"{key}.weigh", icon=":material/balance:"):
        state.update(config=replace(state.draft().actual_config(), class_weights=True, preset="custom"), preset="custom")
        state.bump("settings")
        st.toast(_("Rare labels will count as much as common ones when training."))
        st.rerun()
    if problem.groups and st.button(_("Show"), key=f"{key}.show", type="tertiary", icon=":material/visibility:"):
        state.put("data.focus", problem.kind)
        state.put("data.view", "items")
        st.rerun()
    if problem.kind in LEFT_OUT:
        with st.popover(_("See which"), type="tertiary"):
            rejected_table(left_out(version, problem.kind), problem.kind)
    if problem.severity == "holds":
        with st.popover(_("Let them stand"), type="tertiary"):
            st.write(_("Training may then start. The score will look better than it is, and the report will say that this was accepted."))
            if st.button(_("I know, train anyway"), key=f"{key}.overrule"):
                carry_out(data, lambda: fixes.overrule(version, facts(data)))
