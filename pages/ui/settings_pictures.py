"""The settings of a run that only pictures have: their size, and random changes while training."""
from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.errors import UserError
from core.models.catalog import ModelRow
from core.specs import Augmentation, DataSpec, FillKey, TrainConfig
from pages.ui import preview
from pages.ui.errors import show_error
from pages.ui.i18n import _


def batch_help() -> str:
    return _("How many pictures make one step.")


def size(given: TrainConfig, row: ModelRow, rev: str) -> TrainConfig:
    own = row.input
    least, most = (own.input_size, own.input_size) if own.fixed_size else (own.min_size, 1024)
    side = st.number_input(_("Input size (pixels)"), least, most, min(max(given.input_size or own.input_size, least), most), step=32,
                           disabled=own.fixed_size, key=f"train.size.{rev}.{row.key}", help=_("Larger shows finer detail and costs more time."))
    return replace(given, input_size=None if int(side) == own.input_size else int(side))


def more(given: TrainConfig, row: ModelRow, rev: str) -> TrainConfig:
    return replace(given, augmentation=_augmentation(given.augmentation, rev))


def after(edited: TrainConfig, row: ModelRow, data: DataSpec | None) -> None:
    """Some of the user's own pictures as training will show them."""
    if edited.augmentation.active and data:
        try:
            preview.augmented(data, row.key, edited.augmentation)
        except UserError as error:
            show_error(error)


def warn(config: TrainConfig, row: ModelRow, data: DataSpec) -> None:
    """Nothing of a picture is left out but its edges, and every model does that."""


def fill_names() -> dict[FillKey, str]:
    return {"reflect": _("a mirror image"), "edge": _("the edge colour"), "black": _("black"), "white": _("white")}


def _augmentation(given: Augmentation, rev: str) -> Augmentation:
    st.markdown(f"**{_('Augmentation')}**")
    st.caption(_("Shows each picture a little changed every time, so that the network learns what does not matter. "
                 "Where a part is frozen, it is computed for a few variants of each, which take turns."))
    grid = st.grid(4, min_column_width=190)
    one, two, three, four = grid.container(), grid.container(), grid.container(), grid.container()
    with one:
        flip = st.toggle(_("Mirror left and right"), given.flip, key=f"train.flip.{rev}")
        rotation = st.slider(_("Rotation (degrees)"), 0, 180, round(given.rotation_deg), key=f"train.rotation.{rev}")
    with two:
        shift = st.slider(_("Shift (%)"), 0, 50, round(given.shift * 100), key=f"train.shift.{rev}")
        shear = st.slider(_("Shear (degrees)"), 0, 45, round(given.shear_deg), key=f"train.shear.{rev}")
    with three:
        zoom = st.slider(_("Zoom (%)"), 0, 90, round(given.zoom * 100), key=f"train.zoom.{rev}")
        colour = st.slider(_("Colour and light (%)"), 0, 100, round(given.colour * 100), key=f"train.colour.{rev}")
    with four:
        fills = fill_names()
        fill = st.selectbox(_("Fill uncovered corners with"), list(fills), list(fills).index(given.fill), key=f"train.fill.{rev}",
                            format_func=fills.get)
    return Augmentation(flip, float(rotation), shift / 100, float(shear), zoom / 100, colour / 100, fill)
