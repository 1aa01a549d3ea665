"""Try it with pictures: ways to bring one, and the answer beside it as the model saw it."""
from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from core.data.intake.pictures import check_and_thumbnail
from core.data.versions import Item, Version
from core.errors import UserError
from core.evaluation.report import Report
from core.jobs.predictor_client import client
from core.specs import RunSpec
from pages.ui import state
from pages.ui.components.picture_input import SamplePicture, picture_input
from pages.ui.errors import show_error
from pages.ui.i18n import _
from pages.ui.run_pages import tried
from pages.ui.thumbs import thumbs_url
from pages.ui.try_panel import answer, samples

SAMPLES = 10


@dataclass(frozen=True, slots=True)
class Picture:
    data: bytes
    sample: Item | None = None
    """The item that it is, where what it bears is known."""


def panel(run: RunSpec, report: Report) -> None:
    halves = st.grid(2, min_column_width=380, gap="large")
    left, right = halves.container(), halves.container()
    with left:
        picture = _choose(run, state.read_version(run.data))
    with right:
        if picture is None:
            st.caption(_("Choose a sample picture, or bring one of your own. Samples come from the pictures that the model never learned from."))
        else:
            _ask(run, report, picture)


def _choose(run: RunSpec, version: Version) -> Picture | None:
    """The picture being asked about; it stays until another one is brought."""
    url, shown = thumbs_url(run.data.dataset, run.data.version), samples(version, SAMPLES)
    key = f"try.{run.id}"
    brought = picture_input([SamplePicture(item.sha, url.format(sha=item.sha), version.said(item)) for item in shown], key=f"{key}.input")
    if brought and brought.sha:
        item = next(item for item in shown if item.sha == brought.sha)
        state.put(key, Picture(state.workspace().blob(item.sha).read_bytes(), item))
    elif brought:
        state.put(key, Picture(brought.data))
    if st.toggle(_("Use the camera"), key=f"{key}.camera"):
        shot = st.camera_input(_("Take a picture"), key=f"{key}.shot", label_visibility="collapsed")
        if shot and shot.file_id != state.get(f"{key}.shot_seen"):
            state.put(f"{key}.shot_seen", shot.file_id)
            state.put(key, Picture(shot.getvalue()))
    return state.get(key)


def _ask(run: RunSpec, report: Report, picture: Picture) -> None:
    try:
        said = client().predict(tried(run), [picture.data])
    except UserError as error:
        show_error(error)
        return
    st.image(check_and_thumbnail(picture.data).thumb_jpeg, width=260)  # as the model saw it: upright, of any format
    answer(report, said.probabilities[0], picture.sample)
