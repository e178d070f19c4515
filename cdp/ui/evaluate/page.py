"""The Evaluate page: settings on the left; the button, the evaluations and one report on the
right."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st

from cdp.config.choices import SUITES
from cdp.config.evaluate import RUN, EvaluateConfig, automatic_name
from cdp.config.titles import TITLES
from cdp.data.limits import name_like
from cdp.errors import InputError
from cdp.results.cost import Pace
from cdp.ui.evaluate.form import (
    FORM,
    EvaluationPage,
    ModelFacts,
    Subject,
    draw_form,
    facts_of,
    models_on_offer,
    settle,
    shown_run,
    subject_of,
)
from cdp.ui.evaluate.runs import detail, list_of_evaluations
from cdp.ui.kit.choices import read_choices
from cdp.ui.kit.frame import link, nothing_yet, warned
from cdp.ui.kit.linked_paths import UNDECIDED
from cdp.ui.kit.runlist import act, not_ready, of_kind, said, same_settings, start_button
from cdp.ui.kit.settings import offer_paths
from cdp.ui.kit.words import plain, with_label
from cdp.values.text import threat_text
from cdp.values.types import DatasetInfo
from cdp.work import launch
from cdp.work.records import Run, list_runs
from cdp.work.registry import TASKS


def evaluate_page() -> None:
    """Everything below the title."""
    runs, choices = list_runs(), read_choices()
    trainings, evaluations = of_kind(runs, "train"), of_kind(runs, "evaluate")
    models = models_on_offer(trainings, choices)
    settings = FORM.open()
    settle(settings, models, evaluations, trainings)
    warned(settings.notes)
    offer_paths(settings)
    subject, pace = subject_of(settings, choices), Pace(evaluations)
    left, right = st.columns([4, 11], gap="large")
    with left:
        draw_form(settings, models, subject, choices, pace)
    with right:
        with st.container():
            _action(settings, subject, evaluations, pace)
        with st.container():
            _results(settings, evaluations, trained=bool(trainings))
    FORM.close(settings)


def _action(
    settings: EvaluationPage, subject: Subject, evaluations: Sequence[Run], pace: Pace
) -> None:
    """Evaluate, with what would be done and how long that takes; where the settings do not fit together, why."""
    facts, config, epsilon, wrong = subject.facts, None, 0.0, subject.misused
    try:
        config = settings.config()
        if facts is not None and not wrong:
            epsilon = facts.budget(config, subject.info)
    except InputError as error:
        wrong = with_label(str(error), EvaluateConfig)
    wrong = wrong or (UNDECIDED if settings.unread else "")
    cost = None
    if config is not None and facts is not None and not wrong:
        each = "Each " if settings.more else ""
        text = pace.cost("evaluate", config).text
        cost = partial(st.caption, plain(each + (text if each else text.capitalize())))
    models = 1 + len(settings.more)
    label = "Evaluate" if models == 1 else f"Evaluate {models} models"
    start_button(label, "evaluate_start", _start, settings, cost=cost)
    if config is not None and facts is not None and cost:
        st.caption(plain(_work(config, facts, subject.info, epsilon)))
    if wrong and facts is not None:
        not_ready(wrong, fit=config is not None)
    if config is not None:
        same_settings(evaluations, config)


def _start(settings: EvaluationPage) -> None:
    """Launch an evaluation of each model with these settings, and show the first."""
    task = TASKS["evaluate"]

    def launched() -> None:
        started = []
        for config in settings.configs():
            facts = facts_of(config.model, config.architecture)
            name = automatic_name(config, name_like(facts.name) or "model")
            started.append(launch.launch(task, config, launch.free_name(task, name)))
        settings.report = started[0]

    act(launched, failed="Not started")


def _work(
    config: EvaluateConfig, facts: ModelFacts, info: DatasetInfo | None, epsilon: float
) -> str:
    """What would be done, at most: an image that falls to one attack is spared the others."""
    images = "all" if config.images is None else f"at most {config.images:,}"
    whose = f"test images of {info.title if info else facts.dataset_title}"
    whose = f"images of set {config.part}" if config.part else whose
    attacks = f" x {count} attacks" if (count := SUITES[config.attack].count) > 1 else ""
    both = config.weights == "both" and config.model.startswith(RUN)
    twice = " x 2 sets of weights" if both else ""
    threat = threat_text(facts.norm_of(config.norm), epsilon)
    return f"{TITLES[config.attack]}, {threat}: {images} {whose}{attacks}{twice}"


def _results(settings: EvaluationPage, evaluations: Sequence[Run], *, trained: bool) -> None:
    """The evaluations and the one that is shown, or what will stand here."""
    if evaluations:
        with st.container(key="live"):
            with st.container():
                if (run := shown_run(settings, evaluations)) is not None:
                    detail(settings, run)
            list_of_evaluations(settings, evaluations)
        return
    said()
    place = nothing_yet(
        "No evaluation yet",
        "Press Evaluate: the model is attacked in the background. Its robust accuracy is the share"
        " of images that withstands every attack; it comes with an interval and with checks of"
        " whether the attacks can be trusted.",
        ":small[Quick gives an estimate within a few points; AutoAttack gives the number to cite.]",
    )
    if not trained:
        with place:
            st.markdown("No training is here yet, so the shipped robust encoder is chosen.")
            link("train", "Train a robust classifier")
