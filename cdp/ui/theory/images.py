"""From theory to images: a sample set in an encoder's eyes, in the terms of the model, on the
model's map."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import streamlit as st

from cdp.config.fields import quoted
from cdp.config.theory import MOST_APART, MOST_DIMS, TheoryConfig
from cdp.config.titles import TITLES
from cdp.tasks.theory_images import Place
from cdp.tasks.theory_words import caveats, place_rows, unplaced
from cdp.ui.kit.ask import ask, waiting
from cdp.ui.kit.choices import Choices, read_choices
from cdp.ui.kit.words import plain
from cdp.ui.theory import data
from cdp.ui.theory.parts import chart, numbers
from cdp.ui.theory.state import Theory
from cdp.values.types import Interval

if TYPE_CHECKING:
    from cdp.figures.theory_map import Placed

LEAST = 0.05
"""The smallest separation that has a place on the map's log axis."""


def settle(held: Theory) -> Choices:
    """What is here; a set or encoder that an address names and that is not here is said, and the
    page's own choice taken."""
    choices = read_choices()
    held.chosen = choices.aliases.get(held.chosen, held.chosen)
    if held.chosen and held.chosen not in choices.explorable:
        held.notes.append(
            f"set: {quoted(held.chosen)} is not here: saved sets and real splits are in the list."
        )
        held.chosen = ""
    wanted = held.encoder
    if wanted and wanted not in choices.eyes([set_of(held, choices)]):
        held.encoder = ""
        held.notes.append(
            f"encoder: {quoted(wanted)} is not here for this set, so {encoder_of(held, choices)} is"
            " used."
        )
    return choices


def set_of(held: Theory, choices: Choices) -> str:
    """The set that is shown, "" where there is none."""
    return held.chosen or next(iter(choices.first_explored), "")


def encoder_of(held: Theory, choices: Choices) -> str:
    """The encoder that sees it: the judge where there is one."""
    return held.encoder or choices.eyes([set_of(held, choices)])[0]


def images(held: Theory, config: TheoryConfig, choices: Choices) -> None:
    """Choose a set and an encoder; its figures, its place on the map, and what the model leaves
    out. Raises InputError or MissingError."""
    if not choices.explorable:
        _empty()
        return
    _choose(held, choices)
    name, encoder = set_of(held, choices), encoder_of(held, choices)
    found = data.place(name, encoder)
    if found is None:
        errand = ask(
            "theory_place",
            {"name": name, "encoder": encoder},
            title=f"Measuring {name}",
            what=encoder,
        )
        data.take_back([errand])
        waiting([errand], key="theory_images_wait")
        st.skeleton(height=420)
        return
    data.take_back([])
    _figures(found)
    _map(config, found)
    _match(held, found)
    st.markdown("\n".join(f"- {plain(one)}" for one in caveats(found, encoder)))
    numbers("images", "the images", lambda: place_rows(found))


def _empty() -> None:
    with st.container(border=True, key="empty"):
        st.markdown("**No images here**")
        st.markdown(
            "Generate a sample set, or bring a data set of your own: then it can be put on the map."
        )
        st.page_link("pages/generate.py", label="Generate images", icon=":material/arrow_forward:")


def _choose(held: Theory, choices: Choices) -> None:
    def put(name: str, key: str) -> Callable[[], None]:
        def chosen() -> None:
            setattr(held, name, st.session_state[key])
            held.notes = []
            if name == "chosen" and held.encoder not in choices.eyes([held.chosen]):
                held.encoder = ""

        return chosen

    name = set_of(held, choices)
    encoders = choices.eyes([name])
    key = f"theory_set_{held.turn}", f"theory_encoder_{held.turn}_{choices.explorable[name]}"
    left, right = st.columns(2, gap="small")
    left.selectbox(
        "Sample set",
        list(choices.explorable),
        list(choices.explorable).index(name),
        key=key[0],
        on_change=put("chosen", key[0]),
        format_func=lambda one: one if one in choices.sets else f"{one} (real)",
        help="A saved set, or a real split.",
    )
    right.selectbox(
        "Encoder",
        encoders,
        encoders.index(encoder_of(held, choices)),
        key=key[1],
        on_change=put("encoder", key[1]),
        format_func=lambda one: choices.titles.get(one, one),
        help="In whose features separation and angle are measured. The judge never guides.",
    )


def _figures(found: Place) -> None:
    figures = found.figures
    apart = (
        ("Separation |m|/s", figures.separation, "")
        if figures.ratio is None
        else ("Separation c", figures.ratio, "")
    )
    told = [
        apart,
        ("Angle to the real class means", figures.angle, "°"),
        ("Effective dimension", figures.dimension, ""),
    ]
    st.html(
        "<div style='display:flex;flex-wrap:wrap;gap:0.4rem"
        f" 2.5rem'>{''.join(_figure(*one) for one in told)}</div>"
    )


def _figure(title: str, one: Interval | None, unit: str) -> str:
    """A title over a number and its interval; nothing where there is no number."""
    if one is None:
        return ""
    return (
        f"<div><div style='font-size:0.85rem;opacity:0.75'>{title}</div><span"
        f" style='font-size:1.5rem'>{one.value:.3g}{unit}</span> <span"
        f" style='font-size:0.85rem;opacity:0.75'>{one.low:.3g} to"
        f" {one.high:.3g}{unit}</span></div>"
    )


def _map(config: TheoryConfig, found: Place) -> None:
    """The map of the settings on the left, with the set on it."""
    from cdp.figures.theory_map import accuracy_map

    figures = found.figures
    if why := unplaced(found):
        st.info(plain(f"{found.name} has no place on the map: {why}."))
        return
    assert figures.ratio is not None and figures.angle is not None  # else there is a reason
    off = data.mu_to_optimum(config)
    spot = spotted(found.name, figures.ratio, figures.angle, off)
    surface = data.heat_map(
        config.model_copy(
            update={"separation": max(figures.ratio.value, LEAST), "angle": spot.angle.value}
        )
    )
    chart(
        config,
        "images",
        lambda: accuracy_map(
            surface, title=finding(found), note=TITLES[config.learner], placed=[spot], here=False
        ),
        stage=repr(found),
    )


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


def finding(found: Place) -> str:
    """The title of the map: how separable the set is, and where its class means point."""
    ratio, angle = found.figures.ratio, found.figures.angle
    assert ratio is not None and angle is not None  # only such sets are on the map
    if ratio.value <= LEAST:
        return f"The classes of {found.name} cannot be told apart in these features"
    same = ratio.low <= 1 <= ratio.high
    than = (
        "as separable as real images"
        if same
        else f"{'more' if ratio.value > 1 else 'less'} separable than real images"
    )
    return (
        f"{found.name} is {than}, c = {ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f}), its"
        f" class means {angle.value:.0f}° from theirs"
    )


def _match(held: Theory, found: Place) -> None:
    """Take the real images' separation and the effective dimension over to the knobs."""
    real = found.figures.real
    if real is None:
        return
    values = matched(real.value, found.figures.dimension.value, held.flat["sigma"])
    done = all(held.flat[name] == value for name, value in values.items())
    st.button(
        "Set the model to these images",
        key="theory_match",
        disabled=done,
        on_click=held.replace,
        args=(values,),
        help=(
            f"|mu|/sigma becomes {real.value:.3g}, that of the real images, and the dimension"
            f" {values['dim']}, the effective one."
        ),
    )


def matched(separation: float, dimension: float, sigma: float) -> dict[str, Any]:
    """Knobs of a model that is as separable and of as many dimensions, within their ranges."""
    from cdp.config.fields import fields_of

    known = fields_of(TheoryConfig)
    low, high = known["size"].low, known["size"].high
    dim = min(max(2, round(dimension)), MOST_DIMS)
    size = float(f"{separation * sigma:.3g}")
    return {
        "size": min(max(size, low or size), high or size, MOST_APART * sigma),
        "dim": dim,
        "nonzero": dim,
    }
