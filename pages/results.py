"""Results: how good the model is, how sure that is, and where it goes wrong."""
from __future__ import annotations

import streamlit as st

from core.evaluation.report import Report
from core.objectives import objective
from pages.ui import first_model, narrator, predictions, recipe, result_sections, scores
from pages.ui.i18n import _
from pages.ui.run_pages import ended_run

run, report = ended_run(_("Results"))
bar = recipe.place()


def _headline(report: Report) -> None:
    row = objective(report.objective)
    left, right = st.columns([1, 2], vertical_alignment="center")
    with left:
        st.metric(_("{metric} ({split})", metric=_(row.metric_label), split=_("test") if report.split == "test" else _("validation")),
                  scores.score(report), help=_(row.metric_explanation))
    with right:
        st.markdown(_how_sure(report))
        if report.used_for_choosing:
            st.warning(_("There were no test items. This score is from the validation items, which were used for choosing the best epoch: "
                         "expect a little less on new ones."), icon=":material/info:")
        elif not report.overruled:
            st.caption(_("Measured on test items, used only once, at the end; they played no part in any choice."))
        if report.overruled:
            st.warning(_("Near-copies on both sides of the split: {n}. This was accepted before training: the score may look better than "
                         "it is, since some of what it was asked was learned by heart.", n=report.overruled), icon=":material/content_copy:")
        if report.n < 30:
            st.caption(_("Only {n} items: a rough score.", n=report.n))


def _how_sure(report: Report) -> str:
    """What the range of the score means."""
    if report.low is None or report.high is None:
        return _("Measured on {n} items: too few to say how sure this is.", n=report.n)
    if report.k is not None:
        return _("{k} of {n} right. The true rate is likely {low}–{high} %: such a range holds in 95 of 100 tests.", k=report.k, n=report.n,
                 low=f"{report.low * 100:.0f}", high=f"{report.high * 100:.0f}")
    return _("Measured on {n} items: {range}. Such a range holds the true value in 95 of 100 tests.", n=report.n, range=scores.score_with_range(report))


_headline(report)
first_model.compared(run, report)
predictions.outcome(run)
narrator.show(run, ended=True)
result_sections.show(run, report)
recipe.fill_run(bar, run, button=_("Try it"), icon=":material/frame_inspect:",
                on_click=lambda: st.switch_page("try_it.py", query_params={"run": run.id}))
