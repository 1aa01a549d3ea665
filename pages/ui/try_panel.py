"""What the ways to try a model share: samples it never learned from, and its answer in words and bars."""
from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.data.versions import Item, Version
from pages.ui import charts
from pages.ui.i18n import _
from pages.ui.text import likelihood, md

UNSURE = 0.5


def answer(labels: Sequence[str], probabilities: Sequence[float], truth: str) -> None:
    """What the model says of one item; `truth` is the label that it bears, where that is known."""
    best = max(range(len(labels)), key=lambda i: probabilities[i])
    _verdict(labels[best], probabilities[best], truth)
    st.plotly_chart(charts.probability_bars(labels, probabilities, st.context.theme.type or "light"), key="try.bars",
                    config={"displayModeBar": False})


def _verdict(label: str, probability: float, truth: str) -> None:
    sure = probability >= UNSURE
    name, likely = md(label), likelihood(probability)
    guess = _("{label}? {p}", label=name, p=likely)
    st.markdown(f"### {name}  :gray[{likely}]" if sure else f"### {_('Not sure')}  :gray[{guess}]")
    if truth:
        right = truth == label
        st.markdown(f":green[:material/check: {_('Right: it is {label}.', label=md(truth))}]" if right
                    else f":red[:material/close: {_('Wrong: it is {label}.', label=md(truth))}]")


def samples(version: Version, most: int) -> list[Item]:
    """A few test items of every label (without test items: of validation), always the same ones."""
    pool = version.split("test") or version.split("val")
    by_label = [sorted((item for item in pool if item.label == i), key=lambda item: item.sha) for i in range(len(version.labels))]
    mixed = [items[k] for k in range(most) for items in by_label if k < len(items)]
    return mixed[:most]
