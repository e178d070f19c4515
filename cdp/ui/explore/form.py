"""The settings of the Explore page, its left column, and what was drawn last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Self

import streamlit as st

from cdp.config.explore import PIXELS, ExploreConfig
from cdp.config.fields import flat_of, quoted, split
from cdp.errors import InputError
from cdp.results.cost import answers_cost
from cdp.ui.kit.address import Param, any_text, one_of
from cdp.ui.kit.choices import Choices
from cdp.ui.kit.form import Form, Group
from cdp.ui.kit.settings import Settings, to_link
from cdp.ui.kit.widgets import choice, several

VIEWS = ("Map", "Numbers", "Class pairs", "Keep a part")


@dataclass
class Explored(Settings[ExploreConfig]):
    """drawn: the config of the last "Show"; view: of ``VIEWS``; colour: by what the map is coloured,
    "" for the class; only: names of the classes that its filter leaves, () for all."""

    drawn: ExploreConfig | None = None
    view: str = VIEWS[0]
    colour: str = ""
    only: tuple[str, ...] = ()

    def show(self) -> None:
        """Draw what the controls say; where they do not fit together, what is drawn stays."""
        self.drawn = self.config_or_none() or self.drawn

    def carry(self, before: Self) -> None:
        self.drawn = before.drawn


def _umap(flat: Mapping[str, object]) -> bool:
    return flat["method"] == "umap"


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(split(text)))[:MOST_NAMED]


MOST_NAMED = 200
"""Classes that an address names."""
_FOLDED = ("dataset", "dims", "neighbors", "min_dist", "metric", "fit", "seed")
FORM: Form[Explored] = Form(
    config=ExploreConfig,
    prefix="explore",
    state=Explored,
    params=(
        one_of("view", VIEWS, VIEWS[0]),
        any_text("colour"),
        Param("classes", (), _names, ",".join, attribute="only"),
    ),
    groups=(Group("", ("sets", "encoder", "method", "points", *_FOLDED)),),
    when=dict.fromkeys(("neighbors", "min_dist", "metric"), _umap),
    folded=_FOLDED,
    # Chosen by the page where nobody chose.
    defaults={"sets": []},
)


def explored(choices: Choices) -> Explored:
    """This session's settings; a link is drawn at once."""
    settings = FORM.open()
    if settings.fresh:
        settle(settings, choices)
        if "sets" in settings.address.params:
            settings.show()
    return settings


def settle(settings: Explored, choices: Choices) -> None:
    """Put right, and note, what a link says of sets, data sets and encoders that are not here."""
    flat, notes = settings.flat, settings.notes
    named = [choices.aliases.get(name, name) for name in flat["sets"]]
    gone = [name for name in named if name not in choices.explorable]
    if gone:
        missing = ", ".join(map(quoted, gone))
        notes.append(f"sets: {missing} not here: saved sets and real splits are in the list.")
    here = [name for name in dict.fromkeys(named) if name not in gone]
    flat["sets"] = here or list(choices.first_explored)
    if flat["dataset"] and flat["dataset"] not in choices.explorable.values():
        instead = "so the one on the set's card is used."
        notes.append(f"dataset: {quoted(flat['dataset'])} is not here, {instead}")
        flat["dataset"] = ""
    encoders = choices.eyes(flat["sets"], flat["dataset"])
    if flat["encoder"] not in encoders:
        if flat["encoder"] != settings.plain["encoder"]:
            instead = f"so {encoders[0]} is used."
            notes.append(f"encoder: {quoted(flat['encoder'])} is not here, {instead}")
        flat["encoder"] = encoders[0]
    settings.start = dict(flat)


def close(settings: Explored) -> None:
    """Bring the address in line with what is drawn."""
    if settings.drawn is not None:
        drawn = Explored(FORM, flat_of(settings.drawn), view=settings.view)
        drawn.colour, drawn.only = settings.colour, settings.only
        settings.address.write(to_link(drawn, always=("sets",)))


def draw_form(settings: Explored, choices: Choices) -> None:
    """Controls, and the one button that draws what they say."""
    own = {
        "sets": partial(_sets, settings, choices),
        "encoder": partial(_encoder, settings, choices),
        "dataset": partial(_dataset, settings, choices),
    }
    FORM.draw(settings, own)
    _button(settings)


def _sets(settings: Explored, choices: Choices) -> None:
    def title(name: str) -> str:
        saved = choices.sets.get(name)
        origin = "example" if name in choices.examples else "real"
        return f"{name} ({saved.count:,})" if saved else f"{name} ({origin})"

    hint = "one to four sets"
    several(FORM.fields["sets"], settings, list(choices.explorable), title=title, placeholder=hint)


def _encoder(settings: Explored, choices: Choices) -> None:
    encoders = choices.eyes(settings.flat["sets"], settings.flat["dataset"])
    if settings.flat["encoder"] not in encoders:
        settings.flat["encoder"] = encoders[0]
    choice(FORM.fields["encoder"], settings, encoders, titles=choices.titles)
    if settings.flat["encoder"] not in ("judge", PIXELS):
        st.caption("An encoder that guided these images flatters them; the judge never guides.")


def _dataset(settings: Explored, choices: Choices) -> None:
    known = dict.fromkeys(name for name in choices.explorable.values() if name)
    datasets = list(dict.fromkeys(["", *known, settings.flat["dataset"]]))
    choice(FORM.fields["dataset"], settings, datasets, titles={"": "as on the set's card"})


def _cost(config: ExploreConfig) -> str:
    """What a map takes, before which PCA and scores are there."""
    parts = [("embed", f"pca {config.encoder}", config.points)]
    if config.method == "umap":
        parts.append(("umap", f"umap {config.dims}", config.points))
    return answers_cost(parts).text.capitalize()


def _button(settings: Explored) -> None:
    try:
        config, wrong = settings.config(), ""
    except InputError as error:
        config, wrong = None, f"These settings do not fit together: {error}."
    drawn = config is not None and config == settings.drawn
    with st.container(key="action", horizontal=True, vertical_alignment="center"):
        off = config is None or drawn
        show = settings.show
        st.button("Show", type="primary", disabled=off, key="explore_show", on_click=show)
        if drawn:
            st.caption("Shown")
        elif config is not None and config.sets:
            changed = "The settings have changed since. " * (settings.drawn is not None)
            st.caption(f"{changed}{_cost(config)}")
    if not settings.flat["sets"]:
        wrong = "Choose at least one set."
    if wrong:
        st.error(wrong)
