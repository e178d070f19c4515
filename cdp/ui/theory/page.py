"""The Theory page: the model's settings on the left, one of its views on the right."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

import streamlit as st

from cdp.config.theory import TRAINED, TheoryConfig
from cdp.config.titles import TITLES
from cdp.errors import CdpError
from cdp.ui.components.chart import chart, load_plotly
from cdp.ui.kit.ask import Waiting, take_back
from cdp.ui.kit.command import command_fold
from cdp.ui.kit.frame import warned
from cdp.ui.kit.settings import to_link
from cdp.ui.kit.tables import numbers, views
from cdp.ui.kit.words import plain, with_label
from cdp.ui.theory.form import FORM, VIEWS, Theory, command, draw, reference
from cdp.work.failures import sentence

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from cdp.theory.views import Row, What

MODEL = r"""
Real classes are two Gaussians, $x \mid y \sim N(y\mu, \sigma^2 I_d)$ with $y = \pm 1$; the
classifier is $\mathrm{sign}(w \cdot x)$, and an attack moves $x$ by at most $\varepsilon$. What it
leaves standing is, exactly,

$$
\begin{aligned}
\Phi\!\left(\frac{w\cdot\mu - \varepsilon\lVert w\rVert_1}{\sigma\lVert w\rVert_2}\right)
&\;\text{under } \ell_\infty,\\
\Phi\!\left(\frac{w\cdot\mu}{\sigma\lVert w\rVert_2} - \frac{\varepsilon}{\sigma}\right)
&\;\text{under } \ell_2 .
\end{aligned}
$$

The best $w$ is $S_\varepsilon(\mu)$, every coordinate of $\mu$ moved towards 0 by $\varepsilon$,
under $\ell_\infty$, and $\mu$ under $\ell_2$. A learner that averages $n$ synthetic samples from
$N(y m, s^2 I)$ has $w_n \sim N(m, \tfrac{s^2}{n} I)$: so for many samples the synthetic mean should
point along that optimum (for few, between it and $\mu$), and at a fixed direction only
$(\lVert m\rVert / s)^2\, n / d$ counts. Classes $c$ times more separable need $c^2$ times fewer
samples.
"""
CAPTIONS = {
    "map": (
        "Angle 0 is the direction of the robust optimum, or of mu where no direction beats"
        " guessing; separation 1 is as far apart as real classes, in units of their noise."
    ),
    "needed": (
        "Below 1 one sample is more than enough. A target above all that the learner comes to in"
        " this direction is reached by no number of samples."
    ),
    "picture": (
        "The plane is spanned by mu and the optimum. Of the learned w's squared length {share:.0f} %"
        " lie in it. What an attack gains in the other dimensions widens the band, which is drawn"
        " as wide as it is felt in the plane."
    ),
    "coordinates": (
        "An l_inf attack moves every coordinate by epsilon at once, so a coordinate of mu that is"
        " smaller than that does harm: the optimum leaves it out. An l_2 attack moves x by epsilon"
        " in one direction, so no coordinate is worth leaving out: the optimum is mu itself."
    ),
    "guided": (
        "Guidance that rewards what survives an attack would move the generator's class means from"
        " mu (0) towards the robust optimum (1); more than that goes past it. The separation is"
        " kept, so what changes is the direction alone."
    ),
    "averaging": (
        "At a fixed direction only (|m|/s)² n/d counts: a curve at twice the separation is the same"
        " curve moved to a quarter of n."
    ),
    "linf-threshold": (
        "This learner compares the average with the budget, so more separation is not the same as"
        " more samples."
    ),
    "adversarial-logistic": (
        "This learner has no formula, so its curve is simulated: every point is the mean of"
        " trainings solved to tolerance."
    ),
}
"""What stands under the charts: of a view, and of a learner under its curves."""
MOST_NUMBERS = 1_000_000
"""Samples times coordinates of a training that the page does itself."""


def theory_page() -> None:
    """Everything below the title."""
    settings = FORM.open()
    if settings.fresh:
        settings.fit()
    if settings.view == "images":
        from cdp.ui.theory.images import settle

        settle(settings)
    warned(settings.notes)
    left, right = st.columns([4, 11], gap="large")
    with left:
        draw(settings)
    with right, st.container(key="live"):
        views(
            "View",
            VIEWS,
            settings.view,
            lambda view: setattr(settings, "view", view),
            key=f"theory_view_{settings.turn}",
        )
        with st.container(key=f"theory_view_{settings.view}_body"):
            _view(settings)
            with st.expander("The model in four sentences", key="theory_model"):
                st.markdown(MODEL)
                st.caption(
                    "Our own derivation. It stands in full, each formula with the test that checks"
                    " it, in docs/theory.md of the project."
                )
    if config := settings.config_or_none():
        base = (st.context.url or "").partition("?")[0]
        link = f"{base}?{urlencode(to_link(settings, every=True), safe=',:')}"
        texts = {"As a reference": reference(config), "As a link, with every setting": link}
        with left:
            line = shlex.join(command(settings, config))
            command_fold("theory", line, title="Cite, link, command line", more=_texts(texts))
    FORM.close(settings)


def _texts(texts: dict[str, str]) -> Callable[[], None]:
    def written() -> None:
        for title, text in texts.items():
            st.markdown(f"**{title}**")
            st.code(text, language=None, wrap_lines=True)

    return written


def _view(settings: Theory) -> None:
    """Draw the view; its errors stand where its picture would."""
    load_plotly()
    try:
        if settings.view == "images":
            from cdp.ui.theory.images import images

            images(settings, settings.counting())
        else:
            _model_view(settings.view, settings.counting())
    except (CdpError, OSError) as error:
        text = with_label(sentence(error), TheoryConfig)
        st.info(plain(f"{text[:1].upper()}{text[1:]}."))


def _model_view(view: str, config: TheoryConfig) -> None:
    """The rows of a view, with simulated points where it has any: its chart, a caption, and the
    numbers a click away."""
    from cdp.theory.views import VIEWS as MODEL_VIEWS

    trained = config.learner == TRAINED
    if view in ("picture", "coordinates") and trained:
        from cdp.theory.logistic import require_room

        require_room(config.n, config.dim, MOST_NUMBERS)
    rows, pending = MODEL_VIEWS[view](config), Waiting()
    if view in ("curves", "guided"):
        rows += _points(config, cast("What", view), pending)
    take_back("theory", pending.errands)
    charts = drawn(view, config, rows)
    places = st.columns(len(charts), gap="large") if len(charts) > 1 else [st.container()]
    for number, (place, figure) in enumerate(zip(places, charts, strict=True)):
        with place:
            chart(figure, key=f"theory_chart_{view}_{number}")
    if pending.errands:
        pending.show("theory_wait")
    st.caption(caption(view, config, rows))
    numbers("this view", lambda: rows, f"theory-{view}.csv", key=f"theory_numbers_{view}")


def _points(config: TheoryConfig, what: What, pending: Waiting) -> Sequence[Row]:
    """Simulated points; trainings are the helper process's, and come once they are there."""
    from cdp.tasks.theory import points_of

    points = points_of(config, what)
    if config.learner != TRAINED:
        return points.get()
    known = points.known()
    if known is None:
        question = {"what": what, "config": config.model_dump(mode="json")}
        pending.ask("Training classifiers", "theory_points", question, what=f"{what} {config.dim}")
    return known or []


def drawn(view: str, config: TheoryConfig, rows: Sequence[Row]) -> list[go.Figure]:
    """The figures of a view, one beside the other."""
    from cdp.figures import theory as figures
    from cdp.theory.model import best_accuracy, problem_of
    from cdp.theory.views import value_at

    learner, n = TITLES[config.learner], config.n
    best = 100 * best_accuracy(problem_of(config))
    attack: dict[str, Any] = {"norm": config.norm, "epsilon": config.epsilon}
    if view == "curves":
        return [figures.accuracy_curves(rows, n=n, best=best, learner=learner)]
    if view == "map":
        return [map_figure(config, rows, worth(config, rows[0]["kind"]))]
    if view == "needed":
        limit, lawful = value_at(config, n=float("inf")) or 0.0, config.learner == "averaging"
        own: dict[str, Any] = {"limit": 100 * limit, "lawful": lawful, "learner": learner}
        return [figures.needed_curve(rows, here=config.separation, **own)]
    if view == "picture":
        mean = value_at(config)
        own = attack | {"mean": None if mean is None else 100 * mean}
        return [figures.plane(rows, sigma=config.sigma, noise=config.noise, **own)]
    if view == "coordinates":
        return [figures.coordinate_lines(rows, n=n, **attack)]
    own = {"strength": config.strength, "learner": learner}
    return [figures.guided_mean(rows, **own), figures.guided_accuracy(rows, best=best, **own)]


def caption(view: str, config: TheoryConfig, rows: Sequence[Row]) -> str:
    """The sentences under the chart of a view."""
    text = CAPTIONS[config.learner if view == "curves" else view]
    formula = [row for row in rows if row.get("kind") == "asymptotic"]
    if view == "picture":
        share = next(row["in the plane [%]"] for row in rows if row["of"] == "learned")
        return text.format(share=share)
    if view == "guided" and formula and (rows[0]["angle to the optimum"] or 0) > 0.5:
        best = max(formula, key=lambda row: row["robust [%]"])["strength"]
        return f"{text} From n = {config.n:,} samples this learner does best at strength {best:g}."
    return text


def map_figure(
    config: TheoryConfig, rows: Sequence[Row], title: str, placed: Any = None
) -> go.Figure:
    """The map, with the mark of the settings or of a measured set."""
    from cdp.figures.theory import accuracy_map
    from cdp.theory.model import degrees_between, optimum, problem_of

    problem = problem_of(config)
    real = degrees_between(problem.mu, optimum(problem))
    own: dict[str, Any] = {"learner": TITLES[config.learner], "real": real, "placed": placed}
    return accuracy_map(rows, title=title, here=(config.separation, config.angle), **own)


def worth(config: TheoryConfig, kind: str) -> str:
    """What the present angle costs and what twice the separation gains, in points of robust
    accuracy."""
    from cdp.theory.views import value_at

    changes = [("angle", config.angle), ("angle", 0.0), ("separation", 2 * config.separation)]
    here, straight, wide = (100 * (value_at(config, **{k: v}) or 0.0) for k, v in changes)
    verb = "gains" if wide >= here else "costs"
    gained = f"twice the separation {verb} {abs(wide - here):.1f} points ({kind})"
    if config.angle == 0:
        return f"{here:.1f} % at c = {config.separation:g} along the optimum; {gained}"
    verb = "costs" if straight >= here else "gains"
    return f"An angle of {config.angle:g}° {verb} {abs(straight - here):.1f} points; {gained}"
