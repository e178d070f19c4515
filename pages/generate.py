"""Guide the sampler and watch: controls on the left, both arms on the right."""

import streamlit as st

from cdp.ui.generate.form import FORM, opened
from cdp.ui.generate.page import (
    action,
    background_runs,
    current_job,
    left_column,
    no_model,
    right_column,
)
from cdp.ui.kit.choices import read_choices
from cdp.ui.kit.frame import framed, warned

framed()
catalog = read_choices()
st.title("Generate", anchor=False)
if not catalog.models:
    no_model()
    st.stop()

settings = opened(catalog)
warned(settings.notes)
left, right = st.columns([4, 11], gap="large")
with left:
    left_column(settings, catalog)
with right:
    with st.container():
        action(settings)
    with st.container():
        right_column(current_job(), settings, catalog)
    background_runs()
FORM.close(settings)
