"""The three presets as cards: what each does and what it costs here."""
from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.data.versions import Version
from core.models.catalog import ModelRow
from core.models.rows import Adapter
from core.specs import PresetKey
from core.training.presets import preset_config, preset_plan, presets_for
from pages.ui import predictions, state
from pages.ui.i18n import _
from pages.ui.recipe import preset_text
from pages.ui.state import Draft
from pages.ui.text import duration


def cards(row: ModelRow, draft: Draft, version: Version, most_per_label: int) -> None:
    """`most_per_label`: training items of the commonest label."""
    keys = presets_for(row, most_per_label)
    grid = st.grid(len(keys), min_column_width=210)
    for key in keys:
        chosen = draft.preset == key
        with grid.container(border=True, height="stretch", key=f"card-{'chosen' if chosen else 'open'}-{key}"):
            cost = predictions.expected(row, preset_plan(row, key), preset_config(row, key), version)
            st.markdown(f"**{preset_text(key)}**  :gray-badge[:material/timer: {duration(cost.total)}]")
            st.caption(WHAT[row.adapter]()[key])
            if chosen:
                st.markdown(f":violet[:material/check_circle: **{_('chosen')}**]")
            elif st.button(_("Choose"), key=f"train.preset.{key}"):
                state.choose_preset(key)
                st.rerun()
    if draft.preset == "custom":
        st.caption(_("You changed the settings or the freeze map. Choosing a preset undoes those changes."))


def _pictures() -> dict[PresetKey, str]:
    return {
        "instant": _("Learns only your labels. The network itself stays as it is, so it is quick and hard to get wrong."),
        "balanced": _("Learns your labels, then adapts the last stage with small steps. Often better when your pictures are unlike everyday photos."),
        "thorough": _("Everything may change, and each picture is shown turned, shifted and recoloured. Best with many pictures; slow without a GPU."),
        "few": _("Compares your examples in pairs before it learns the labels. For up to 64 of each label; often the best there."),
    }


def _transformers() -> dict[PresetKey, str]:
    return {
        "instant": _("Learns only your labels. The network itself stays as it is, so it is quick and hard to get wrong."),
        "balanced": _("Learns your labels, then adapts the last layers with small steps. Often better when your texts are unlike everyday ones."),
        "thorough": _("Everything may change, with small steps. Usually the best score from some hundred texts on; slow without a GPU."),
        "few": _("Compares your examples in pairs before it learns the labels. For up to 64 of each label; often the best there."),
    }


def _words() -> dict[PresetKey, str]:
    return {
        "instant": _("Learns your labels and your spelling. What the words mean stays as it is, so it is quick and hard to get wrong."),
        "balanced": _("Learns your labels, then lets the words drift a little towards what they mean in your texts."),
        "thorough": _("Words may come to mean something new. Worth it with thousands of texts."),
    }


WHAT: dict[Adapter, Callable[[], dict[PresetKey, str]]] = {"torchvision": _pictures, "transformers": _transformers, "words": _words,
                                                            "vision": _pictures}
"""By the kind of network: what each preset does, in a sentence."""
