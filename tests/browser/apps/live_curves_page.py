"""The curves of the run in the address: `?run=&status=&patience=&stubborn=`, and how often Python was told that it ended."""
import streamlit as st

from core.owners import LOCAL_OWNER
from core.workspace import Workspace
from pages.routes.live import live_url
from pages.ui.components.live_curves import live_curves
from pages.ui.i18n import _, language

st.set_page_config(page_title="Scratch", layout="wide")
query = st.query_params
st.session_state.setdefault("endings", 0)
status = "ended" if st.session_state["endings"] and "stubborn" not in query else query.get("status", "running")

st.button("rerun", key="rerun")
if st.toggle("ended", key="known"):
    status = "ended"
if st.toggle("shown", value=True, key="shown"):
    ended = live_curves(live_url(Workspace.open(), LOCAL_OWNER, query["run"], language()), key=f"live.{query['run']}",
                        state={"name": "flowers-3", "score": _("Accuracy"), "percent": True, "interval": "wilson", "status": status,
                               "patience": int(query.get("patience", 0))})
    if ended:
        st.session_state["endings"] += 1
        st.session_state["ended"] = ended
        st.rerun()
st.write(f"Python was told {st.session_state['endings']} times: {st.session_state.get('ended', 'nothing')}")
