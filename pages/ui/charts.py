"""Charts, pure: data -> Figure. Colours are those of the app; whatever users named is escaped, since Plotly renders tags."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

import plotly.graph_objects as go

from core.specs import SplitName
from pages.ui.i18n import _
from pages.ui.text import likelihood

Theme = Literal["light", "dark"]

MAX_NAME = 22
MAX_CELLS_WITH_COUNTS = 15 * 15
ROW_PX = 36
MOST_BINS = 24
LEGEND = {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "traceorder": "normal", "itemclick": False, "itemdoubleclick": False}
BARS = 40
"""About so many bars show how long texts are."""
TOOLS = ["zoom", "pan", "select", "lasso", "zoomIn", "zoomOut", "autoScale", "resetScale", "toImage"]


@dataclass(frozen=True, slots=True)
class Palette:
    """`learns`: indigo, what the model does. `validation`: amber, for validation items and nothing else. `empty`: no items at all."""
    ink: str
    dim: str
    grid: str
    paper: str
    learns: str
    faint: str
    validation: str
    test: str
    bad: str
    empty: str


PALETTES: dict[Theme, Palette] = {
    "light": Palette("#1c1c28", "#5f5f73", "#e3e3f0", "#fbfbfe", "#5b5bd6", "#b9b9ee", "#a34700", "#12705f", "#b3261e", "#f4f4fb"),
    "dark": Palette("#ececf5", "#a9a9bd", "#2c2c3f", "#111119", "#6a66e0", "#3d3c78", "#ffb454", "#4fd1b5", "#ff8a80", "#191926"),
}


def plain(text: str) -> str:
    """`text` so that Plotly shows it letter by letter: no tags, no entities, no TeX between dollar signs, no line breaks."""
    return escape(" ".join(text.split()), quote=False).replace("$", "&#36;")


def short(text: str, most: int = MAX_NAME) -> str:
    """Like `plain`, with the middle left out of a long name: names in a set often differ at their end."""
    text = " ".join(text.split())
    if len(text) > most:
        tail = most // 3
        text = f"{text[:most - tail - 1].rstrip()}…{text[-tail:].lstrip()}"
    return plain(text)


def confusion_figure(matrix: Sequence[Sequence[int]], labels: Sequence[str], theme: Theme) -> go.Figure:
    """Who is taken for whom: a row a true label, a column an answer; `matrix[true][answer]` counts items.

    A cell's colour is its share of its row: right answers in indigo, mistakes in red. A selected cell gives
    `customdata` = [true index, answer index]. Raises `ValueError` unless the matrix has one row and one column a label.
    """
    n, look = len(labels), PALETTES[theme]
    if len(matrix) != n or any(len(row) != n for row in matrix):
        raise ValueError(f"the matrix must be {n} by {n}, a row and a column a label")
    sums = [sum(row) for row in matrix]
    # right answers rise from 0 to 1 and mistakes fall from 0 to -1, so that one scale colours both
    shares = [[(1 if i == j else -1) * cell / sums[i] if sums[i] else 0.0 for j, cell in enumerate(row)] for i, row in enumerate(matrix)]
    heat = go.Heatmap(z=shares, zmin=-1, zmax=1, zmid=0, colorscale=[[0, look.bad], [0.5, look.empty], [1, look.learns]],
                      showscale=False, xgap=2, ygap=2, hoverinfo="skip")
    if n * n <= MAX_CELLS_WITH_COUNTS:
        heat.update(text=[[str(cell) if cell else "" for cell in row] for row in matrix], texttemplate="%{text}", textfont={"size": 13})
    figure = go.Figure([heat, _cells(matrix, labels, sums)])
    names, places, flat = [short(label) for label in labels], list(range(n)), n <= 4
    side = {"tickmode": "array", "tickvals": places, "ticktext": names, "showgrid": False, "zeroline": False, "automargin": True,
            "range": [-0.5, n - 0.5], "fixedrange": True, "ticks": ""}
    longest = min(MAX_NAME, max(map(len, labels), default=0))
    dress(figure, look, height=min(1400, 70 + (0 if flat else 5 * longest) + max(150, ROW_PX * n)))
    figure.update_xaxes(**side, title=_("answer of the model"), side="bottom", tickangle=0 if flat else -40)
    figure.update_yaxes(**{**side, "range": [n - 0.5, -0.5]}, title=_("true label"))
    return figure


def _cells(matrix: Sequence[Sequence[int]], labels: Sequence[str], sums: Sequence[int]) -> go.Scatter:
    """Invisible points over the cells: a heatmap can't be selected in, and its hover can't word right answers and mistakes apart."""
    places = [(i, j) for i in range(len(labels)) for j in range(len(labels))]
    words = [(_("{k} of {n}: right") if i == j else _("{k} of {n}: a mistake")).format(k=matrix[i][j], n=sums[i]) for i, j in places]
    return go.Scatter(
        x=[j for _i, j in places], y=[i for i, _j in places], mode="markers", customdata=places, showlegend=False,
        marker={"size": 28, "symbol": "square", "opacity": 0},
        selected={"marker": {"opacity": 0.25}}, unselected={"marker": {"opacity": 0}},
        text=[f"<b>{short(labels[i], 60)} → {short(labels[j], 60)}</b><br>{said}" for (i, j), said in zip(places, words)],
        hovertemplate="%{text}<extra></extra>")


def class_counts_figure(labels: Sequence[str], counts: Mapping[SplitName, Sequence[int]], theme: Theme) -> go.Figure:
    """Items of each class as a bar in the order of `labels`, first on top, split into training, validation and test."""
    look, places = PALETTES[theme], list(range(len(labels)))
    rows = _sides(look)
    figure = go.Figure([
        go.Bar(x=list(counts[split]), y=places, orientation="h", name=name, marker={"color": colour, "line": {"width": 0}},
               text=[short(label, 60) for label in labels], textposition="none",
               hovertemplate=f"<b>%{{text}}</b><br>{plain(name)}: %{{x}}<extra></extra>")
        for split, name, colour in rows if any(counts.get(split, ()))])
    dress(figure, look, height=max(120, 70 + 28 * len(labels)))
    figure.update_layout(barmode="stack", bargap=0.35, showlegend=len(figure.data) > 1,
                         legend=LEGEND)
    figure.update_xaxes(gridcolor=look.grid, zeroline=False, fixedrange=True, rangemode="tozero", nticks=6)
    figure.update_yaxes(**_names(labels))
    return figure


def scatter_figure(pairs: Sequence[tuple[float, float]], name: str, unit: str, theme: Theme) -> go.Figure:
    """Numbers as they are and as they were answered, (true, answer) a point, and the line on which both are the same."""
    look, told = PALETTES[theme], plain(f"{name} ({unit})" if unit else name)
    low, high = min(map(min, pairs)), max(map(max, pairs))
    margin = (high - low or 1) * 0.05
    ends = [low - margin, high + margin]
    figure = go.Figure([
        go.Scatter(x=ends, y=ends, mode="lines", line={"color": look.dim, "width": 1, "dash": "dot"}, hoverinfo="skip", showlegend=False),
        go.Scatter(x=[true for true, _answer in pairs], y=[answer for _true, answer in pairs], mode="markers", showlegend=False,
                   marker={"color": look.learns, "size": 8, "opacity": 0.6},
                   hovertemplate=f"{plain(_('true'))}: %{{x:.4g}}<br>{plain(_('answer'))}: %{{y:.4g}}<extra></extra>")])
    dress(figure, look, height=440)
    side = {"range": ends, "gridcolor": look.grid, "zeroline": False, "fixedrange": True, "nticks": 7}
    figure.update_xaxes(**side, title=f"{told}: {plain(_('true'))}")
    figure.update_yaxes(**side, title=f"{told}: {plain(_('answer'))}", automargin=True)
    return figure


def values_figure(values: Mapping[SplitName, Sequence[float]], name: str, unit: str, theme: Theme) -> go.Figure:
    """How often numbers occur, in ranges of one width, split into training, validation and test."""
    look, every = PALETTES[theme], [value for side in values.values() for value in side]
    low, width = min(every), (max(every) - min(every)) / MOST_BINS or 1.0
    figure = go.Figure([
        go.Bar(x=[low + (i + 0.5) * width for i in range(MOST_BINS)], y=_per_bin(values[split], low, width), name=side, width=width * 0.94,
               marker={"color": colour, "line": {"width": 0}}, hovertemplate=f"%{{x:.4g}}<br>{plain(side)}: %{{y}}<extra></extra>")
        for split, side, colour in _sides(look) if values.get(split)])
    dress(figure, look, height=260)
    figure.update_layout(barmode="stack", showlegend=len(figure.data) > 1, legend=LEGEND)
    figure.update_xaxes(showgrid=False, zeroline=False, fixedrange=True, title=plain(f"{name} ({unit})" if unit else name))
    figure.update_yaxes(gridcolor=look.grid, zeroline=False, fixedrange=True, rangemode="tozero", nticks=5)
    return figure


def _per_bin(values: Sequence[float], low: float, width: float) -> list[int]:
    counts = [0] * MOST_BINS
    for value in values:
        counts[min(MOST_BINS - 1, int((value - low) / width))] += 1
    return counts


def _sides(look: Palette) -> tuple[tuple[SplitName, str, str], ...]:
    return ("train", _("training"), look.learns), ("val", _("validation"), look.validation), ("test", _("test"), look.test)


def probability_bars(labels: Sequence[str], probabilities: Sequence[float], theme: Theme, most: int = 8) -> go.Figure:
    """The likeliest `most` labels as bars, likeliest on top and in full colour, each with its percent.

    Raises `ValueError` unless there is one probability a label.
    """
    if len(labels) != len(probabilities):
        raise ValueError(f"expected {len(labels)} probabilities, one a label, got {len(probabilities)}")
    look = PALETTES[theme]
    order = sorted(range(len(labels)), key=lambda idx: -probabilities[idx])[:most]
    shown = [labels[idx] for idx in order]
    shares = [probabilities[idx] for idx in order]
    figure = go.Figure(go.Bar(
        x=shares, y=list(range(len(order))), orientation="h", cliponaxis=False, showlegend=False,
        marker={"color": [look.learns] + [look.faint] * (len(order) - 1), "line": {"width": 0}, "cornerradius": 5},
        text=[likelihood(share) for share in shares], textposition="outside", textfont={"color": look.ink, "size": 14},
        customdata=[short(label, 60) for label in shown], hovertemplate="%{customdata}: %{text}<extra></extra>"))
    dress(figure, look, height=24 + ROW_PX * len(order))
    figure.update_layout(bargap=0.42)
    figure.update_xaxes(visible=False, range=[0, 1.28], fixedrange=True)
    figure.update_yaxes(**_names(shown))
    return figure


def length_figure(counts: Sequence[int], room: int, theme: Theme) -> go.Figure:
    """How many texts have how many tokens. Bars behind `room` are of texts that are not read to their end."""
    look, longest = PALETTES[theme], max(counts, default=1)
    width = max(1, -(-longest // BARS))
    bars = [0] * (longest // width + 1)
    for count in counts:
        bars[count // width] += 1
    starts = [i * width for i in range(len(bars))]
    figure = go.Figure(go.Bar(
        x=[start + width / 2 for start in starts], y=bars, width=width * 0.9, showlegend=False,
        marker={"color": [look.learns if start + width - 1 <= room else look.bad for start in starts], "line": {"width": 0}},
        customdata=[[start, start + width - 1] for start in starts],
        hovertemplate=_("{a} to {b} tokens: {n}").format(a="%{customdata[0]}", b="%{customdata[1]}", n="%{y}") + "<extra></extra>"))
    if room <= longest:
        figure.add_vline(room, line={"color": look.bad, "width": 2, "dash": "dot"}, annotation={"text": _("read up to here"), "font": {"size": 12}})
    dress(figure, look, height=220)
    figure.update_layout(bargap=0)
    figure.update_xaxes(title=_("tokens of a text"), gridcolor=look.grid, zeroline=False, fixedrange=True, rangemode="tozero")
    figure.update_yaxes(title=_("texts"), gridcolor=look.grid, zeroline=False, fixedrange=True, rangemode="tozero", nticks=5)
    return figure


def _names(labels: Sequence[str]) -> dict[str, Any]:
    """A y-axis that goes down from 0, with the names as its ticks: as categories, equal short names would share one place."""
    return {"tickmode": "array", "tickvals": list(range(len(labels))), "ticktext": [short(label) for label in labels], "showgrid": False,
            "zeroline": False, "automargin": True, "ticks": "outside", "ticklen": 8, "tickcolor": "rgba(0,0,0,0)", "fixedrange": True,
            "range": [len(labels) - 0.5, -0.5]}


def dress(figure: go.Figure, look: Palette, height: int) -> None:
    """What all charts of the app have in common."""
    figure.update_layout(
        height=height, paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)", margin={"l": 8, "r": 16, "t": 8, "b": 8},
        dragmode=False, font={"color": look.ink, "size": 13}, modebar={"remove": TOOLS},
        hoverlabel={"bgcolor": look.paper, "bordercolor": look.grid, "font": {"color": look.ink}})
    figure.update_xaxes(color=look.dim)
    figure.update_yaxes(color=look.dim, tickfont={"color": look.ink})
