"""The curves of several runs in one chart, each in a colour and with a mark of its own. Pure: data -> Figure."""
from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from pages.ui import charts
from pages.ui.charts import Theme
from pages.ui.i18n import _

COLOURS: dict[Theme, tuple[str, ...]] = {
    "light": ("#5b5bd6", "#d9480f", "#134e4a", "#e0559a", "#78350f", "#3b0764"),
    "dark": ("#8e8ef5", "#ffd60a", "#22d3ee", "#ff8a80", "#ea580c", "#ffffff")}
"""Of as many runs as can be compared. They stay apart for readers without red, green or blue cones, as far as six colours can."""
MARKS: tuple[tuple[str, str], ...] = (
    ("circle", '<circle cx="14" cy="7" r="4.5"/>'), ("square", '<rect x="9.5" y="2.5" width="9" height="9"/>'),
    ("diamond", '<path d="M14 1l6 6-6 6-6-6z"/>'), ("triangle-up", '<path d="M14 1.5l6 10.5H8z"/>'),
    ("cross", '<path d="M12 1.5h4V5h3.5v4H16v3.5h-4V9H8.5V5H12z"/>'),
    ("star", '<path d="M14.0 0.8L15.5 4.9L19.9 5.1L16.5 7.8L17.6 12.0L14.0 9.6L10.4 12.0L11.5 7.8L8.1 5.1L12.5 4.9z"/>'))
"""What stands on a run's curve besides its colour: Plotly's name for it, and the same as a drawing."""
MOST_MARKS = 14


@dataclass(frozen=True, slots=True)
class Line:
    """A run's curve over its epochs. `place`: which colour and mark it has. `best`: the epoch that was kept, None while there is none.
    Nothing is known of an epoch without validation."""
    name: str
    place: int
    epochs: Sequence[int]
    validation: Sequence[float | None]
    training: Sequence[float]
    best: int | None = None


def swatch(place: int, theme: Theme) -> str:
    """A run's colour and mark as the address of a picture, 28 by 14."""
    colour = COLOURS[theme][place]
    drawing = (f'<svg xmlns="http://www.w3.org/2000/svg" width="28" height="14" fill="{colour}"><path d="M0 7h28" stroke="{colour}" '
               f'stroke-width="2.5"/>{MARKS[place][1]}</svg>')
    return "data:image/svg+xml;base64," + base64.b64encode(drawing.encode("ascii")).decode("ascii")


def curves_figure(lines: Sequence[Line], metric: str, in_percent: bool, training: bool, theme: Theme) -> go.Figure:
    """Validation solid; `training`: dotted, too. A ring marks the epoch that was kept. Without a legend: six names may take more room
    than the curves; the page has it above them."""
    look, figure = charts.PALETTES[theme], go.Figure()
    shown = f"%{{y:{'.1%' if in_percent else '.4g'}}}"
    for line in lines:
        colour, name, mark = COLOURS[theme][line.place], charts.short(line.name), MARKS[line.place][0]
        if training:
            figure.add_scatter(
                x=line.epochs, y=line.training, mode="lines", name=f"{name}, {charts.plain(_('training'))}",
                line={"color": colour, "width": 1.5, "dash": "dot"}, hovertemplate=shown)
        figure.add_scatter(
            x=line.epochs, y=line.validation, mode="lines+markers", name=name, line={"color": colour, "width": 2.5}, hovertemplate=shown,
            marker={"symbol": mark, "size": 9, "color": colour, "maxdisplayed": MOST_MARKS})
        kept = [(epoch, value) for epoch, value in zip(line.epochs, line.validation) if epoch == line.best and value is not None]
        figure.add_scatter(
            x=[epoch for epoch, _value in kept], y=[value for _epoch, value in kept], mode="markers", hoverinfo="skip",
            marker={"symbol": "circle-open", "size": 17, "color": colour, "line": {"width": 2}})
    charts.dress(figure, look, height=380)
    figure.update_layout(hovermode="x unified", showlegend=False, plot_bgcolor=look.paper)  # what lies behind the line under the pointer
    figure.update_xaxes(title=charts.plain(_("epoch")), gridcolor=look.grid, zeroline=False, fixedrange=True, rangemode="tozero", nticks=12,
                        tickformat="d", spikecolor=look.dim, spikethickness=1, spikedash="dot",
                        unifiedhovertitle={"text": f"{charts.plain(_('epoch'))} %{{x}}"})
    figure.update_yaxes(title=charts.plain(metric), gridcolor=look.grid, zeroline=False, fixedrange=True, nticks=7, automargin=True,
                        **({"tickformat": ".3~%"} if in_percent else {}))
    return figure
