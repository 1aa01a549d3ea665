"""The cards of the classes alone, with the routes they need."""
import streamlit as st

from pages.routes import upload

app = st.App("collect_page.py", routes=upload.ROUTES)
