"""Guide the sampler and watch: controls on the left, both arms on the right."""

import streamlit as st

from cdp.ui.generate.page import generate_page
from cdp.ui.kit.frame import framed

framed()
st.title("Generate", anchor=False)
generate_page()
