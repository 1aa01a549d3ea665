"""Results: how good the model is, how sure that is, and where it goes wrong."""
from __future__ import annotations

import streamlit as st

from core.evaluation.report import Report
from core.objectives import objective
from pages.ui import charts, mistakes, recipe
from pages.ui.i18n import _
from pages.ui.result_tables import per_class_table
from pages.ui.run_pages import ended_run
from pages.ui.text import percent

run, report = ended_run(_("Results"))
bar = recipe.place()


def _headline(report: Report) -> None:
    label = _(objective(run.data.objective).metric_label)
    left, right = st.columns([1, 2], vertical_alignment="center")
    with left:
        st.metric(_("{metric} ({split})", metric=label, split=_("test") if report.split == "test" else _("validation")), percent(report.score),
                  help=_("The share of pictures that got the right label."))
    with right:
        st.markdown(_("{k} of {n} right. The true rate is likely {low}–{high} %: such a range holds in 95 of 100 tests.", k=report.k, n=report.n,
                      low=f"{report.low * 100:.0f}", high=f"{report.high * 100:.0f}"))
        if report.used_for_choosing:
            st.warning(_("There were no test pictures. This score is from the validation pictures, which were used for choosing the best epoch: "
                         "expect a little less on new pictures."), icon=":material/info:")
        elif not report.overruled:
            st.caption(_("Measured on test pictures, used only once, at the end; they played no part in any choice."))
        if report.overruled:
            st.warning(_("Near-copies on both sides of the split: {n}. This was accepted before training: the score may look better than "
                         "it is, since some of what it was asked was learned by heart.", n=report.overruled), icon=":material/content_copy:")
        if report.n < 30:
            st.caption(_("Only {n} pictures: a rough score.", n=report.n))


_headline(report)
theme = st.context.theme.type or "light"
st.subheader(_("What gets mistaken for what"), anchor=False)
st.caption(_("Each row is a true label, each column the answer. Off the diagonal are the mistakes."))
st.plotly_chart(charts.confusion_figure(report.confusion, report.labels, theme), key="results.confusion", config={"displayModeBar": False})
st.subheader(_("Each label"), anchor=False)
per_class_table(report)
st.subheader(_("Worst mistakes"), anchor=False)
if report.mistakes:
    st.caption(_("The most confident mistakes come first. Some may be items with a wrong label."))
    mistakes.worst(run.data, report)
else:
    st.success(_("No mistakes on these items."), icon=":material/check_circle:")
recipe.fill_run(bar, run, button=_("Try it"), icon=":material/frame_inspect:",
                on_click=lambda: st.switch_page("try_it.py", query_params={"run": run.id}))
