"""Curves of a run that grow while it learns, with its progress, its figures and its notices.

The browser follows the run's log over a socket (`pages.routes.live`) and draws by itself: Python is not asked while the
run goes on, and is told once when it ends.
"""
from __future__ import annotations

from pathlib import Path
from typing import Literal, NotRequired, TypedDict

import streamlit as st

from core.events import RunState
from core.objectives import IntervalKind
from pages.routes.media import plotly_address
from pages.ui.i18n import _, language

RunStatus = Literal["queued", "running", "paused", "interrupted", "ended"]
Ending = Literal["done", "discarded", "failed"]
PARTS = ("reduction.js", "chart.js", "header.js", "live_curves.js")


class LiveState(TypedDict):
    """What the log does not say. `name` and `score` are shown as plain text."""
    name: str
    """The run's name, for the title of the browser's tab."""
    score: str
    """What the score is called in the reader's language, from the row of the objective."""
    percent: NotRequired[bool]
    """The score is a fraction and shown in percent."""
    interval: NotRequired[IntervalKind | None]
    """How the 95 % range of the score is found; none is shown without it."""
    status: NotRequired[RunStatus]
    """`ended` and `interrupted`: the history is fetched and no connection stays open. "running" unless given."""
    state: NotRequired[RunState]
    """As Python knows it: the browser causes a rerun when the log says that it is another one."""
    patience: NotRequired[int]
    """Epochs without gain after which the run stops by itself; 0: never."""
    costs: NotRequired[list[float]]
    """What each epoch is expected to take, in any unit: only the proportions count, for the time that is left."""


def live_curves(url: str, *, key: str, height: int = 300, text: dict[str, str] | None = None, state: LiveState) -> Ending | None:
    """Draw the curves of the run at `url` (from `pages.routes.live.live_url`), each `height` px high.

    Returns how the run ended in the one rerun that this causes, else None. As long as `state["status"]` still says that it runs,
    the browser tells it again, every three seconds, four times at most. `text` replaces some of `texts()`.
    """
    data = {"url": url, "library": plotly_address(), "height": height, "text": texts() | (text or {}), "lang": language(),
            "name": state["name"], "score": state["score"], "percent": state.get("percent", False), "interval": state.get("interval"),
            "status": state.get("status", "running"), "state": state.get("state", ""), "patience": state.get("patience", 0), "costs": state.get("costs", [])}
    result = _component(key=key, data=data, on_ended_change=lambda: None, on_renew_change=lambda: None, on_moved_change=lambda: None)
    ended = result.get("ended")
    return ended["type"] if isinstance(ended, dict) and ended.get("type") in ("done", "discarded", "failed") else None


def texts() -> dict[str, str]:
    """What the browser writes; it fills the {placeholders} itself."""
    return {
        "loss": _("Loss"), "lossTitle": _("Loss: how wrong, lower is better"), "epoch": _("Epoch"), "epochAt": _("epoch {e}"),
        "training": _("training"), "validation": _("validation"), "best": _("best epoch"),
        "percent": _("{n} %"), "range": _("({low}–{high})"), "of": _("{e} of {n}"), "stepOf": _("step {e} of {n}"),
        "s": _("{n} s"), "min": _("{n} min"), "h": _("{n} h"), "moment": _("a few seconds"),
        "time": _("Time"), "left": _("left (estimate)"), "inAll": _("in all"),
        "leftLater": _("known after two epochs"), "slower": _("slower than before"),
        "bestSoFar": _("Best so far"), "bestAt": _("{score}, epoch {e}"), "bestTrain": _("{score} in training, epoch {e}"),
        "trainingIs": _("validation · training {loss}"),
        "patience": _("Patience"), "stopsAfter": _("Stops after {n} more epochs without gain"),
        "progress": _("Progress of the training"), "once": _("computed once"),
        "queued": _("Waiting in the queue"), "waiting": _("Getting ready"), "reading": _("Reading the items: {done} of {total}"),
        "pairing": _("Comparing items in pairs: {done} of {total}"),
        "storing": _("Computing the frozen part once: {done} of {total}"), "running": _("Running"),
        "finishing": _("Finishing: the best epoch is tested and packed"), "paused": _("Paused"), "interrupted": _("Not running"),
        "done": _("Done"), "early": _("Done: stopped by itself, further epochs brought no gain"),
        "stopped": _("Stopped, the best epoch is kept"), "discarded": _("Discarded"),
        "reconnecting": _("Reconnecting. Training goes on."), "noChart": _("The curves could not be drawn. Reload the page."),
        "whole": _("Show the whole run"), "earlier": _("Earlier messages"), "table": _("Figures of every epoch"),
        "noEpoch": _("No epoch is complete yet."),
        "sumTrain": _("After epoch {e}: the training loss went from {a} to {b}."), "sumVal": _("The validation loss went from {a} to {b}."),
        "sumBest": _("Best {score}: {v}, in epoch {e}."),
    }


def fit_texts() -> dict[str, str]:
    """Instead of those of `texts()`, where each epoch is a fit to all items at once."""
    return {
        "epoch": _("Fit"), "epochAt": _("fit {e}"), "best": _("best fit"), "stepOf": "", "leftLater": "", "bestAt": _("{score}, fit {e}"),
        "bestTrain": _("{score} in training, fit {e}"), "finishing": _("Finishing: the best fit is tested and packed"),
        "early": _("Done: freer fits brought no gain"), "stopped": _("Stopped, the best fit is kept"), "table": _("Figures of every fit"),
        "noEpoch": _("No fit is complete yet."), "sumTrain": _("After fit {e}: the training loss went from {a} to {b}."),
        "sumBest": _("Best {score}: {v}, in fit {e}."),
    }


def _asset(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


_component = st.components.v2.component(
    "graft_live_curves", html='<section class="lc"></section>', css=_asset("live_curves.css"), js="\n".join(map(_asset, PARTS)),
    isolate_styles=False)  # the chart library writes its styles into the document and does not work inside a shadow root
