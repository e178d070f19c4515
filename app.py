"""Page frame and navigation, nothing else. Start it with ``make app``."""

import streamlit as st

from cdp.ui import STYLE
from cdp.ui.kit.frame import usable_home

st.set_page_config(page_title="Contrastive-DP Studio", layout="wide", menu_items={})
st.html(STYLE)
chosen = st.navigation(
    [
        st.Page("pages/home.py", title="Home", default=True),
        st.Page("pages/experiment.py", title="Experiment"),
        st.Page("pages/generate.py", title="Generate"),
        st.Page("pages/gallery.py", title="Gallery"),
        st.Page("pages/explore.py", title="Explore"),
        st.Page("pages/train.py", title="Train"),
        st.Page("pages/evaluate.py", title="Evaluate"),
        st.Page("pages/compare.py", title="Compare"),
        st.Page("pages/lab.py", title="Attack lab"),
        st.Page("pages/theory.py", title="Theory"),
        st.Page("pages/data.py", title="Your data"),
    ],
    position="top",
)
usable_home()
jobs = st.container()  # in the same place of every page
jobs.empty()  # or the page would move down when the strip comes
try:
    chosen.run()
finally:
    # Here, as a fresh server has painted its first page before what this needs is imported.
    from cdp.ui.kit.jobs import strip

    with jobs:
        strip()
