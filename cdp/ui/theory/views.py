"""The views of the model: each draws its chart and numbers, and says what is still to be
simulated."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import streamlit as st

from cdp.config.theory import TheoryConfig
from cdp.config.titles import TITLES
from cdp.errors import InputError
from cdp.ui.components.chart import chart
from cdp.ui.kit.ask import Waiting, take_back
from cdp.ui.kit.tables import Rows, numbers
from cdp.ui.theory.form import TRAINED

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from cdp.tasks.theory import What
    from cdp.theory.views import Guided, Points

MOST_NUMBERS = 1_000_000
"""Samples times coordinates of a training that a page run does itself."""
_POINTS = "theory_points"


@st.cache_resource(show_spinner=False, max_entries=128)
def computed(name: str, settings: str) -> Any:
    """What a view shows, by formula, kept for all sessions. settings: a config as JSON. Raises
    InputError for a learner without a formula, in one dimension and for trainings without room."""
    from cdp.theory import geometry, views

    functions: dict[str, Callable[[TheoryConfig], Any]] = {
        "curves": views.curves,
        "map": views.heat_map,
        "needed": views.needed_table,
        "picture": geometry.picture,
        "coordinates": geometry.coordinates,
        "guided": views.guided,
        "value": views.value_at,
    }
    config = TheoryConfig.model_validate_json(settings)
    if name in ("picture", "coordinates"):
        _require_room(config)
    return functions[name](config)


def of(name: str, config: TheoryConfig, **change: Any) -> Any:
    """``computed`` for these settings but for ``change``."""
    return computed(name, config.model_copy(update=change).model_dump_json())


def _require_room(config: TheoryConfig) -> None:
    if config.learner == TRAINED and config.n * config.dim > MOST_NUMBERS:
        raise InputError(
            f"n: here at most {MOST_NUMBERS:,} numbers are trained on,"
            f" {MOST_NUMBERS // config.dim:,} samples of {config.dim:,} coordinates: lower n or dim"
        )


def draw_chart(name: str, figure: go.Figure) -> None:
    """A figure whose headings a screen reader says."""
    notes = [str(note.text).replace("<br>", " ") for note in figure.layout.annotations]
    alt = ". ".join(html.unescape(re.sub(r"<[^>]*>", "", text)) for text in notes)
    chart(figure, key=f"theory_chart_{name}", alt=alt.replace("\u00a0", " "))


def show_numbers(view: str, title: str, rows: Callable[[], Rows]) -> None:
    """The numbers behind a view, one click away."""
    numbers(title, rows, f"theory-{view}.csv", key=f"theory_numbers_{view}")


def curves(config: TheoryConfig) -> What | None:
    """Robust accuracy against n. Returns what is to be simulated once everything is drawn."""
    from cdp.figures.theory import accuracy_curves, curve_rows

    points = _points_known(config, "curves")
    known = points or [None] * 3
    lines = [
        replace(line, simulated=each)
        for line, each in zip(of("curves", config), known, strict=True)
    ]
    at = [of("value", config, separation=line.separation) for line in lines]
    learner = TITLES[config.learner]
    draw_chart("curves", accuracy_curves(lines, n=config.n, at=at, learner=learner))
    later = _later(config, "curves", missing=points is None)
    st.caption(_about_curves(config))
    show_numbers("curves", "the curves", lambda: curve_rows(lines))
    return later


def accuracy_map(config: TheoryConfig) -> None:
    """Robust accuracy over separation and angle, and what a turn and a wider gap are worth here."""
    from cdp.figures import theory_map as figures
    from cdp.theory.model import beatable, problem_of

    cells = of("map", config)
    title = worth(config, cells.kind)
    draw_chart("map", figures.accuracy_map(cells, title=title, note=TITLES[config.learner]))
    zero = (
        "Angle 0 is the direction that the robust optimum has"
        if beatable(problem_of(config))
        else "No direction beats guessing, so angle 0 is that of mu"
    )
    st.caption(f"{zero}; separation 1 is as far apart as real classes, in units of their noise.")
    show_numbers("map", "the map", lambda: figures.map_rows(cells))


def worth(config: TheoryConfig, kind: str) -> str:
    """What the present angle costs and what twice the separation gains, in points of robust
    accuracy."""
    here, straight = of("value", config), of("value", config, angle=0.0)
    wide = of("value", config, separation=2 * config.separation)
    if here is None or straight is None or wide is None:
        return "What are separation and angle worth?"
    verb = "gains" if wide >= here else "costs"
    gained = f"twice the separation {verb} {100 * abs(wide - here):.1f} points"
    if config.angle == 0:
        c = f"c = {config.separation:g}"
        return f"{100 * here:.1f} % at {c} along the optimum; {gained} ({kind})"
    cost = straight - here
    verb = "costs" if cost >= 0 else "gains"
    turned = f"An angle of {config.angle:g}° {verb} {100 * abs(cost):.1f} points"
    return f"{turned}; {gained} ({kind})"


def needed(config: TheoryConfig) -> None:
    """Samples that the target takes, with the c-squared law."""
    from cdp.figures.theory import needed_curve, needed_rows

    table, learner = of("needed", config), TITLES[config.learner]
    draw_chart("needed", needed_curve(table, here=config.separation, learner=learner))
    st.caption(
        "Below 1 one sample is more than enough. A target above all that the learner comes to in"
        " this direction is reached by no number of samples."
    )
    show_numbers("needed", "samples needed", lambda: needed_rows(table))


def picture(config: TheoryConfig) -> None:
    """The model in a plane."""
    from cdp.figures.theory_plane import plane, plane_rows

    drawn = of("picture", config)
    draw_chart("picture", plane(drawn))
    share = 100 * drawn.learned.in_plane**2
    st.caption(
        f"The plane is spanned by mu and the optimum. Of the learned w's squared length {share:.0f}"
        f" % lie in it, the rest in the other {max(config.dim - 2, 0):,} dimensions. What an attack"
        " gains there widens the band, which is drawn as wide as it is felt in the plane."
    )
    show_numbers("picture", "the picture", lambda: plane_rows(drawn))


def coordinates(config: TheoryConfig) -> None:
    """Where the optimum, the synthetic mean and a learned w point, coordinate by coordinate."""
    from cdp.figures.theory_map import coordinate_lines, coordinate_rows

    drawn, linf = of("coordinates", config), config.norm == "linf"
    figure = coordinate_lines(drawn, epsilon=config.epsilon, norm=config.norm, n=config.n)
    draw_chart("coordinates", figure)
    st.caption(
        "An l_inf attack moves every coordinate by epsilon at once, so a coordinate of mu that is"
        " smaller than that does harm: the optimum leaves it out."
        if linf
        else "An l_2 attack moves x by epsilon in one direction, so no coordinate is worth leaving"
        " out: the optimum is mu itself."
    )
    show_numbers("coordinates", "the coordinates", lambda: coordinate_rows(drawn))


def guided(config: TheoryConfig) -> What | None:
    """What guidance strength does, as an animation that a person starts."""
    from cdp.figures.theory_plane import guided_mean, guided_rows

    moved, known = of("guided", config), _points_known(config, "guided")
    points = known[0] if known else None
    draw_chart("guided", guided_mean(moved, strength=config.strength, points=points))
    later = _later(config, "guided", missing=known is None)
    st.caption(_about_guidance(moved))
    show_numbers("guided", "the guided mean", lambda: guided_rows(moved, points))
    return later


def _about_guidance(moved: Guided) -> str:
    start = float(moved.angles[0])
    if math.isnan(start):
        return (
            "The budget is larger than what tells the classes apart. Lower the attack budget or"
            " raise the size of mu to see guidance at work."
        )
    if math.isclose(start, 0, abs_tol=0.5):
        return (
            "Under these settings mu is the optimum's direction. Choose the decaying profile and"
            " the l_inf norm to see them part."
        )
    return (
        "Guidance that rewards what survives an attack would move the generator's class means from"
        " mu (0) towards the robust optimum (1); more than that goes past it. The separation is"
        " kept, so what changes is the direction alone." + best_strength(moved)
    )


def best_strength(moved: Guided) -> str:
    """At which strength the formula is highest: for few samples before the optimum, as its
    direction has to be learned too. "" without a formula."""
    if moved.value is None:
        return ""
    at = float(moved.strengths[int(moved.value.argmax())])
    return (
        f" From n = {moved.n:,} samples this learner does best at strength {at:.3g}, by the"
        " formula."
    )


def _about_curves(config: TheoryConfig) -> str:
    from cdp.theory.views import lawful

    if config.learner == TRAINED:
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


def _points_known(config: TheoryConfig, what: What) -> list[Points | None] | None:
    """Simulated points where they are there: of this session's last look, or in the cache."""
    from cdp.tasks.theory import points_of

    key = (what, config.model_dump_json())
    last, points = st.session_state.get(_POINTS, (None, None))
    if last == key:
        return cast("list[Points | None]", points)
    points = points_of(config, what).known()
    if points is not None:
        st.session_state[_POINTS] = (key, points)
    return points


def simulate(config: TheoryConfig, what: What) -> None:
    """Draw the points of a learner that is no training."""
    from cdp.tasks.theory import points_of

    points = points_of(config, what).get()
    st.session_state[_POINTS] = ((what, config.model_dump_json()), points)


def _later(config: TheoryConfig, what: What, *, missing: bool) -> What | None:
    """What to simulate after everything is drawn; trainings are the helper process's, whose
    progress is shown here."""
    from cdp.tasks.theory import is_trained

    if not missing:
        take_back("theory", [])
    elif is_trained(config):
        pending = Waiting()
        question = {"what": what, "config": config.model_dump(mode="json")}
        title, size = "Training classifiers", f"{what} {config.dim}"
        errand = pending.ask(title, "theory_points", question, what=size)
        take_back("theory", [errand])
        pending.show("theory_wait")
    else:
        return what
    return None


DRAW: Mapping[str, Callable[[TheoryConfig], What | None]] = {
    "curves": curves,
    "map": accuracy_map,
    "needed": needed,
    "picture": picture,
    "coordinates": coordinates,
    "guided": guided,
}
