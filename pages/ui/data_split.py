"""How the data is split, in true counts and in words; other shares, and groups that stay on one side."""
from __future__ import annotations

from collections import defaultdict

import pandas as pd
import streamlit as st

from core.data import edit
from core.data.facts import Facts
from core.data.groups import GroupRule, Preview, groups_of, preview, suggest
from core.data.versions import Shares, Version
from core.errors import DataError
from core.specs import DataSpec, SplitName
from pages.ui import state
from pages.ui.data_view import carry_out
from pages.ui.errors import show_error
from pages.ui.i18n import _
from pages.ui.text import listed, md

MOST_PERCENT = 45
"""Of each side that is held back: both together must leave something to learn from."""
NAMED = 3
PATTERN, NONE = "pattern", "none"


def section(data: DataSpec, version: Version, facts: Facts) -> None:
    """The split as it is, and what can be asked of it. Each button makes a new version of the data."""
    together = facts.pairs()
    _standing(version)
    halves = st.grid(2, min_column_width=400, gap="large")
    with halves.container():
        _shares(data, version, together)
    with halves.container():
        _groups(data, version, together)


def _standing(version: Version) -> None:
    """What is, never what was asked for."""
    counts = version.sizes()
    n = len(version.items)
    names: dict[SplitName, str] = {"train": _("to learn from"), "val": _("for choosing the best epoch (validation)"),
                                   "test": _("used once at the end (test)")}
    st.markdown("  ·  ".join(_("**{n}** ({share} %) {what}", n=f"{counts[side]:,}", share=f"{counts[side] / n * 100:.0f}", what=name)
                             for side, name in names.items()))
    if version.fixed_splits:
        st.caption(_("The split came with your files and was kept."))
    else:
        st.caption(_("Split by content: the same items and shares give the same split."))
    if said := _groups_in_words(version):
        st.caption(said)


def _groups_in_words(version: Version) -> str:
    """Empty without groups."""
    sides: dict[str, set[SplitName]] = defaultdict(set)
    for item in version.items:
        if item.group:
            sides[item.group].add(item.split)
    divided = [group for group, on in sides.items() if len(on) > 1]
    if divided:
        return _("{n} groups; {k} of them stand on more than one side: {names}", n=f"{len(sides):,}", k=f"{len(divided):,}",
                 names=listed(md(group[:40]) for group in divided[:NAMED]))
    return _("{n} groups; each stands on one side only", n=f"{len(sides):,}") if sides else ""


def said_of_sides(version: Version) -> None:
    """What it means for the scores that a side has no items, or none of a label; nothing where every side is whole."""
    counts = version.sizes()
    if not counts["val"] and not counts["test"]:
        st.info(_("No item is held back: nothing will tell how good the model is."), icon=":material/info:")
    elif not counts["test"]:
        st.info(_("There are no test items: scores will be those of the validation items, which are also used to choose the best epoch."),
                icon=":material/info:")
    elif not counts["val"]:
        st.info(_("There are no validation items: the best epoch can't be chosen, so the last one is kept."), icon=":material/info:")
    of_label = version.counts()
    lacking = [label for i, label in enumerate(version.labels) if any(counts[side] and not of_label[side][i] for side in ("val", "test"))]
    if lacking:
        st.caption(_("Not on every side, since there are too few of them or they belong together: {labels}",
                     labels=listed(md(label[:40]) for label in lacking[:NAMED]) + (" …" if len(lacking) > NAMED else "")))


def _shares(data: DataSpec, version: Version, together: list[tuple[str, str]]) -> None:
    st.markdown(f"**{_('Shares')}**")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        val = st.number_input(_("Validation (%)"), 0, MOST_PERCENT, _percent(version.shares.val), step=5,
                              key=f"data.split.val.{data.version}", width=150,
                              help=_("For choosing the best epoch. The model never learns from these."))
        test = st.number_input(_("Test (%)"), 0, MOST_PERCENT, _percent(version.shares.test), step=5,
                               key=f"data.split.test.{data.version}", width=150,
                               help=_("Used once, at the end, for an honest score."))
        pressed = st.button(_("Let Graft split instead") if version.fixed_splits else _("Split again"), key="data.split.again",
                            icon=":material/call_split:")
    st.caption(_("Of each label, as near as whole groups allow; the rest is there to learn from. "
                 "What was moved by hand is split again too."))
    if pressed:
        carry_out(data, lambda: edit.resplit(version, Shares(val / 100, test / 100), together))


def _percent(share: float) -> int:
    return min(MOST_PERCENT, round(share * 100))


def _groups(data: DataSpec, version: Version, together: list[tuple[str, str]]) -> None:
    st.markdown(f"**{_('What belongs together')}**")
    st.caption(_("Several items of one patient, several frames of one video, several parts of one document: on different sides they "
                 "would make the score look better than it is."))
    choice = _choice(data, version)
    if choice == NONE:
        if st.button(_("Split again without groups"), key="data.group.none", icon=":material/call_split:"):
            carry_out(data, lambda: edit.set_groups(version, {}, together))
        return
    rule = _typed(data) if choice == PATTERN else choice
    if isinstance(rule, GroupRule):
        found = preview(version, rule)
        _show(found)
        if version.fixed_splits:
            st.caption(_("This replaces the split that came with your files."))
        if st.button(_("Keep these groups whole and split again"), key="data.group.apply", icon=":material/call_split:",
                     disabled=not found.n_groups):
            carry_out(data, lambda: edit.set_groups(version, groups_of(version, rule), together))


def _choice(data: DataSpec, version: Version) -> GroupRule | str | None:
    """A rule, a pattern that is still to be typed, no groups; None: all stays as it is."""
    names: dict[GroupRule | str, str] = {rule: _in_words(rule, found) for rule, found in _suggested(data)}
    if version.table:
        st.caption(_("For rows of a table, a column can tell the group: choose it under “{view}”.", view=_("Columns and encoding")))
    if version.task == "image" or not version.table:  # rows have no file names
        names[PATTERN] = _("By a pattern of my own")
    if any(item.group for item in version.items):
        names[NONE] = _("No groups: every item stands for itself")
    if not names:
        return None
    return st.selectbox(_("Group by"), list(names), index=None, format_func=lambda choice: names.get(choice, ""),
                        key=f"data.group.{data.version}", placeholder=_("Choose what to group by"), label_visibility="collapsed")


@st.cache_data(max_entries=8, show_spinner=False)
def _suggested(data: DataSpec) -> list[tuple[GroupRule, Preview]]:
    """Reading all names in many ways takes a while for a large set, and a version never changes."""
    version = state.read_version(data)
    return [(rule, preview(version, rule)) for rule in suggest(version)]


def _in_words(rule: GroupRule, found: Preview) -> str:
    some = listed(list(dict.fromkeys(group[:40] for _name, group in found.examples))[:NAMED])
    return _("By folder: {names} …", names=some) if rule.kind == "folder" else _("By the beginning of the file name: {names} …", names=some)


def _typed(data: DataSpec) -> GroupRule | None:
    text = st.text_input(_("Pattern"), key="data.group.pattern", placeholder="*_{group}_*.png", max_chars=200,
                         help=_("Write the name of a file. Put {mark} where the group stands, and * for any other text.", mark="{group}"))
    if not text.strip():
        return None
    try:
        return GroupRule("pattern", pattern=text.strip())
    except DataError as error:
        show_error(error)
        return None


def _show(found: Preview) -> None:
    if not found.n_groups:
        st.caption(_("This fits no file name."))
    else:
        n, few, many = f"{found.n_groups:,}", f"{found.smallest:,}", f"{found.largest:,}"
        st.markdown(_("{n} groups of {many} items each", n=n, many=many) if few == many
                    else _("{n} groups of {few} to {many} items", n=n, few=few, many=many))
        frame = pd.DataFrame({_("File"): [name for name, _group in found.examples], _("Group"): [group for _name, group in found.examples]})
        st.dataframe(frame, hide_index=True, key="data.group.examples", height="content")
    if found.alone:
        st.caption(_("In no group, each for itself: {n} items, such as {names}", n=f"{found.alone:,}",
                     names=listed(md(name[:80]) for name in found.alone_names[:NAMED])))
