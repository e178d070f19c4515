"""Attack one image by hand: what a budget does to it, what the network says, and what the smallest
budget is."""

import streamlit as st

from cdp.ui.kit.frame import framed
from cdp.ui.lab.page import lab_page

framed()
st.title("Attack lab", anchor=False)
lab_page()
