"""From a question to a verdict: three questions to choose from, and what an experiment has come
to."""

from cdp.ui.experiment.page import experiment_page
from cdp.ui.kit.frame import framed

framed()
experiment_page()
