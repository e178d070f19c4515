"""Runs side by side: the table of all of them, and what the chosen ones differ in, with
verdicts."""

import streamlit as st

from cdp.ui.compare.page import compare_page
from cdp.ui.kit.frame import framed

framed()
st.title("Compare", anchor=False)
compare_page()
