"""See and measure how distinguishable sample sets are: controls on the left, map and figures on the
right."""

import streamlit as st

from cdp.ui.explore.page import explore_page
from cdp.ui.kit.frame import framed

framed()
st.title("Explore", anchor=False)
explore_page()
