"""What else may be decided about the adaptation: the head, the pooling before it, normalisation, and the pull back to the source."""
from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st

from core.models import heads
from core.models.catalog import ModelRow
from core.objectives import objective
from core.specs import BatchNorm, FreezePlan, HeadKind, HeadPlan, PoolingKey
from core.training.presets import anchored, pulled
from pages.ui import lora_form, state
from pages.ui.i18n import _
from pages.ui.text import count

PULLS = (0.0, 0.001, 0.01, 0.1, 1.0)


@dataclass(frozen=True, slots=True)
class Why:
    """A formula as TeX, what its letters mean, and where it comes from (Markdown)."""
    formula: str
    meaning: str
    source: str


def section(row: ModelRow) -> None:
    """Folded; the draft keeps what is edited."""
    draft = state.draft()
    plan, config, rev = draft.actual_plan(), draft.actual_config(), state.rev("settings")
    with st.expander(_("More: head, normalisation, pull to the source"), icon=":material/tune:", key="model.adaptation"):
        edited = replace(plan, head=_head(row, plan.head, config.input_size, rev))
        grid = st.grid(2, min_column_width=260)
        with grid.container():
            edited = replace(edited, batch_norm=_batch_norm(row, plan, rev))
        with grid.container():
            edited = _anchored(row, edited, rev)
        _of_the_map()
    if edited != plan:
        state.update(plan=edited, preset="custom", config=replace(config, preset="custom"))
        state.bump("plan")
        st.rerun()
    if plan.adapted():
        lora_form.adapters()


def _of_the_map() -> None:
    """What is set on the map itself: why it is done."""
    st.caption(_("On the map: what is frozen, when each part joins, and how fast it learns."))
    with st.container(horizontal=True):
        _why(Why(r"\partial L / \partial w_{\text{frozen}} := 0",
                 _("Early layers see edges and colours, which all pictures have, or read words and grammar; what they know carries over. Frozen, "
                   "they can't forget it, and are computed once."), "[Yosinski et al. 2014](https://arxiv.org/abs/1411.1792)"), _("Why freeze?"))
        _why(Why(r"\text{epoch } 0: \{n\},\quad k: \{n-1, n\},\quad 2k: \{n-2, n-1, n\},\; \dots",
                 _("A new head begins with large, random errors. Parts that join later are spared them: the last part first, then the one before."),
                 "[Howard & Ruder 2018](https://arxiv.org/abs/1801.06146)"), _("Why gradually?"))
        _why(Why(r"\eta_{l-1} = \eta_l \,/\, 2.6", _("η is the learning rate of part l: what is more general changes less."),
                 "[Howard & Ruder 2018](https://arxiv.org/abs/1801.06146)"), _("Why different rates?"))


def _head(row: ModelRow, head: HeadPlan, side: int | None, rev: int) -> HeadPlan:
    version = state.version()
    grid = st.grid(2, min_column_width=260)
    with grid.container():
        kinds = head_names()
        kind = st.selectbox(_("Head"), list(kinds), list(kinds).index(head.kind), format_func=kinds.get, key=f"model.head.{rev}.{row.key}",
                            help=_("One layer is enough where the network's features fit your items, and hardest to get wrong. A hidden layer can "
                                   "combine features in new ways; it wants more items."))
        head = replace(head, kind=kind)
        if kind == "mlp":
            width = st.number_input(_("Width of the hidden layer"), 1, 8192, head.width, step=64, key=f"model.head_width.{rev}.{row.key}",
                                    help=_("How many numbers it has. Wider can learn more, and learns by heart sooner."))
            dropout = st.slider(_("Dropout"), 0.0, 0.95, head.dropout, 0.05, key=f"model.head_dropout.{rev}.{row.key}",
                                help=_("The share of the hidden numbers that is left out, at random, in each step: no single one is relied on."))
            head = replace(head, width=int(width), dropout=float(dropout))
        _why(_why_head(head))
    with grid.container():
        known = heads.poolings(row)
        if len(known) > 1:
            names = pooling_names()
            pooling = st.selectbox(_("Pooling"), known, known.index(head.pooling) if head.pooling in known else 0, format_func=names.get,
                                   key=f"model.pooling.{rev}.{row.key}",
                                   help=_("How what the network saw in all places becomes one row of numbers for the head."))
            head = replace(head, pooling=pooling)
        n_features = heads.features(row, head, side)
        n_outputs = objective(version.objective).outputs(len(version.labels)) if version else 5
        st.caption(_("{n} numbers enter the head; {p} learn in it.", n=count(n_features), p=count(heads.parameters(head, n_features, n_outputs))))
        if head.pooling == "flatten":
            st.caption(_("Every place keeps its own numbers, so the head grows with the input size. It suits pictures in which things stand "
                         "at the same place, and learns by heart easily."))
        gone = heads.replaced(row, head)
        if gone:
            st.caption(_("The network's own layers between pooling and head are left out."))
    return head


def head_names() -> dict[HeadKind, str]:
    return {"linear": _("one layer"), "mlp": _("hidden layer before it")}


def pooling_names() -> dict[PoolingKey, str]:
    return {"own": _("as the network was made"), "average": _("average of all places"), "max": _("largest number of all places"),
            "flatten": _("all places side by side (flatten)"), "first": _("the first token"), "mean": _("mean of all tokens"), "last": _("the last token")}


def batch_norm_names() -> dict[BatchNorm, str]:
    return {"adapt": _("follow your items in blocks that train"), "keep": _("stay as the source has them")}


def _batch_norm(row: ModelRow, plan: FreezePlan, rev: int) -> BatchNorm:
    if not row.batch_norm:
        st.caption(_("Normalisation: this network has no BatchNorm, so nothing is to be decided about it."))
        return plan.batch_norm
    names = batch_norm_names()
    chosen = st.selectbox(_("BatchNorm statistics"), list(names), list(names).index(plan.batch_norm), format_func=names.get,
                          key=f"model.batch_norm.{rev}.{row.key}",
                          help=_("BatchNorm scales numbers by their mean and spread. With batches under 16 items these are unreliable: better let "
                                 "them stay. In frozen blocks they always stay."))
    _why(Why(r"\hat x = \gamma\,\frac{x-\mu}{\sqrt{\sigma^2+\varepsilon}} + \beta",
             _("μ and σ² are the statistics; γ and β are learned in blocks that train, either way."),
             "[Ioffe & Szegedy 2015](https://arxiv.org/abs/1502.03167)"))
    return chosen


def _anchored(row: ModelRow, plan: FreezePlan, rev: int) -> FreezePlan:
    """One strength for all pretrained blocks that train; the map's details set it for each."""
    some = pulled(row, plan)
    now = {block.anchor for block in plan.blocks if block.name in some}
    if not some:
        st.caption(_("Pull to the source: it is there once a pretrained block trains in full."))
        return plan
    names = {0.0: _("none"), 0.001: _("light (0.001)"), 0.01: _("medium (0.01)"), 0.1: _("strong (0.1)"), 1.0: _("very strong (1)")}
    options = sorted({*PULLS, *now})
    given = now.pop() if len(now) == 1 else None
    chosen = st.selectbox(_("Pull to the source (L2-SP)"), options, options.index(given) if given is not None else None,
                          format_func=lambda value: names.get(value, f"{value:g}"), placeholder=_("differs from block to block"),
                          key=f"model.anchor.{rev}.{row.key}.{given}",
                          help=_("Weights that train are pulled back to what the source had learned, in place of weight decay. It helps when items are "
                                 "few: the network forgets less."))
    _why(Why(r"L + \frac{a}{2}\,\lVert w - w_0 \rVert^2",
             _("w₀ are the source's weights and a is the strength: a prior belief, in Bayes' sense, that good weights lie near them."),
             "[Li, Grandvalet & Davoine 2018](https://arxiv.org/abs/1802.01483)"))
    return plan if chosen is None or chosen == given else anchored(row, plan, chosen)


def _why_head(head: HeadPlan) -> Why:
    source = _("[Chollet 2016]({url}), and most courses since", url="https://blog.keras.io/building-powerful-image-classification-models-using-very-little-data.html")
    if head.kind == "mlp":
        return Why(r"z = W_2\,\mathrm{dropout}(\max(0,\; W_1 x + b_1)) + b_2", _("x are the pooled features, z one number a label."), source)
    return Why(r"z = W x + b", _("x are the pooled features, z one number a label."), source)


def _why(why: Why, title: str = "") -> None:
    with st.popover(title or _("Why"), type="tertiary"):
        st.latex(why.formula)
        st.caption(why.meaning)
        st.caption(_("Source: {source}", source=why.source))
