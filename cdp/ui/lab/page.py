"""The Attack lab: controls on the left; budget, verdicts, pictures, figures on the right."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from cdp.config.lab import REACH, budgets, rounded
from cdp.data.registry import load_split
from cdp.errors import CdpError
from cdp.tasks.lab import subject_of
from cdp.ui.kit.ask import ask
from cdp.ui.kit.choices import ClassifierChoice, read_choices
from cdp.ui.kit.frame import link, nothing_yet, warned
from cdp.ui.kit.widgets import bound
from cdp.ui.kit.words import plain, sentence_of
from cdp.ui.lab.form import FORM, Lab, draw_form, settle_models, settle_values
from cdp.ui.lab.result import Question, answered, draw
from cdp.values.text import NORMS
from cdp.values.types import Split


def lab_page() -> None:
    """Everything below the title."""
    settings, choices = FORM.open(), read_choices()
    known = choices.attackable
    models = settle_models(settings, known, choices.classifiers)
    split, wrong = _split(settings.flat["dataset"])
    budget, called = settings.budget(split.info, models) if split else (0.0, "")
    if split:
        settle_values(settings, split, rounded(REACH * budget))
    warned(settings.notes)
    left, right = st.columns([4, 11], gap="large")
    with left:
        draw_form(settings, known, models, split)
    with right:
        if wrong:
            st.error(plain(wrong))
        elif split is None or not models:
            text = "The lab attacks classifiers on test images. Train one, or import images first."
            with nothing_yet("Nothing to attack yet", text):
                link("train", "Train a robust classifier")
                link("data", "Bring your own data")
        else:
            with st.container(key="live"):
                _results(settings, models, split, budget, called)
    FORM.close(settings)


def _split(dataset: str) -> tuple[Split | None, str]:
    """The test images, or why there are none."""
    try:
        result = load_split(dataset, "test")
    except (CdpError, OSError) as error:
        return None, sentence_of(error)
    if not len(result):
        return None, f"{dataset} has no test images: import some, or choose another data set."
    return result, ""


def _results(
    settings: Lab, models: Mapping[str, ClassifierChoice], split: Split, budget: float, called: str
) -> None:
    """Budget, then everything that follows from it."""
    if settings.uploading and not settings.flat["image"]:
        text = "Upload a PNG on the left. The models see it as they see their own test images."
        nothing_yet("No image yet", text)
        ask("ready_now", {})
        return
    _budget(settings, rounded(REACH * budget))
    try:
        names = [name for name in (settings.flat["model"], settings.second) if name]
        configs = [settings.attack_on(name, budget) for name in names]
        questions = [Question(models[c.model].title, c, subject_of(c)) for c in configs]
        answered(questions)
    except (CdpError, OSError) as error:
        st.error(plain(sentence_of(error)))
        return
    draw(settings, questions, split.info, budget, called)


def _budget(settings: Lab, largest: float) -> None:
    """The slider, over the full width: three hundred steps want the room."""
    field, value = FORM.fields["epsilon"], settings.flat["epsilon"]
    start = settings.start["epsilon"]
    # The same options as long as the control is the same one.
    options = {*budgets(largest), *([start] if start is not None and start <= largest else [])}
    value = rounded(largest / REACH) if value is None else value
    shown = min(options, key=lambda option: abs(option - value))
    st.select_slider(
        f"{field.label} ({NORMS[settings.flat['norm']]}, {field.unit})",
        sorted(options),
        shown,
        format_func=lambda v: f"{v:.4g}",
        help=field.tooltip,
        **bound(field, settings, shown=shown),
    )
