"""Robust accuracy that can be cited: what to evaluate on the left, running and finished evaluations
on the right."""

import streamlit as st

from cdp.ui.evaluate.page import evaluate_page
from cdp.ui.kit.frame import framed

framed()
st.title("Evaluate", anchor=False)
evaluate_page()
