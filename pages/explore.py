"""See and measure how distinguishable sample sets are: controls on the left, map and figures on the
right."""

import streamlit as st

from cdp.ui.explore.form import form
from cdp.ui.explore.page import empty, unlabelled, view
from cdp.ui.explore.state import explored, write_url
from cdp.ui.kit.choices import read_choices
from cdp.ui.kit.frame import framed, warned

framed()
choices = read_choices()
st.title("Explore", anchor=False)
held = explored(choices)
warned(held.notes)
left, right = st.columns([4, 11], gap="large")
with left:
    form(held, choices)
with right:
    if held.drawn is None:
        empty(choices)
    else:
        unlabelled(held.drawn, choices)
        view(held, held.drawn)
write_url(held)
