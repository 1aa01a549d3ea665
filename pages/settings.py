"""Settings: your name, sharing with a class, how runs are carried out, what imports may bring, where things are kept."""
from __future__ import annotations

import html

import streamlit as st

from core import owners
from core.errors import UserError
from core.models.catalog import find, weights_folder
from core.shelf import LIMIT_BYTES, Shelf
from pages.routes.owner import local_link
from pages.ui import state
from pages.ui.errors import show_error
from pages.ui.i18n import _
from pages.ui.import_settings import import_settings
from pages.ui.run_settings import run_settings
from pages.ui.text import size

ws, who = state.workspace(), state.me()
st.title(_("Settings"), anchor=False)
st.subheader(_("Your name"), anchor=False)
known = owners.owners(ws).get(who, "")
name = st.text_input(_("Your name"), known, max_chars=owners.MAX_NAME, key="settings.name", label_visibility="collapsed", width=340,
                     placeholder=_("How others see you"))
if name != known:
    try:
        owners.rename(ws, who, name)
        st.toast(_("Saved."))
    except UserError as error:
        show_error(error)
if who == owners.LOCAL_OWNER:
    st.subheader(_("Share with a class"), anchor=False)
    if owners.sharing(ws):
        st.markdown(_("Others join with this code:"))
        st.code(owners.join_code(ws), language=None)
        st.caption(_("They see only their own data and runs; whoever is given the address of a run may watch it, but not change it. "
                     "Graft still listens to this machine only, until you start it with another address."))
        if st.button(_("Stop sharing"), key="settings.unshare"):
            owners.stop_sharing(ws)
            st.rerun()
    else:
        st.write(_("Right now, everyone who opens this app sees and changes your data and runs. "
                   "Once you start sharing, each person joins with a code and has their own."))
        # in this very tab: the link signs it in as the owner of what is here, at the moment in which others are asked for the code
        st.html(f'<a class="graft-link" href="{local_link(ws, share=True)}" target="_self">{html.escape(_("Start sharing"))}</a>')
    run_settings(ws)
    import_settings(ws)
st.subheader(_("Where things are kept"), anchor=False)
st.markdown("\n".join("- " + _("{name}: {what}", name=name, what=f"`{folder}`") for name, folder in (
    (_("Data and runs"), ws.root), (_("Downloaded models"), weights_folder(find("resnet18"))))))
st.caption(_("To keep them elsewhere, set GRAFT_HOME or TORCH_HOME before you start Graft. Nothing is sent to any other service."))
if who == owners.LOCAL_OWNER:
    shelf = Shelf(ws.activations)
    st.markdown(_("What was computed once, of pictures and of frozen parts, is kept so that the next run begins at once: {a} now, {b} at most; the oldest goes first.",
                  a=size(shelf.size()), b=size(LIMIT_BYTES)))
    if st.button(_("Clear it"), icon=":material/delete_sweep:", key="settings.clear", disabled=not shelf.size()):
        shelf.clear()
        st.toast(_("Cleared. What is needed again is computed again."))
        st.rerun()
