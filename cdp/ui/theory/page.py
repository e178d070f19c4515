"""The Theory page: the model's knobs on the left, one of its views on the right."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from cdp.config.theory import TheoryConfig
from cdp.errors import CdpError, InputError
from cdp.ui.components.chart import load_plotly
from cdp.ui.kit.choices import Choices
from cdp.ui.kit.frame import warned
from cdp.ui.kit.words import plain
from cdp.ui.theory.command import elsewhere, explained
from cdp.ui.theory.data import settled, simulate
from cdp.ui.theory.form import form
from cdp.ui.theory.state import IMAGES, VIEWS, Theory, theory, write_url
from cdp.work.failures import sentence


def theory_page() -> None:
    """Everything below the title."""
    held = theory()
    choices = _choices(held)
    warned(held.notes)
    left, right = st.columns([4, 11], gap="large")
    with left:
        form(held)
    config, wrong = _config(held)
    with right, st.container(key="live"):
        _chosen_view(held)
        later = _drawn(held, config, choices, wrong)
    with left:
        if config is not None:
            elsewhere(held, config)
    write_url(held)
    if later is not None:
        later()
        st.rerun()


def _config(held: Theory) -> tuple[TheoryConfig | None, str]:
    """The settings, or why they do not fit together."""
    try:
        return held.config(), ""
    except InputError as error:
        return None, str(error).removeprefix("settings: ")


def _chosen_view(held: Theory) -> None:
    key = f"theory_view_{held.turn}"

    def chosen() -> None:
        held.view = st.session_state[key]

    st.segmented_control(
        "View",
        list(VIEWS),
        default=held.view,
        required=True,
        key=key,
        on_change=chosen,
        format_func=VIEWS.__getitem__,
        label_visibility="collapsed",
    )


def _choices(held: Theory) -> Choices | None:
    """What can be put on the map, where the view asks for it."""
    if held.view != IMAGES:
        return None
    from cdp.ui.theory.images import settle

    return settle(held)


def _drawn(
    held: Theory, config: TheoryConfig | None, choices: Choices | None, wrong: str
) -> Callable[[], None] | None:
    """Draw the view; what is to be simulated once everything else is on the screen. Its errors
    stand where its picture would."""
    with st.container(key=f"theory_view_{held.view}_body"):
        if config is None:
            st.error(plain(f"These settings do not fit together: {wrong}."))
            return None
        load_plotly()
        shown = settled(config, held.view)
        try:
            if choices is not None:
                from cdp.ui.theory.images import images

                images(held, shown, choices)
                return None
            from cdp.ui.theory.views import DRAW

            later = DRAW[held.view](shown)
        except (CdpError, OSError) as error:
            st.info(plain(f"{sentence(error)[:1].upper()}{sentence(error)[1:]}."))
            return None
        finally:
            explained()
    return None if later is None else lambda: simulate(shown, later)
