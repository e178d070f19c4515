"""The Explore page: controls on the left, the chosen view of what is drawn on the right."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from cdp.config.explore import ExploreConfig
from cdp.errors import CdpError
from cdp.ui.explore import keep, mapview, numbers
from cdp.ui.explore.form import VIEWS, Explored, close, draw_form, explored
from cdp.ui.kit.ask import ask
from cdp.ui.kit.choices import Choices, read_choices
from cdp.ui.kit.frame import link, nothing_yet, warned
from cdp.ui.kit.tables import views
from cdp.ui.kit.words import plain, sentence_of

_DRAW: dict[str, Callable[[ExploreConfig], None]] = dict(
    zip(VIEWS[1:], (numbers.show, numbers.show_pairs, keep.show), strict=True)
)


def explore_page() -> None:
    """Everything below the title."""
    choices = read_choices()
    settings = explored(choices)
    warned(settings.notes)
    left, right = st.columns([4, 11], gap="large")
    with left:
        draw_form(settings, choices)
    with right:
        if settings.drawn is None:
            empty(choices)
        else:
            with st.container(key="live"):
                unlabelled(settings.drawn, choices)
                view(settings, settings.drawn)
    close(settings)


def view(settings: Explored, config: ExploreConfig) -> None:
    """The view that is chosen; its errors are one sentence where its picture would be."""

    def put(name: str) -> None:
        settings.view = name

    key = f"explore_view_{settings.turn}"
    views("View", dict(zip(VIEWS, VIEWS, strict=True)), settings.view, put, key=key)
    try:
        if settings.view == VIEWS[0]:
            mapview.show(config, settings)
        else:
            _DRAW[settings.view](config)
    except (CdpError, OSError) as error:
        st.error(plain(sentence_of(error)))


def unlabelled(config: ExploreConfig, choices: Choices) -> None:
    """Which of the sets drawn have no labels, and the way to get some; nothing where all have."""
    for name in config.sets:
        if name in choices.sets and not choices.sets[name].labelling.classes:
            st.caption(plain(f"{name} has no labels, so it has no classes and no figures of them."))
            link("gallery", "Let a classifier label it", "label", set=name)


def empty(choices: Choices) -> None:
    """Before the first map; meanwhile the helper processes load what takes seconds."""
    text = (
        "Choose one to four sets and press Show for a map of their images, and figures of how well"
        " their classes are separated."
    )
    if not choices.sets:
        text = (
            "No set is saved yet. Press Show to look at real images, or generate some first, to"
            " compare guided with unguided ones."
        )
    with nothing_yet("Nothing shown yet", text):
        if not choices.sets:
            link("generate", "Generate images")
        st.caption("Figures are computed in the full feature space, never on the map.")
    ask("ready", {})
    ask("warm", {})
