"""Why distinguishability helps, and how much: the Gaussian model's settings on the left, its views
on the right."""

import streamlit as st

from cdp.ui.kit.frame import framed
from cdp.ui.theory.page import theory_page

framed()
st.title("Theory", anchor=False)
st.caption(
    "Two Gaussian classes, a linear classifier, synthetic samples: a case in which the worth of"
    " distinguishable classes can be computed."
)
theory_page()
