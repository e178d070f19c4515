"""Train robust classifiers in the background and watch them: settings on the left, runs, curves and
examples on the right."""

import streamlit as st

from cdp.ui.kit.choices import read_choices
from cdp.ui.kit.frame import framed, warned
from cdp.ui.train.form import FORM, dataset_of, elsewhere, form, settle
from cdp.ui.train.page import action, results, runs_here

framed()
choices, runs = read_choices(), runs_here()
st.title("Train", anchor=False)
held = FORM.open()
info, wrong = dataset_of(held, choices)
settle(held, choices, info, [run.id for run in runs])
warned(held.notes)
left, right = st.columns([4, 11], gap="large")
with left:
    form(held, choices, info, wrong)
    elsewhere(held)
with right:
    with st.container():
        action(held, info, runs)
    with st.container():
        results(held, runs, choices)
FORM.close(held)
