"""The labels with their true counts; ticked ones are renamed, merged or dropped."""
from __future__ import annotations

from statistics import fmean, quantiles

import streamlit as st

from core.data import edit
from core.data.versions import Version
from core.objectives import objective
from core.specs import SIDES, DataSpec
from pages.ui import charts
from pages.ui.data_split import said_of_sides
from pages.ui.data_tables import counts_table
from pages.ui.data_view import carry_out
from pages.ui.i18n import _
from pages.ui.text import md
from pages.ui.try_panel import number


def section(data: DataSpec, version: Version) -> None:
    if objective(version.objective).numeric:
        _values(data, version)
    else:
        _labels(data, version)
    said_of_sides(version)


def _values(data: DataSpec, version: Version) -> None:
    """How the numbers are spread."""
    values = {side: [item.value for item in version.split(side) if item.value is not None] for side in SIDES}
    st.plotly_chart(charts.values_figure(values, version.labels[0], version.unit, st.context.theme.type or "light"), key=f"data.values.{data.version}",
                    config={"displayModeBar": False})
    every = [value for side in values.values() for value in side]
    st.caption(_("Mean {mean}, half of them between {low} and {high}.", mean=md(number(fmean(every), version.unit)),
                 low=number(quantiles(every, n=4)[0], ""), high=md(number(quantiles(every, n=4)[2], version.unit))))


def _labels(data: DataSpec, version: Version) -> None:
    ticked = counts_table(version, data.version)
    if not ticked:
        st.caption(_("Tick labels to rename, merge or drop them."))
        return
    names = [version.labels[i] for i in ticked]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(_("New name"), names[0], max_chars=200, key=f"data.rename.{data.version}.{ticked}", width=220)
        if len(ticked) == 1:
            if st.button(_("Rename"), key="data.rename"):
                carry_out(data, lambda: edit.rename_label(version, ticked[0], name))
        elif st.button(_("Merge {n} labels", n=len(ticked)), key="data.merge"):
            carry_out(data, lambda: edit.merge_labels(version, ticked, name))
        if st.button(_("Drop"), key="data.drop", icon=":material/delete:", help=_("Leaves these labels and their items out; undo brings them back.")):
            carry_out(data, lambda: edit.drop_labels(version, ticked))
    st.caption(md(", ".join(names)[:300]))
