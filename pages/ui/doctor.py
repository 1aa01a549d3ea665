"""The label doctor on the page: labels that look doubtful, each with what it looks like and what it is near to, and what is decided."""
from __future__ import annotations

import html
from collections.abc import Sequence

import streamlit as st

from core.data.suspects import Decision, Findings, Kept, Suspect, correct, keep, load_kept, still_open
from core.data.versions import Version
from core.errors import UserError
from core.jobs import doctor
from core.specs import DataSpec
from pages.ui import data_view, state, thumbs
from pages.ui.errors import show_error
from pages.ui.fragments import fragment_of
from pages.ui.i18n import _
from pages.ui.text import about, likelihood, listed, md, percent

PAGE = 6
TEXT_CHARS, NEAR_CHARS = 600, 140
WEAK = 0.85
"""Below this share of labels that the learner itself gets right, its doubts are often mistaken, and the page says so."""

Decisions = dict[tuple[str, str], Decision]
"""By (sha, given label); not carried out yet."""


def section(data: DataSpec, version: Version) -> None:
    """Look for wrong labels, watch that, or go through what was found."""
    ws = state.workspace()
    now = doctor.status(ws, data)
    if now.state == "running":
        fragment_of("data", lambda: _progress(data), run_every=0.5)()
        return
    if now.error:
        show_error(now.error)
    found = doctor.latest(ws, data)
    if found is None:
        _offer(data, version)
        return
    looked_at, findings = found
    _summary(data, version, looked_at, findings)
    st.fragment(_review)(data, version, findings)


def _offer(data: DataSpec, version: Version) -> None:
    st.write(_("Every item is judged by a learner that has not seen it. Items whose label looks wrong are listed, worst first; "
               "nothing changes unless you say so."))
    _button(data, version, _("Look for wrong labels"))


def _button(data: DataSpec, version: Version, label: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(label, key="doctor.start", icon=":material/stethoscope:"):
            try:
                doctor.start(state.workspace(), data, state.me())
            except UserError as error:
                show_error(error)
            else:
                st.rerun()
        st.caption(_("Takes {about}; you may go on working.", about=about(doctor.expected_s(state.workspace(), version))), width="content")


def _progress(data: DataSpec) -> None:
    ws = state.workspace()
    now = doctor.status(ws, data)
    if now.state != "running":
        st.rerun()
    if not now.total:
        text = _("Getting ready …")
    elif now.stage == "reading":
        text = _("Reading all items: {share}", share=percent(now.done / now.total))
    else:
        text = _("Judging each item by the others: round {done} of {total}", done=min(now.done + 1, now.total), total=now.total)
    st.progress(now.done / now.total if now.total else 0.0, text=text)
    if st.button(_("Cancel"), key="doctor.cancel"):
        doctor.cancel(ws, data)
        st.rerun()


def _summary(data: DataSpec, version: Version, looked_at: str, findings: Findings) -> None:
    if findings.n_doubtful:
        st.markdown("**" + _("{n} of {total} labels look doubtful", n=f"{findings.n_doubtful:,}", total=f"{findings.looked_at:,}") + "**")
    else:
        st.success(_("No label looks clearly wrong among {total}.", total=f"{findings.looked_at:,}"), icon=":material/check_circle:")
    for line in _remarks(findings):
        st.caption(line)
    with st.expander(_("How this was found"), key="doctor.how"):
        st.write(md(_(findings.method, **findings.params)))
        st.write(_("The learner gave {share} of the items the label that they have. A rougher count, which does not ask the items most "
                   "like each, expects about {n} wrong labels.", share=percent(findings.accuracy), n=f"{findings.expected:,}"))
    if looked_at != data.version:
        st.caption(_("Found in another version of this data; what changed since has been taken into account."))
        _button(data, version, _("Look again"))


def _remarks(findings: Findings) -> list[str]:
    """What the reader should know about the reach of what was found."""
    lines = []
    if findings.n_doubtful and findings.accuracy < WEAK:
        lines.append(_("These labels are hard to tell apart, so many of these doubts will be mistaken: trust your own eyes."))
    if findings.n_doubtful > len(findings.suspects):
        lines.append(_("The worst {n} are listed.", n=f"{len(findings.suspects):,}"))
    if findings.looked_at < findings.total * 0.95 and not findings.left_out:
        lines.append(_("Of so many items, a sample was looked at: {n} of {total}, the same share of each label.",
                       n=f"{findings.looked_at:,}", total=f"{findings.total:,}"))
    if findings.left_out:
        lines.append(_("Too few different items to be judged: {labels}", labels=md(listed(findings.left_out))))
    return lines


def _review(data: DataSpec, version: Version, findings: Findings) -> None:
    """The open suspects in pages. Clicks rerun this part alone; the data changes when all of them are carried out together."""
    ws = state.workspace()
    waiting = still_open(findings, version, load_kept(ws, data.dataset))
    if not waiting:
        if findings.n_doubtful:
            st.success(_("All doubtful labels are settled."), icon=":material/check_circle:")
        return
    made = _decisions(data, waiting)
    pages = -(-len(waiting) // PAGE)
    page = min(st.pagination(pages, key=f"doctor.page.{data.version}") if pages > 1 else 1, pages)
    shown = waiting[(page - 1) * PAGE:page * PAGE]
    for suspect in shown:
        _row(data, version, suspect, made)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(_("Keep the other labels on this page"), key="doctor.keep_rest", icon=":material/done_all:", on_click=_keep_rest,
                  args=(made, shown), disabled=all(_key(suspect) in made for suspect in shown))
        if st.button(_("Carry out 1 decision") if len(made) == 1 else _("Carry out {n} decisions", n=len(made)), key="doctor.apply",
                     icon=":material/check:", disabled=not made):
            _carry_out(data, version, waiting, made)


def _keep_rest(made: Decisions, shown: Sequence[Suspect]) -> None:
    for suspect in shown:
        made.setdefault(_key(suspect), "keep")
    state.bump("doctor")  # the buttons of the rows begin anew, from what has been decided


def _decisions(data: DataSpec, waiting: Sequence[Suspect]) -> Decisions:
    """Those of this session that wait to be carried out. What is settled otherwise by now is forgotten."""
    name, open_ones = f"doctor.decisions.{data.dataset}", {_key(suspect) for suspect in waiting}
    made: Decisions = {key: decision for key, decision in state.get(name, {}).items() if key in open_ones}
    state.put(name, made)
    return made


def _key(suspect: Suspect) -> tuple[str, str]:
    return suspect.sha, suspect.given


def _carry_out(data: DataSpec, version: Version, waiting: Sequence[Suspect], made: Decisions) -> None:
    decided = [(suspect, made[_key(suspect)]) for suspect in waiting if _key(suspect) in made]
    kept: Kept = frozenset(_key(suspect) for suspect, decision in decided if decision == "keep")
    if kept:
        keep(state.workspace(), data.dataset, kept)
    if len(kept) < len(decided):
        data_view.carry_out(data, lambda: correct(version, decided))
    else:
        st.rerun()


def _row(data: DataSpec, version: Version, suspect: Suspect, made: Decisions) -> None:
    with st.container(border=True, gap="small"):
        st.markdown(_("Labeled **{given}**, looks like **{suggested}** ({p})", given=md(suspect.given), suggested=md(suspect.suggested),
                      p=likelihood(suspect.p_suggested)))
        name = version.items[suspect.position].name
        st.html(_as_texts(data, suspect, name) if version.task == "text" else _as_pictures(data, suspect, name))
        _choice(suspect, made)


def _choice(suspect: Suspect, made: Decisions) -> None:
    """One click decides; another one on the same button takes it back."""
    words: dict[Decision, str] = {"relabel": _("It is {label}", label=md(suspect.suggested)),
                                  "keep": _("Keep {label}", label=md(suspect.given)), "remove": _("Remove")}
    chosen = st.segmented_control(_("Decision"), list(words), format_func=words.get, default=made.get(_key(suspect)),
                                  key=f"doctor.choice.{state.rev('doctor')}.{suspect.position}.{suspect.sha[:16]}",
                                  label_visibility="collapsed")
    if chosen:
        made[_key(suspect)] = chosen
    else:
        made.pop(_key(suspect), None)


def _as_pictures(data: DataSpec, suspect: Suspect, name: str) -> str:
    """The picture, and beside it what it is most like."""
    url = thumbs.thumbs_url(data.dataset, data.version)

    def figures(shown: Sequence[tuple[str, str]]) -> str:
        cells = (f'<figure><img loading="lazy" alt="{html.escape(label)}" src="{url.format(sha=sha)}">'
                 f"<figcaption>{html.escape(label)}</figcaption></figure>" for sha, label in shown)
        return f'<div class="graft-thumbs" style="grid-template-columns: repeat({len(shown)}, minmax(0, 120px))">{"".join(cells)}</div>'
    near = figures([(one.sha, one.label) for one in suspect.neighbours])
    return (f'<div style="display: flex; flex-wrap: wrap; gap: 4px 28px"><div style="max-width: 120px">{_caption(name)}'
            f'{figures([(suspect.sha, suspect.given)])}</div><div>{_caption(_("The items most like it, with their labels"))}{near}</div></div>')


def _as_texts(data: DataSpec, suspect: Suspect, name: str) -> str:
    """The text, and below it what it is most like."""
    texts = data_view.texts(data)
    near = "".join(f"<li><b>{html.escape(one.label)}</b> {_cut(texts.get(one.sha, ''), NEAR_CHARS)}</li>" for one in suspect.neighbours)
    return (f'<div style="font-size: .875rem; overflow-wrap: anywhere">{_caption(name)}<p>{_cut(texts.get(suspect.sha, ""), TEXT_CHARS)}</p>'
            f'{_caption(_("The items most like it, with their labels"))}<ul style="margin: 0; padding-left: 1.2em">{near}</ul></div>')


def _caption(text: str) -> str:
    return (f'<div style="font-size: .8rem; opacity: .7; overflow: hidden; text-overflow: ellipsis; white-space: nowrap" '
            f'title="{html.escape(text)}">{html.escape(text)}</div>')


def _cut(text: str, chars: int) -> str:
    """On one line, not too long, and shown as it was written."""
    shown = " ".join(text.split())
    return html.escape(shown[:chars]) + ("…" if len(shown) > chars else "")
