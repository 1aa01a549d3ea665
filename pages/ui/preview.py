"""Eight of the user's own pictures as training will show them."""
from __future__ import annotations

import streamlit as st

from core.jobs.predictor_client import client
from core.models.catalog import find
from core.preprocess import of_input
from core.specs import Augmentation, DataSpec
from pages.ui import state
from pages.ui.i18n import _

SHOWN = 8


def augmented(data: DataSpec, model: str, augmentation: Augmentation) -> None:
    st.caption(_("Your pictures as training will show them, different in every epoch:"))
    with st.spinner(_("Drawing …"), show_time=False):
        pictures = _pictures(data, model, augmentation)
    cells = st.grid(SHOWN, min_column_width=90)
    for picture in pictures:
        cells.image(picture)


@st.cache_data(max_entries=64, show_spinner=False)
def _pictures(data: DataSpec, model: str, augmentation: Augmentation) -> list[bytes]:
    ws = state.workspace()
    items = sorted(state.read_version(data).split("train"), key=lambda item: item.sha)[:SHOWN]
    return client().preview([ws.blob(item.sha) for item in items], of_input(find(model).input), augmentation)
