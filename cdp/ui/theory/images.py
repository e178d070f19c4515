"""From theory to images: a sample set in an encoder's eyes, in the terms of the model, on the
model's map."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from cdp.config.fields import fields_of, quoted
from cdp.config.theory import MOST_APART, MOST_DIMS, TheoryConfig
from cdp.statistics.verdicts import FEW, LEAST_A_CLASS
from cdp.tasks.theory import Place, caveats, place_of, place_rows
from cdp.ui.components.chart import chart
from cdp.ui.kit.ask import Waiting, take_back
from cdp.ui.kit.choices import Choices, read_choices
from cdp.ui.kit.tables import numbers
from cdp.ui.kit.widgets import reported
from cdp.ui.kit.words import plain
from cdp.ui.theory.form import Theory
from cdp.ui.theory.page import map_figure
from cdp.values.types import Interval

if TYPE_CHECKING:
    from cdp.figures.theory import Placed

LEAST = 0.05
"""The smallest separation that has a place on the map's log axis."""


def settle(settings: Theory) -> None:
    """A set or encoder that an address names and that is not here is said, and the page's own
    choice taken."""
    choices = read_choices()
    settings.chosen = choices.aliases.get(settings.chosen, settings.chosen)
    if settings.chosen and settings.chosen not in choices.explorable:
        settings.notes.append(
            f"set: {quoted(settings.chosen)} is not here: saved sets and real splits are in the"
            " list."
        )
        settings.chosen = ""
    wanted, eyes = settings.encoder, choices.eyes([set_of(settings, choices)])
    if wanted and wanted not in eyes:
        settings.notes.append(
            f"encoder: {quoted(wanted)} is not here for this set, so {eyes[0]} is used."
        )
        settings.encoder = ""


def set_of(settings: Theory, choices: Choices) -> str:
    """The set that is shown, "" where there is none."""
    return settings.chosen or next(iter(choices.first_explored), "")


def images(settings: Theory, config: TheoryConfig) -> None:
    """Choose a set and an encoder; its figures, its place on the map, and what the model leaves
    out. Raises InputError or MissingError."""
    choices = read_choices()
    if not choices.explorable:
        with st.container(border=True, key="empty"):
            st.markdown(
                "**No images here**\n\nGenerate a sample set, or bring a data set of your own: then"
                " it can be put on the map."
            )
            icon = ":material/arrow_forward:"
            st.page_link("pages/generate.py", label="Generate images", icon=icon)
        return
    name, encoder = _choose(settings, choices)
    place, pending = place_of(name, encoder=encoder).known(), Waiting()
    if place is None:
        question = {"name": name, "encoder": encoder}
        pending.ask(f"Measuring {name}", "theory_place", question, what=encoder)
    take_back("theory", pending.errands)
    if place is None:
        pending.show("theory_images_wait")
        st.skeleton(height=420)
        return
    _figures(place)
    _map(config, place)
    _match(settings, place)
    st.markdown("\n".join(f"- {plain(line)}" for line in caveats(place, encoder)))
    rows = place_rows(place)
    numbers("the images", lambda: rows, "theory-images.csv", key="theory_numbers_images")


def _choose(settings: Theory, choices: Choices) -> tuple[str, str]:
    """The set and the encoder that sees it: the judge where there is one."""
    name = set_of(settings, choices)
    encoders, sets = choices.eyes([name]), list(choices.explorable)
    encoder = settings.encoder or encoders[0]

    def put(attribute: str, chosen: str) -> None:
        setattr(settings, attribute, chosen)
        settings.notes = []
        if attribute == "chosen" and settings.encoder not in choices.eyes([chosen]):
            settings.encoder = ""

    left, right = st.columns(2, gap="small")
    key = f"theory_set_{settings.turn}"
    left.selectbox(
        "Sample set",
        sets,
        sets.index(name),
        **reported(key, name, partial(put, "chosen")),
        format_func=lambda item: item if item in choices.sets else f"{item} (real)",
        help="A saved set, or a real split.",
    )
    key = f"theory_encoder_{settings.turn}_{choices.explorable[name]}"
    right.selectbox(
        "Encoder",
        encoders,
        encoders.index(encoder),
        **reported(key, encoder, partial(put, "encoder")),
        format_func=lambda item: choices.titles.get(item, item),
        help="In whose features separation and angle are measured. The judge never guides.",
    )
    return name, encoder


def _figures(place: Place) -> None:
    figures = place.figures
    absolute = ("Separation |m|/s", figures.separation, "")
    values = (
        absolute if figures.ratio is None else ("Separation c", figures.ratio, ""),
        ("Angle to the real class means", figures.angle, "°"),
        ("Effective dimension", figures.dimension, ""),
    )
    for column, (title, value, unit) in zip(st.columns(3), values, strict=True):
        if value is not None:
            bounds = f"{value.low:.3g} to {value.high:.3g}{unit}"
            column.metric(title, f"{value.value:.3g}{unit}", bounds, "off", delta_arrow="off")


def _map(config: TheoryConfig, place: Place) -> None:
    """The map of the settings on the left, with the set on it."""
    from cdp.theory.model import degrees_between, optimum, problem_of
    from cdp.theory.views import heat_map

    ratio, angle, problem = place.figures.ratio, place.figures.angle, problem_of(config)
    if ratio is None or angle is None:
        st.info(plain(f"{place.name} has no place on the map: {place.unplaced}."))
        return
    spot = spotted(place.name, ratio, angle, degrees_between(problem.mu, optimum(problem)))
    at = {"separation": spot.separation.value, "angle": spot.angle.value}
    config = config.model_copy(update=at)
    figure = map_figure(config, heat_map(config), finding(place), spot)
    chart(figure, key="theory_chart_images")


def spotted(name: str, ratio: Interval, angle: Interval, off: float) -> Placed:
    """Where a set lies on the map. off: degrees between mu and the optimum. The set's angle is
    known to mu only: the whiskers cover every way in which it can add to ``off``, and the mark is
    where a turn at right angles to it leads."""
    from cdp.figures.theory import Placed

    ends = np.linspace(angle.low, angle.high, 361)
    middle = float(np.rad2deg(np.arccos(np.cos(np.deg2rad(off)) * np.cos(np.deg2rad(angle.value)))))
    low = min(middle, 0.0 if angle.low <= off <= angle.high else float(np.abs(off - ends).min()))
    # The sum of both, or what is left of a full turn: no directions are over 180 degrees apart.
    opposite = angle.low <= 180 - off <= angle.high
    high = 180.0 if opposite else float(np.minimum(off + ends, 360 - off - ends).max())
    value, least, most = (max(part, LEAST) for part in (ratio.value, ratio.low, ratio.high))
    c = Interval(value, least, most, ratio.n)
    return Placed(name, c, Interval(middle, low, max(middle, high), angle.n))


def finding(place: Place) -> str:
    """The finding of the map: how separable the set is, by the rule of all pages on small sets. Its
    figures stand above."""
    ratio, angle = place.figures.ratio, place.figures.angle
    assert ratio is not None and angle is not None  # only such sets are on the map
    if ratio.n < LEAST_A_CLASS * len(place.class_names):
        return f"Nothing is claimed of {place.name}: {FEW}"
    if ratio.value <= LEAST:
        return f"The classes of {place.name} cannot be told apart in these features"
    word = "as separable as" if ratio.low <= 1 <= ratio.high else "more separable than"
    word = "less separable than" if ratio.high < 1 else word
    return f"{place.name} is {word} real images"


def _match(settings: Theory, place: Place) -> None:
    """Take the real images' separation and the effective dimension over to the knobs."""
    real = place.figures.real
    if real is None:
        return
    values = matched(real.value, place.figures.dimension.value, settings.flat["sigma"])
    done = all(settings.flat[name] == value for name, value in values.items())
    st.button(
        "Set the model to these images",
        key="theory_match",
        disabled=done,
        on_click=settings.replace,
        args=(values,),
        help=(
            f"|mu|/sigma becomes {real.value:.3g}, that of the real images, and the dimension"
            f" {values['dim']}, the effective one."
        ),
    )


def matched(separation: float, dimension: float, sigma: float) -> dict[str, Any]:
    """Knobs of a model that is as separable and of as many dimensions, within their ranges."""
    field, dim = fields_of(TheoryConfig)["size"], min(max(2, round(dimension)), MOST_DIMS)
    size = max(float(f"{separation * sigma:.3g}"), field.low or 0.0)
    most = min(field.high or size, MOST_APART * sigma)
    return {"size": min(size, most), "dim": dim, "nonzero": dim}
