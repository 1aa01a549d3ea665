"""The models as cards: facts, whether the weights are here, and what to do when they are not."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.data.versions import Version
from core.jobs import downloads
from core.models.catalog import CATALOG, ModelRow, known, models, on_this_machine, ready, weights_folder
from core.models.from_runs import is_run, run_id_of
from core.objectives import objective
from core.training.advice.ranking import fit_of
from pages.ui import run_cards, scores, state
from pages.ui.errors import show_error
from pages.ui.fragments import fragment_of
from pages.ui.i18n import _
from pages.ui.text import count, listed, md, size

COLUMNS = 3
FIRST = 9
"""So many cards are shown until all are asked for: three rows of them."""
SMALL, LARGE = 12e6, 50e6
"""Parameters up to which a model is small, and from which it is large."""


def _takes_pictures(row: ModelRow) -> list[str]:
    return [_("takes pictures of {n} × {n} pixels", n=row.input.input_size), _("{n} G multiplications a picture", n=_billions(row))]


def _takes_texts(row: ModelRow) -> list[str]:
    return [_("reads {language}, up to {n} tokens at once", language=_(row.input.languages), n=row.input.max_tokens),
            _("{n} G multiplications for {tokens} tokens", n=_billions(row), tokens=row.input.counted_tokens),
            _("what you take home also opens in transformers’ pipeline()") if row.input.pipeline
            else _("what you take home brings its own predict.py")]


TAKES = {"image": _takes_pictures, "text": _takes_texts}
"""By task: facts of a model's input, and what an item costs."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of a filter. `label` is a key of the translation catalogue."""
    label: str
    fits: Callable[[ModelRow], bool]


@dataclass(frozen=True, slots=True)
class Order:
    """`label` is a key of the translation catalogue; `key`: what comes first has the least."""
    label: str
    key: Callable[[ModelRow], object]


KINDS = {
    "all": Choice("All", lambda row: True),
    "catalog": Choice("Catalog", lambda row: row.key in CATALOG),
    "own": Choice("Added by you", lambda row: row.key not in CATALOG and not is_run(row.key)),
    "runs": Choice("Your runs", lambda row: is_run(row.key)),
}
SIZES = {
    "any": Choice("Any size", lambda row: True),
    "small": Choice("Small: under 12 M parameters", lambda row: row.parameters < SMALL),
    "medium": Choice("Medium: 12 to 50 M", lambda row: SMALL <= row.parameters <= LARGE),
    "large": Choice("Large: over 50 M", lambda row: row.parameters > LARGE),
}
ORDERS = {
    "ready": Order("Ready ones first", lambda row: (not on_this_machine(row), is_run(row.key))),
    "size": Order("Smallest first", lambda row: row.parameters),
    "score": Order("Best published score first", lambda row: -(row.score or 0.0)),
    "cost": Order("Least work first", lambda row: _macs(row)),
}


def rows_for(version: Version | None) -> list[ModelRow]:
    """The models that can learn from this data, the reader's runs among them; all of them while there is none."""
    return [row for row in models(state.workspace(), state.me()).values() if version is None or row.task == version.task]


def grid(rows: Sequence[ModelRow], chosen: str) -> None:
    found = _wanted(rows)
    shown = found if state.get("model.all") else _first(found, chosen)
    cards = st.grid(COLUMNS, min_column_width=215)
    for row in shown:
        _card(cards, row, row.key == chosen)
    if not found:
        st.caption(_("No such model. Clear the search and the filters to see all."))
    if len(shown) < len(found) and st.button(_("Show all {n}", n=len(found)), icon=":material/expand_more:", key="model.all.show"):
        state.put("model.all", True)
        st.rerun()


def _first(found: Sequence[ModelRow], chosen: str) -> list[ModelRow]:
    """Those that are shown at first, and the chosen one wherever it stands."""
    shown = [row for n, row in enumerate(found) if n < FIRST or row.key == chosen]
    return shown if len(found) > len(shown) + 1 else list(found)


def _wanted(rows: Sequence[ModelRow]) -> list[ModelRow]:
    """Search, filters and order: the fields, and what they leave."""
    kinds = [key for key, choice in KINDS.items() if key == "all" or any(map(choice.fits, rows))]
    families = ["", *dict.fromkeys(row.family for row in rows)]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        query = st.text_input(_("Search"), key="model.search", placeholder=_("Name, licence, learned from …"), icon=":material/search:",
                              label_visibility="collapsed", width=320)
        kind = st.segmented_control(_("Kind"), kinds, format_func=lambda key: _(KINDS[key].label), default="all", required=True, key="model.kind",
                                    label_visibility="collapsed", width="content") if len(kinds) > 2 else "all"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        wide = st.selectbox(_("Size"), list(SIZES), format_func=lambda key: _(SIZES[key].label), key="model.size",
                            label_visibility="collapsed", width=225)
        family = st.selectbox(_("Family"), families, format_func=lambda name: name or _("Any family"), key="model.family",
                              label_visibility="collapsed", width=160)
        order = st.selectbox(_("Order"), list(ORDERS), format_func=lambda key: _(ORDERS[key].label), key="model.order",
                             label_visibility="collapsed", width=225)
        here = st.toggle(_("On this machine"), key="model.here")
    words = (query or "").lower().split()
    found = [row for row in rows if KINDS[kind or "all"].fits(row) and SIZES[wide].fits(row) and family in ("", row.family)
             and (not here or on_this_machine(row)) and (not words or all(word in _said_of(row) for word in words))]
    return sorted(found, key=ORDERS[order].key)  # type: ignore[arg-type, return-value]


def _said_of(row: ModelRow) -> str:
    """What a search looks through, in the reader's language and in English."""
    own = (row.licence, row.learnt_from)
    return " ".join((row.key, row.title, row.family, row.repo, *row.since, *own, *map(_, own))).lower()


def _macs(row: ModelRow) -> int:
    return sum(block.macs for block in row.blocks)


def _billions(row: ModelRow) -> str:
    n = _macs(row) / 1e9
    return f"{n:.0f}" if n >= 10 else f"{n:.2g}" if n >= 1e-3 else "< 0.001"


def missing_weights(row: ModelRow, page: str) -> None:
    """The chosen model has no weights here: offer to fetch them, or say which file goes where. `page`: the one that shows this."""
    ws = state.workspace()
    now = downloads.status(ws, row.key)
    with st.container(border=True):
        if row.own_file:
            st.markdown(f":orange[:material/error: **{_('The weights of {model} are gone.', model=md(row.title))}**]")
            st.caption(_("{file} was deleted. Choose another model, or bring the file again.", file=md(row.own_file)))
            return
        if now and now.state == "running":
            fragment_of(page, lambda: _progress(row), run_every=0.5)()
            return
        st.markdown(f":orange[:material/download: **{_('The weights of {model} are not on this machine yet.', model=md(row.title))}**]")
        if now and now.error:
            show_error(now.error)
        else:
            st.caption(_("{size} to download once. Without a network: put {file} in {dir}, or use a ready model: {ready}.",
                         size=size(row.size_bytes),
                         file=md(row.weights_file), dir=md(str(weights_folder(row))),
                         ready=listed(md(r.title) for r in ready(row.task))))
        if st.button(_("Download {size}", size=size(row.size_bytes)), icon=":material/download:", key=f"model.download.{row.key}"):
            downloads.start(ws, row.key)
            st.rerun()


def _progress(row: ModelRow) -> None:
    now = downloads.status(state.workspace(), row.key)
    if now is None or now.state != "running":
        if now and now.state == "done":
            downloads.forget(state.workspace(), row.key)
        st.rerun()
    st.progress(now.share, text=_("Downloading {model}: {done} of {total}", model=md(row.title), done=size(now.done),
                                  total=size(now.total or row.size_bytes)))
    if st.button(_("Cancel"), key=f"model.download.cancel.{row.key}"):
        downloads.cancel(state.workspace(), row.key)
        st.rerun()


def _card(cards: DeltaGenerator, row: ModelRow, chosen: bool) -> None:
    with cards.container(border=True, height="stretch", key=f"card-{'chosen' if chosen else 'open'}-{row.key.replace('_', '-')}"):
        st.markdown(f"**{md(row.title)}**  {_badge(row)}")
        st.caption("  \n".join((
            _("{family} · {n} parameters, {size}", family=_(row.family), n=count(row.parameters), size=size(row.size_bytes)),
            *TAKES[row.task](row), *_how_good(row), *_fit(row))))
        with st.container(horizontal=True, vertical_alignment="center"):
            if chosen:
                st.markdown(f":violet[:material/check_circle: **{_('chosen')}**]", width="content")
            elif st.button(_("Choose"), key=f"model.choose.{row.key}"):
                state.choose_model(row.key)
                st.rerun()
            with st.popover(_("About"), type="tertiary"):
                st.markdown("\n\n".join(_("**{name}**: {what}", name=name, what=what) for name, what in (
                    (_("Learned from"), learnt_from(row)), (_("Limits"), _(row.limits)), (_("Licence"), _(row.licence)),
                    *([(_("From"), md(row.repo))] if row.repo else []))))


def _badge(row: ModelRow) -> str:
    if is_run(row.key):
        return f":violet-badge[:material/history: {_('your run')}]"
    if on_this_machine(row):
        return f":green-badge[:material/check: {_('on this machine')}]"
    return f":orange-badge[:material/download: {size(row.size_bytes)}]"


def _how_good(row: ModelRow) -> list[str]:
    """The published score and who says so; of a run its own, which is no score of that kind."""
    if is_run(row.key):
        report = run_cards.summary(state.workspace().run(run_id_of(row.key))).headline
        return [_("on its own labels: {score}", score=scores.score_with_range(report))] if report else []
    if row.base:
        base = known(row.base, state.workspace())
        return [_("your weights for {model}", model=md(base.title if base else row.base))]
    return [_("{n} % accuracy: {source}", n=f"{row.score:.1f}", source=_(row.score_source))] if row.score is not None else []


def _fit(row: ModelRow) -> list[str]:
    """How well it was found to suit the draft's data, once it was looked at there."""
    data, version = state.draft().data, state.version()
    found = fit_of(state.workspace(), data, row.key) if data and version and data.task == row.task else None
    if found is None or version is None:
        return []
    said = scores.said(found.score, version)
    return [_("looked at on your data: {score}", score=said) if objective(version.objective).percent
            else _("looked at on your data: off by {score}", score=md(said))]


def learnt_from(row: ModelRow) -> str:
    """What a model has learned from: its source, then the runs that went on from there."""
    if not row.since:
        return _(row.learnt_from)
    return _("{source}; then, in your runs: {runs}", source=_(row.learnt_from).rstrip("."), runs=listed(map(md, row.since)))
