"""How wide the thin adapters are and how much they count; asked for only where some block has them."""
from __future__ import annotations

from dataclasses import replace

import streamlit as st

from pages.ui import state
from pages.ui.i18n import _

SOURCE = "https://arxiv.org/abs/2106.09685"


def adapters() -> None:
    """Two numbers of the draft, folded; the draft keeps what is edited."""
    draft = state.draft()
    given, rev = draft.actual_config(), state.rev("settings")
    with st.expander(_("More about the adapters"), icon=":material/tune:"):
        st.markdown(_("Beside each layer of such a block two narrow tables of numbers learn, A and B, while its own weights W rest. "
                      "It then computes with:") + "  `W + (alpha / rank) · B · A`")
        st.caption(_("After the training this is added up: the model that you take home is as large and as quick as without adapters. "
                     "Source: [Hu et al. 2021, LoRA]({url})", url=SOURCE))
        grid = st.grid(2, min_column_width=220)
        with grid.container():
            rank = st.number_input(_("Rank"), 1, 128, given.lora_rank, key=f"model.rank.{rev}",
                                   help=_("The width of A and B. Wider can learn more and costs more; 4 to 16 is usual."))
        with grid.container():
            alpha = st.number_input(_("Alpha"), 1, 1024, given.lora_alpha, key=f"model.alpha.{rev}",
                                    help=_("How much the adapters count. Twice the rank is usual."))
    edited = replace(given, lora_rank=int(rank), lora_alpha=int(alpha))
    if edited != given:
        state.update(config=replace(edited, preset="custom"), plan=draft.actual_plan(), preset="custom")
        st.rerun()
