"""What the Theory page shows: formulas computed at once and kept, simulations that come after them,
trainings asked of the helper process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import streamlit as st

from cdp.config.theory import TheoryConfig
from cdp.errors import InputError
from cdp.ui.kit.ask import ask
from cdp.ui.theory.form import relevant
from cdp.ui.theory.state import PLAIN
from cdp.work.helper import Errand

if TYPE_CHECKING:
    from cdp.tasks.theory_images import Place
    from cdp.tasks.theory_points import What
    from cdp.theory.results import Coordinates, Curve, Guided, HeatMap, NeededTable, Picture, Points

_ABSENT = object()
KEPT = 128
"""Results held in memory, of all sessions together."""
MOST_NUMBERS = 1_000_000
"""Samples times coordinates of a training that a page run does itself."""
RELOAD = 5.0
"""Seconds that a new helper process takes to load what the next task needs: what has less left is
let finish."""
_ASKED = "theory_asked"
T = TypeVar("T")


def settled(config: TheoryConfig, view: str) -> TheoryConfig:
    """The same with knobs at their defaults that do nothing in this view, so that moving them
    computes nothing."""
    flat = config.model_dump(mode="json")
    return config.model_copy(
        update={name: PLAIN[name] for name in flat if not relevant(name, flat, view)}
    )


def curves(config: TheoryConfig) -> list[Curve]:
    """Lines by formula, without points."""
    from cdp.theory.views import curves as found

    return kept("curves", config, lambda: found(config, draws=0))


def with_points(lines: Sequence[Curve], points: Sequence[Points | None] | None) -> list[Curve]:
    """The curves with their simulated points, where those are there."""
    return [
        replace(line, simulated=one)
        for line, one in zip(lines, points or [None] * len(lines), strict=True)
    ]


def heat_map(config: TheoryConfig) -> HeatMap:
    """Raises InputError for a learner without a formula."""
    from cdp.theory.views import heat_map as found

    return kept("map", config, lambda: found(config))


def needed(config: TheoryConfig) -> NeededTable:
    """Raises InputError for a learner without a formula."""
    from cdp.theory.views import needed_table as found

    return kept("needed", config, lambda: found(config))


def picture(config: TheoryConfig) -> Picture:
    """Raises InputError in one dimension and for trainings without room."""
    from cdp.theory.views import picture as found

    has_room(config)
    return kept("picture", config, lambda: found(config))


def coordinates(config: TheoryConfig) -> Coordinates:
    """Raises InputError for trainings without room."""
    from cdp.theory.views import coordinates as found

    has_room(config)
    return kept("coordinates", config, lambda: found(config))


def has_room(config: TheoryConfig) -> None:
    """Raises InputError where the one training of a picture would keep the page waiting."""
    if config.learner == "adversarial-logistic" and config.n * config.dim > MOST_NUMBERS:
        raise InputError(
            f"n: here at most {MOST_NUMBERS:,} numbers are trained on,"
            f" {MOST_NUMBERS // config.dim:,} samples of {config.dim:,} coordinates: lower n or dim"
        )


def guided(config: TheoryConfig) -> Guided:
    """The mean at every strength, without simulated points."""
    from cdp.theory.views import guided as found

    return kept("guided", config, lambda: found(config))


def value_at(config: TheoryConfig, **change: Any) -> float | None:
    """Expected robust accuracy at these settings but for ``change``; None where there is no
    formula."""
    from cdp.theory.views import value_at as found

    return kept(
        f"at {sorted(change.items())}", config, lambda: found(config.model_copy(update=change))
    )


def beatable(config: TheoryConfig) -> bool:
    """Whether any direction beats guessing."""
    from cdp.theory.settings import beatable as found
    from cdp.theory.settings import problem_of

    return found(problem_of(config))


def mu_to_optimum(config: TheoryConfig) -> float:
    """Degrees between the real mean and the robust optimum."""
    from cdp.theory.settings import degrees_between, optimum, problem_of

    problem = problem_of(config)
    return degrees_between(problem.mu, optimum(problem))


def place(name: str, encoder: str) -> Place | None:
    """Where a set lies, if that is known; looked up again once set, encoder or real images were
    written anew. Raises InputError or MissingError."""
    from cdp.tasks.theory_images import place_of, stamp

    key = f"place {stamp(name, encoder=encoder)}"
    held: Place | None = _store().get(key) or place_of(name, encoder=encoder).known()
    if held is not None:
        _store()[key] = held
    return held


def points_known(config: TheoryConfig, what: What) -> list[Points | None] | None:
    """Simulated points where they are there: in memory, or on disk where each is a training."""
    from cdp.tasks.theory_points import simulated_of, trained

    held: list[Points | None] | None = _store().get(_name(f"points {what}", config))
    if held is None and trained(config):
        held = simulated_of(config, what).known()
    return held


def simulate(config: TheoryConfig, what: What) -> None:
    """Compute the points of a learner that is no training, and keep them."""
    from cdp.tasks.theory_points import quick

    kept(f"points {what}", config, lambda: quick(config, what))


def ask_points(config: TheoryConfig, what: What) -> Errand:
    """Have the trainings done by the helper process; those that this session asked for before and
    nobody wants any more are taken back."""
    payload = {"what": what, "config": config.model_dump(mode="json")}
    errand = ask("theory_points", payload, what=f"{what} {config.dim}")
    take_back([errand])
    return errand


def take_back(wanted: Sequence[Errand]) -> None:
    """Cancel what this session asked for and does not want any more, where it has not run for so
    long that little is left."""
    for errand in st.session_state.get(_ASKED, ()):
        if errand not in wanted and not errand.over and _worth_ending(errand):
            errand.cancel()
            errand.forget()
    st.session_state[_ASKED] = list(wanted)


def _worth_ending(errand: Errand) -> bool:
    left = errand.seconds_left
    return errand.state == "queued" or (left if left is not None else errand.spent) > RELOAD


@st.cache_resource(show_spinner=False)
def _store() -> OrderedDict[str, Any]:
    """Results of all sessions by their settings; they are never changed. Values and not calls are
    kept, so that a page can ask what is there."""
    return OrderedDict()


def kept(what: str, config: TheoryConfig, compute: Callable[[], T]) -> T:
    """What was computed under this name for these settings, else ``compute()``. It must not be
    changed."""
    store, name = _store(), _name(what, config)
    held = store.get(name, _ABSENT)
    value: T = compute() if held is _ABSENT else held
    store[name] = value
    while len(store) > KEPT:
        with suppress(KeyError):  # another session was faster
            store.popitem(last=False)
    return value


def _name(what: str, config: TheoryConfig) -> str:
    return f"{what} {config.model_dump_json()}"
