"""The ASGI app: Streamlit's pages behind `pages/router.py`, and our own routes beside them."""
import streamlit as st

from pages.routes import ROUTES

app = st.App("pages/router.py", routes=ROUTES)
