"""The live curves alone, with the routes they need."""
import streamlit as st

from pages.routes import live, media

app = st.App("live_curves_page.py", routes=[*media.ROUTES, *live.ROUTES])
