"""See and measure how distinguishable sample sets are: controls on the left, map and figures on the right."""

import streamlit as st

from cdp.ui.explore import empty, view
from cdp.ui.explore_catalog import read_choices
from cdp.ui.explore_form import form
from cdp.ui.explore_state import explored, write_url
from cdp.ui.frame import framed
from cdp.ui.gallery_parts import plain

framed()
choices = read_choices()
st.title("Explore", anchor=False)
held = explored(choices)
for note in held.notes:
    st.warning(plain(note))
left, right = st.columns([4, 11], gap="large")
with left:
    form(held, choices)
with right:
    if held.drawn is None:
        empty(choices)
    else:
        view(held, held.drawn)
write_url(held)
