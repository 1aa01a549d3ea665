"""The door of a shared app: whoever has not joined yet is shown the way to the form."""
from __future__ import annotations

import streamlit as st

from pages.ui.i18n import _


def join_page() -> None:
    st.title(_("Join this Graft"), anchor=False)
    st.write(_("Ask the person who runs it for the join code."))
    st.html(f'<a class="graft-download" href="graft/join" target="_self">{_("Join")}</a>')
