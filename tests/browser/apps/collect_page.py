"""Collecting label by label, and whether the import was begun."""
import streamlit as st

from pages.ui import importer
from pages.ui.collector import collector

st.set_page_config(page_title="Scratch", layout="wide")
st.button("rerun", key="rerun")
if importer.busy():
    st.write("The import has begun.")
elif st.toggle("shown", value=True, key="shown"):
    collector("start")
