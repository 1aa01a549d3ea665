"""The head alone, fitted before the rest of the plan learns: to be tried meanwhile, and compared with what the rest has brought."""
from __future__ import annotations

import streamlit as st

from core import events
from core.evaluation.compare import Contender, luck
from core.evaluation.report import Report, read_report
from core.jobs.runs import BEST, FIRST, FIRST_REPORT
from core.specs import RunSpec
from core.training.advice.findings import Score
from pages.ui import scores, state
from pages.ui.i18n import _


def ready(run: RunSpec) -> bool:
    """Whether there is one to try, and nothing better yet."""
    folder = state.workspace().run(run.id)
    return (folder / FIRST / "bundle.json").is_file() and (folder / FIRST_REPORT).is_file() and not (folder / BEST).is_dir()


def offer(run: RunSpec, learns: bool) -> None:
    """Beside the curves, while the rest learns. Its test score waits until the end: nobody should choose by it."""
    with st.container(horizontal=True, vertical_alignment="center", border=True):
        st.markdown(f":material/bolt: {_('A first model is ready: the head alone{score}.', score=_validated(run))} {_('The rest goes on learning.') if learns else ''}")
        st.space("stretch")
        if st.button(_("Try it now"), key="first.try", icon=":material/frame_inspect:"):
            st.switch_page("try_it.py", query_params={"run": run.id})


def _validated(run: RunSpec) -> str:
    log = events.follow(state.workspace().run(run.id) / "events.jsonl")
    value = next((event.val_score for event in log if isinstance(event, events.FirstModel)), None)
    return "" if value is None else _(", {score} in validation", score=scores.said(Score(value, None, None), state.read_version(run.data)))


def here(run: RunSpec) -> None:
    """On the page to try it: that this is only the first model. Once there is a better one, the page takes it by itself."""
    if ready(run):
        st.info(_("This is the first model: the head alone. The rest is still learning, and takes its place here when it has ended."), icon=":material/bolt:")
        _wait(run)


@st.fragment(run_every=1.0)
def _wait(run: RunSpec) -> None:
    if not ready(run):
        st.rerun()


def compared(run: RunSpec, report: Report) -> None:
    """With the results: what training more than the head has brought, by the answers of both to the same items."""
    path = state.workspace().run(run.id) / FIRST_REPORT
    if not path.is_file():
        return
    first = read_report(path)
    [verdict] = luck([Contender(report), Contender(first)])
    told = dict(first=scores.score_with_range(first), now=scores.score(report))
    if verdict.surely and verdict.better == 0:
        text = _("The head alone, at the start: {first}. After training more: {now}, surely better, by their answers to the same items.", **told)
    elif verdict.surely:
        text = _("The head alone, at the start: {first}. After training more: {now}, surely worse. The preset Instant serves this data better.", **told)
    else:
        text = _("The head alone, at the start: {first}. After training more: {now}; the difference could be luck.", **told)
    st.caption(f":material/bolt: {text}")
