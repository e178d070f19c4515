"""Train robust classifiers in the background and watch them: settings on the left, runs, curves and
examples on the right."""

import streamlit as st

from cdp.ui.kit.choices import read_choices
from cdp.ui.kit.frame import framed, warned
from cdp.ui.kit.settings import offer_paths
from cdp.ui.train.form import FORM, dataset_of, elsewhere, form, settle
from cdp.ui.train.page import action, results
from cdp.ui.train.runs import RUNS

framed()
choices, runs = read_choices(), RUNS.now()
st.title("Train", anchor=False)
settings = FORM.open()
info, wrong = dataset_of(settings, choices)
settle(settings, choices, info, [run.id for run in runs])
warned(settings.notes)
offer_paths(settings)
left, right = st.columns([4, 11], gap="large")
with left:
    form(settings, choices, info, wrong)
    elsewhere(settings)
with right:
    with st.container():
        action(settings, info, runs)
    with st.container():
        results(settings, runs, choices)
FORM.close(settings)
