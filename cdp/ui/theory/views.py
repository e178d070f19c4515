"""The views of the model: each draws its chart and numbers, and says what is still to be
simulated."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import streamlit as st

from cdp.config.theory import TheoryConfig
from cdp.config.titles import TITLES
from cdp.ui.kit.ask import waiting
from cdp.ui.theory import data
from cdp.ui.theory.parts import chart, numbers

if TYPE_CHECKING:
    from cdp.tasks.theory_points import What
    from cdp.theory.results import Guided

View = Callable[[TheoryConfig], "What | None"]


def curves(config: TheoryConfig) -> What | None:
    """Robust accuracy against n. Returns what is to be simulated once everything is drawn."""
    from cdp.figures.theory_curves import accuracy_curves, curve_rows

    lines, points = data.curves(config), data.points_known(config, "curves")
    shown = data.with_points(lines, points)
    at = [data.value_at(config, separation=line.separation) for line in lines]
    chart(
        config,
        "curves",
        lambda: accuracy_curves(shown, n=config.n, at=at, learner=TITLES[config.learner]),
        stage=_stage(points),
    )
    later = _later(config, "curves", missing=points is None)
    st.caption(_about_curves(config))
    numbers("curves", "the curves", lambda: curve_rows(shown))
    return later


def accuracy_map(config: TheoryConfig) -> None:
    """Robust accuracy over separation and angle, and what a turn and a wider gap are worth here."""
    from cdp.figures.theory_map import accuracy_map as figure
    from cdp.figures.theory_map import map_rows

    found = data.heat_map(config)
    title = worth(config, found.kind)
    chart(config, "map", lambda: figure(found, title=title, note=TITLES[config.learner]))
    st.caption(
        (
            "Angle 0 is the direction that the robust optimum has"
            if data.beatable(config)
            else "No direction beats guessing, so angle 0 is that of mu"
        )
        + "; separation 1 is as far apart as real classes, in units of their noise."
    )
    numbers("map", "the map", lambda: map_rows(found))


def worth(config: TheoryConfig, kind: str) -> str:
    """What the present angle costs and what twice the separation gains, in points of robust
    accuracy."""
    here = data.value_at(config)
    straight, wide = (
        data.value_at(config, angle=0.0),
        data.value_at(config, separation=2 * config.separation),
    )
    if here is None or straight is None or wide is None:
        return "What are separation and angle worth?"
    gained = (
        f"twice the separation {'gains' if wide >= here else 'costs'} {100 * abs(wide - here):.1f}"
        " points"
    )
    if config.angle == 0:
        return (
            f"{100 * here:.1f} % at c = {config.separation:g} along the optimum; {gained} ({kind})"
        )
    cost = straight - here
    turned = (
        f"An angle of {config.angle:g}° {'costs' if cost >= 0 else 'gains'} {100 * abs(cost):.1f}"
        " points"
    )
    return f"{turned}; {gained} ({kind})"


def needed(config: TheoryConfig) -> None:
    """Samples that the target takes, with the c-squared law."""
    from cdp.figures.theory_curves import needed_curve, needed_rows

    found = data.needed(config)
    chart(
        config,
        "needed",
        lambda: needed_curve(found, here=config.separation, learner=TITLES[config.learner]),
    )
    st.caption(
        "Below 1 one sample is more than enough. A target above all that the learner comes to in"
        " this direction is reached by no number of samples."
    )
    numbers("needed", "samples needed", lambda: needed_rows(found))


def picture(config: TheoryConfig) -> None:
    """The model in a plane."""
    from cdp.figures.theory_picture import plane, plane_rows

    found = data.picture(config)
    chart(config, "picture", lambda: plane(found))
    share = 100 * found.learned.in_plane**2
    st.caption(
        f"The plane is spanned by mu and the optimum. Of the learned w's squared length {share:.0f}"
        f" % lie in it, the rest in the other {max(config.dim - 2, 0):,} dimensions. What an attack"
        " gains there widens the band, which is drawn as wide as it is felt in the plane."
    )
    numbers("picture", "the picture", lambda: plane_rows(found))


def coordinates(config: TheoryConfig) -> None:
    """Where the optimum, the synthetic mean and a learned w point, coordinate by coordinate."""
    from cdp.figures.theory_picture import coordinate_lines, coordinate_rows

    found = data.coordinates(config)
    chart(
        config,
        "coordinates",
        lambda: coordinate_lines(found, epsilon=config.epsilon, norm=config.norm, n=config.n),
    )
    st.caption(
        "An l_inf attack moves every coordinate by epsilon at once, so a coordinate of mu that is"
        " smaller than that does harm: the optimum leaves it out."
        if config.norm == "linf"
        else (
            "An l_2 attack moves x by epsilon in one direction, so no coordinate is worth leaving"
            " out: the optimum is mu itself."
        )
    )
    numbers("coordinates", "the coordinates", lambda: coordinate_rows(found))


def guided(config: TheoryConfig) -> What | None:
    """What guidance strength does, as an animation that a person starts."""
    from cdp.figures.theory_guided import guided_mean, guided_rows
    from cdp.tasks.theory_points import STRENGTHS

    found, known = data.guided(config), data.points_known(config, "guided")
    points = known[0] if known else None
    chart(
        config,
        "guided",
        lambda: guided_mean(found, strength=config.strength, points=points, strengths=STRENGTHS),
        stage=_stage(known),
    )
    later = _later(config, "guided", missing=known is None)
    start = float(found.angles[0])
    st.caption(
        "The budget is larger than what tells the classes apart. Lower the attack budget or raise"
        " the size of mu to see guidance at work."
        if math.isnan(start)
        else (
            "Guidance that rewards what survives an attack would move the generator's class means"
            " from mu (0) towards the robust optimum (1); more than that goes past it. The"
            " separation is kept, so what changes is the direction alone." + best_strength(found)
            if not math.isclose(start, 0, abs_tol=0.5)
            else (
                "Under these settings mu is the optimum's direction. Choose the decaying profile"
                " and the l_inf norm to see them part."
            )
        )
    )
    numbers("guided", "the guided mean", lambda: guided_rows(found, points, STRENGTHS))
    return later


def best_strength(found: Guided) -> str:
    """At which strength the formula is highest: for few samples before the optimum, as its
    direction has to be learned too. "" without a formula."""
    if found.value is None:
        return ""
    at = float(found.strengths[int(found.value.argmax())])
    return (
        f" From n = {found.n:,} samples this learner does best at strength {at:.3g}, by the"
        " formula."
    )


def _about_curves(config: TheoryConfig) -> str:
    from cdp.theory.views import lawful

    if config.learner == "adversarial-logistic":
        return (
            "This learner has no formula, so its curve is simulated: every point is the mean of"
            " trainings solved to tolerance."
        )
    if lawful(config) is None:
        return (
            "This learner compares the average with the budget, so more separation is not the same"
            " as more samples."
        )
    many = ", for many samples" if lawful(config) == "asymptotic" else ""
    return (
        f"At a fixed direction only (|m|/s)² n/d counts{many}: a curve at twice the separation is"
        " the same curve moved to a quarter of n."
    )


def _stage(points: object) -> str:
    return "lines" if points is None else "points"


def _later(config: TheoryConfig, what: What, *, missing: bool) -> What | None:
    """What to simulate after everything is drawn; trainings are the helper process's, whose
    progress is shown here."""
    from cdp.tasks.theory_points import trained

    if not missing:
        data.take_back([])
        return None
    if not trained(config):
        return what
    waiting([data.ask_points(config, what)], key="theory_wait")
    return None


DRAW: Mapping[str, View] = {
    "curves": curves,
    "map": accuracy_map,
    "needed": needed,
    "picture": picture,
    "coordinates": coordinates,
    "guided": guided,
}
