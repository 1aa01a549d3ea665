"""Ways to bring a picture to the model, and its answer in words."""
from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from core.data.versions import Item, Version
from core.specs import RunSpec
from pages.ui import state
from pages.ui.components.picture_input import SamplePicture, picture_input
from pages.ui.i18n import _
from pages.ui.text import likelihood, md
from pages.ui.thumbs import thumbs_url

SAMPLES = 10
UNSURE = 0.5


@dataclass(frozen=True, slots=True)
class Picture:
    data: bytes
    truth: str = ""
    """The label it bears, where that is known."""


def choose(run: RunSpec, version: Version) -> Picture | None:
    """The picture being asked about; it stays until another one is brought."""
    url, samples = thumbs_url(run.data.dataset, run.data.version), _samples(version)
    key = f"try.{run.id}"
    brought = picture_input([SamplePicture(item.sha, url.format(sha=item.sha), version.labels[item.label]) for item in samples], key=f"{key}.input")
    if brought and brought.sha:
        item = next(item for item in samples if item.sha == brought.sha)
        state.put(key, Picture(state.workspace().blob(item.sha).read_bytes(), version.labels[item.label]))
    elif brought:
        state.put(key, Picture(brought.data))
    if st.toggle(_("Use the camera"), key=f"{key}.camera"):
        shot = st.camera_input(_("Take a picture"), key=f"{key}.shot", label_visibility="collapsed")
        if shot and shot.file_id != state.get(f"{key}.shot_seen"):
            state.put(f"{key}.shot_seen", shot.file_id)
            state.put(key, Picture(shot.getvalue()))
    return state.get(key)


def verdict(label: str, probability: float, truth: str) -> None:
    sure = probability >= UNSURE
    name, likely = md(label), likelihood(probability)
    guess = _("{label}? {p}", label=name, p=likely)
    st.markdown(f"### {name}  :gray[{likely}]" if sure else f"### {_('Not sure')}  :gray[{guess}]")
    if truth:
        right = truth == label
        st.markdown(f":green[:material/check: {_('Right: it is {label}.', label=md(truth))}]" if right
                    else f":red[:material/close: {_('Wrong: it is {label}.', label=md(truth))}]")


def _samples(version: Version) -> list[Item]:
    """A few test pictures of every label (without test pictures: of validation), always the same ones."""
    pool = version.split("test") or version.split("val")
    by_label = [sorted((item for item in pool if item.label == i), key=lambda item: item.sha) for i in range(len(version.labels))]
    mixed = [items[k] for k in range(SAMPLES) for items in by_label if k < len(items)]
    return mixed[:SAMPLES]
