"""The left column of the Explore page: which sets, in whose eyes, as which map."""

from __future__ import annotations

import streamlit as st

from cdp.config.explore import MOST_SETS, PIXELS, ExploreConfig
from cdp.config.fields import fields_of
from cdp.errors import InputError
from cdp.ui.explore.state import Explored
from cdp.ui.kit.choices import Choices
from cdp.ui.kit.widgets import bound, choice, number_of


def form(held: Explored, choices: Choices) -> None:
    """Controls, and the one button that draws what they say."""
    known = fields_of(ExploreConfig)
    with st.container(key="explore_form", gap="small"):
        st.multiselect(
            known["sets"].heading,
            list(choices.explorable),
            [name for name in held.flat["sets"] if name in choices.explorable],
            max_selections=MOST_SETS,
            format_func=lambda name: _named(name, choices),
            help=known["sets"].tooltip,
            placeholder="one to four sets",
            **bound(known["sets"], held),
        )
        encoders = choices.eyes(held.flat["sets"], held.flat["dataset"])
        if held.flat["encoder"] not in encoders:
            held.flat["encoder"] = encoders[0]
        choice(known["encoder"], held, encoders, titles=choices.titles)
        if held.flat["encoder"] not in ("judge", PIXELS):
            st.caption(
                "An encoder that may have guided these images flatters them; the judge never"
                " guides."
            )
        choice(known["method"], held, known["method"].choices, title=known["method"].title)
        number_of(known["points"], held)
        with st.expander("More settings"):
            datasets = ["", *dict.fromkeys(name for name in choices.explorable.values() if name)]
            if held.flat["dataset"] not in datasets:
                datasets.append(held.flat["dataset"])
            choice(known["dataset"], held, datasets, titles={"": "as on the set's card"})
            number_of(known["dims"], held)
            if held.flat["method"] == "umap":
                number_of(known["neighbors"], held)
                number_of(known["min_dist"], held)
                choice(known["metric"], held, known["metric"].choices)
            choice(known["fit"], held, known["fit"].choices, title=known["fit"].title)
            number_of(known["seed"], held)
    _button(held)


def _button(held: Explored) -> None:
    try:
        config, wrong = held.config(), ""
    except InputError as error:
        config, wrong = None, str(error)
    with st.container(key="action", horizontal=True, vertical_alignment="center"):
        drawn = config is not None and config == held.drawn
        st.button(
            "Show",
            type="primary",
            key="explore_show",
            disabled=config is None or drawn,
            on_click=held.show,
        )
        if drawn:
            st.caption("Shown")
        elif held.drawn is not None and config is not None:
            st.caption("The settings have changed since.")
    if not held.flat["sets"]:
        st.error("Choose at least one set.")
    elif wrong:
        st.error(f"These settings do not fit together: {wrong}.")


def _named(name: str, choices: Choices) -> str:
    count = choices.sets[name].count if name in choices.sets else 0
    return f"{name} ({count:,})" if count else f"{name} (real)"
