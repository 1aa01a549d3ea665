"""Which depth: how far into the network the features have to go for this data, by a linear model on what each block gives."""
from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.data.versions import Version
from core.jobs import advice
from core.models.rows import ModelRow
from core.objectives import objective
from core.specs import BlockPlan, DataSpec, FreezePlan
from core.training.advice.findings import Ask, Depths, Score, taken
from core.training.presets import gentle, is_new, planned
from pages.ui import state
from pages.ui.advice_watch import Section, watched
from pages.ui.components.freeze_map import Probe, Probes
from pages.ui.i18n import _
from pages.ui.plan import group_name
from pages.ui.scores import said


def _show(row: ModelRow, data: DataSpec, version: Version) -> None:
    st.write(_("Your items go through the network once; after each block a linear model learns your labels from what there is and is asked about items "
               "that it has not seen. The scores are drawn over the freeze map."))
    watched(_ask(row, data), "depth", lambda found: _draw(found, row, version),
            lambda name: group_name(name) if any(block.name == name for block in row.blocks) else _("Looking through {model} …", model=row.title),
            start=_("Probe every depth"))


SECTION = Section("depth", "Which depth?", ":material/layers:", _show)


def probes(row: ModelRow) -> Probes:
    """What is known of the model's depths on the draft's data, for the freeze map."""
    data, version = state.draft().data, state.version()
    if data is None or version is None or data.task != row.task:
        return Probes()
    found = advice.status(state.workspace(), "depth", _ask(row, data)).finding
    return drawn(found, version) if isinstance(found, Depths) else Probes()


def drawn(found: Depths, version: Version) -> Probes:
    """Fractions stand where they are on a scale from nothing to all; errors on one from the largest that is drawn to none, so that further
    right is better too."""
    asked = objective(version.objective)
    most = max((_or(score.high, score) for _name, score in found.scores), default=0.0) or 1.0

    def at(value: float) -> float:
        return value if asked.higher_is_better else 1 - value / most
    shown = (Probe(name, said(score, version), at(score.value), *sorted((at(_or(score.low, score)), at(_or(score.high, score)))))
             for name, score in found.scores)
    return Probes(tuple(shown), _("between rows: how many labels a simple probe gets right with what the network knows there")
                  if asked.percent else _("between rows: how far a simple probe is off with what the network knows there; further right is better"))


def enough(found: Depths, higher_is_better: bool) -> tuple[str, Score] | None:
    """The first block after which the score can't be told from the best one; None where there is none yet."""
    if not found.scores:
        return None
    sign = 1 if higher_is_better else -1
    _name, best = max(found.scores, key=lambda pair: sign * pair[1].value)
    bound = _or(best.low if higher_is_better else best.high, best)
    return next((name, score) for name, score in found.scores if sign * score.value >= sign * bound)


def frozen_up_to(row: ModelRow, plan: FreezePlan, name: str) -> FreezePlan:
    """The plan with everything up to that block frozen, and what lies behind it trained gently."""
    stop, share = [block.name for block in row.blocks].index(name), gentle(row, "trained")
    blocks = tuple(BlockPlan(block.name, "trained") if is_new(row, block)
                   else planned(block, "frozen" if i <= stop else "trained", share, 0) for i, block in enumerate(row.blocks))
    return replace(plan, blocks=blocks)


def _ask(row: ModelRow, data: DataSpec) -> Ask:
    return Ask(data, (row.key,), taken(state.draft().actual_config()), pretrained=state.draft().pretrained)


def _draw(found: Depths, row: ModelRow, version: Version) -> None:
    first = enough(found, objective(version.objective).higher_is_better)
    if found.whole and first:
        _conclude(found, *first, row, version)
    st.dataframe([{_("features after"): group_name(name), _(objective(version.objective).metric_label): said(score, version)}
                  for name, score in found.scores], hide_index=True, key="advice.depth.table")


def _conclude(found: Depths, name: str, score: Score, row: ModelRow, version: Version) -> None:
    """Which depth is enough, and a button that freezes up to there."""
    last = name == found.scores[-1][0]
    if last:
        st.markdown(_("Every block adds something: only the features after “{block}” reach {score}.", block=group_name(name), score=said(score, version)))
    else:
        st.markdown(_("Features after “{block}” already reach {score}: what lies behind adds nothing that can be told from luck.",
                      block=group_name(name), score=said(score, version)))
    st.caption(_("From {n} items. A training may still change what lies behind for the better: this says where good features begin, not how far "
                 "training gets.", n=found.n))
    if st.button(_("Freeze up to “{block}”", block=group_name(name)), key="advice.depth.use", icon=":material/ac_unit:"):
        draft = state.draft()
        state.update(plan=frozen_up_to(row, draft.actual_plan(), name), preset="custom", config=replace(draft.actual_config(), preset="custom"))
        state.bump("plan")
        st.rerun()


def _or(end: float | None, score: Score) -> float:
    return score.value if end is None else end
