"""From theory to images: a sample set in an encoder's eyes, in the terms of the model, on the
model's map."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import streamlit as st

from cdp.config.fields import fields_of, quoted
from cdp.config.theory import MOST_APART, MOST_DIMS, TheoryConfig
from cdp.config.titles import TITLES
from cdp.tasks.theory import Place, caveats, place_of, place_rows
from cdp.ui.kit.ask import Waiting, take_back
from cdp.ui.kit.choices import Choices, read_choices
from cdp.ui.kit.words import plain
from cdp.ui.theory.form import Theory
from cdp.ui.theory.views import draw_chart, of, show_numbers
from cdp.values.types import Interval

if TYPE_CHECKING:
    from cdp.figures.theory_map import Placed

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
    wanted = settings.encoder
    if wanted and wanted not in choices.eyes([set_of(settings, choices)]):
        settings.encoder = ""
        settings.notes.append(
            f"encoder: {quoted(wanted)} is not here for this set, so"
            f" {encoder_of(settings, choices)} is used."
        )


def set_of(settings: Theory, choices: Choices) -> str:
    """The set that is shown, "" where there is none."""
    return settings.chosen or next(iter(choices.first_explored), "")


def encoder_of(settings: Theory, choices: Choices) -> str:
    """The encoder that sees it: the judge where there is one."""
    return settings.encoder or choices.eyes([set_of(settings, choices)])[0]


def images(settings: Theory, config: TheoryConfig) -> None:
    """Choose a set and an encoder; its figures, its place on the map, and what the model leaves
    out. Raises InputError or MissingError."""
    choices = read_choices()
    if not choices.explorable:
        _empty()
        return
    _choose(settings, choices)
    name, encoder = set_of(settings, choices), encoder_of(settings, choices)
    place = place_of(name, encoder=encoder).known()
    if place is None:
        pending = Waiting()
        question = {"name": name, "encoder": encoder}
        errand = pending.ask(f"Measuring {name}", "theory_place", question, what=encoder)
        take_back("theory", [errand])
        pending.show("theory_images_wait")
        st.skeleton(height=420)
        return
    take_back("theory", [])
    _figures(place)
    _map(config, place)
    _match(settings, place)
    st.markdown("\n".join(f"- {plain(line)}" for line in caveats(place, encoder)))
    show_numbers("images", "the images", lambda: place_rows(place))


def _empty() -> None:
    with st.container(border=True, key="empty"):
        st.markdown("**No images here**")
        st.markdown(
            "Generate a sample set, or bring a data set of your own: then it can be put on the map."
        )
        st.page_link("pages/generate.py", label="Generate images", icon=":material/arrow_forward:")


def _choose(settings: Theory, choices: Choices) -> None:
    def put(name: str, key: str) -> Callable[[], None]:
        def chosen() -> None:
            setattr(settings, name, st.session_state[key])
            settings.notes = []
            if name == "chosen" and settings.encoder not in choices.eyes([settings.chosen]):
                settings.encoder = ""

        return chosen

    name = set_of(settings, choices)
    encoders = choices.eyes([name])
    key = (
        f"theory_set_{settings.turn}",
        f"theory_encoder_{settings.turn}_{choices.explorable[name]}",
    )
    left, right = st.columns(2, gap="small")
    left.selectbox(
        "Sample set",
        list(choices.explorable),
        list(choices.explorable).index(name),
        key=key[0],
        on_change=put("chosen", key[0]),
        format_func=lambda item: item if item in choices.sets else f"{item} (real)",
        help="A saved set, or a real split.",
    )
    right.selectbox(
        "Encoder",
        encoders,
        encoders.index(encoder_of(settings, choices)),
        key=key[1],
        on_change=put("encoder", key[1]),
        format_func=lambda item: choices.titles.get(item, item),
        help="In whose features separation and angle are measured. The judge never guides.",
    )


def _figures(place: Place) -> None:
    figures = place.figures
    ratio = (
        ("Separation |m|/s", figures.separation)
        if figures.ratio is None
        else (
            "Separation c",
            figures.ratio,
        )
    )
    values = (
        (*ratio, ""),
        ("Angle to the real class means", figures.angle, "°"),
        ("Effective dimension", figures.dimension, ""),
    )
    for column, (title, value, unit) in zip(st.columns(3), values, strict=True):
        if value is not None:
            bounds = f"{value.low:.3g} to {value.high:.3g}{unit}"
            column.metric(title, f"{value.value:.3g}{unit}", bounds, "off", delta_arrow="off")


def _map(config: TheoryConfig, place: Place) -> None:
    """The map of the settings on the left, with the set on it."""
    from cdp.figures.theory_map import accuracy_map
    from cdp.theory.model import degrees_between, optimum, problem_of

    ratio, angle, problem = place.figures.ratio, place.figures.angle, problem_of(config)
    if ratio is None or angle is None:
        st.info(plain(f"{place.name} has no place on the map: {place.unplaced}."))
        return
    spot = spotted(place.name, ratio, angle, degrees_between(problem.mu, optimum(problem)))
    cells = of("map", config, separation=max(ratio.value, LEAST), angle=spot.angle.value)
    title, note = finding(place), TITLES[config.learner]
    draw_chart("images", accuracy_map(cells, title=title, note=note, placed=spot))


def spotted(name: str, ratio: Interval, angle: Interval, off: float) -> Placed:
    """Where a set lies on the map. off: degrees between mu and the optimum. The set's angle is
    known to mu only: the whiskers cover every way in which it can add to ``off``, and the mark is
    where a turn at right angles to it leads."""
    from cdp.figures.theory_map import Placed

    nearest = (
        0.0 if angle.low <= off <= angle.high else min(abs(off - angle.low), abs(off - angle.high))
    )
    # The sum of both, or what is left of a full turn; no two directions are more than 180 degrees
    # apart.
    farthest = (
        180.0
        if angle.low <= 180 - off <= angle.high
        else max(min(off + end, 360 - off - end) for end in (angle.low, angle.high))
    )
    middle = math.degrees(
        math.acos(
            max(-1.0, min(1.0, math.cos(math.radians(off)) * math.cos(math.radians(angle.value))))
        )
    )
    c = Interval(
        max(ratio.value, LEAST), max(ratio.low, LEAST), max(ratio.high, LEAST), ratio.n, ratio.level
    )
    return Placed(
        name, c, Interval(middle, min(nearest, middle), max(farthest, middle), angle.n, angle.level)
    )


def finding(place: Place) -> str:
    """The title of the map: how separable the set is, and where its class means point."""
    ratio, angle = place.figures.ratio, place.figures.angle
    assert ratio is not None and angle is not None  # only such sets are on the map
    if ratio.value <= LEAST:
        return f"The classes of {place.name} cannot be told apart in these features"
    same = ratio.low <= 1 <= ratio.high
    than = (
        "as separable as real images"
        if same
        else f"{'more' if ratio.value > 1 else 'less'} separable than real images"
    )
    return (
        f"{place.name} is {than}, c = {ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f}), its"
        f" class means {angle.value:.0f}° from theirs"
    )


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

    known = fields_of(TheoryConfig)
    low, high = known["size"].low, known["size"].high
    dim = min(max(2, round(dimension)), MOST_DIMS)
    size = float(f"{separation * sigma:.3g}")
    return {
        "size": min(max(size, low or size), high or size, MOST_APART * sigma),
        "dim": dim,
        "nonzero": dim,
    }
