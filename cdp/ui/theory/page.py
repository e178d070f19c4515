"""The Theory page: the model's settings on the left, one of its views on the right."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from urllib.parse import urlencode

import streamlit as st

from cdp.config.theory import TheoryConfig
from cdp.errors import CdpError, InputError
from cdp.ui.components.chart import load_plotly
from cdp.ui.kit.frame import warned
from cdp.ui.kit.settings import to_link
from cdp.ui.kit.tables import views
from cdp.ui.kit.words import plain
from cdp.ui.theory.form import (
    FORM,
    IMAGES,
    VIEWS,
    Theory,
    command,
    draw,
    reference,
    settled,
    theory,
)
from cdp.work.failures import sentence

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


def theory_page() -> None:
    """Everything below the title."""
    settings = theory()
    if settings.view == IMAGES:
        from cdp.ui.theory.images import settle

        settle(settings)
    warned(settings.notes)
    left, right = st.columns([4, 11], gap="large")
    with left:
        draw(settings)
    config, wrong = _config(settings)
    with right, st.container(key="live"):
        views(
            "View",
            VIEWS,
            settings.view,
            lambda view: setattr(settings, "view", view),
            key=f"theory_view_{settings.turn}",
        )
        later = _view(settings, config, wrong)
    with left:
        if config is not None:
            _elsewhere(settings, config)
    FORM.close(settings)
    if later is not None:
        later()
        st.rerun()


def _config(settings: Theory) -> tuple[TheoryConfig | None, str]:
    """The settings, or why they do not fit together."""
    try:
        return settings.config(), ""
    except InputError as error:
        return None, str(error).removeprefix("settings: ")


def _view(settings: Theory, config: TheoryConfig | None, wrong: str) -> Callable[[], None] | None:
    """Draw the view; what is to be simulated once everything else is on the screen. Its errors
    stand where its picture would."""
    with st.container(key=f"theory_view_{settings.view}_body"):
        if config is None:
            st.error(plain(f"These settings do not fit together: {wrong}."))
            return None
        load_plotly()
        asked = settled(config, settings.view)
        try:
            if settings.view == IMAGES:
                from cdp.ui.theory.images import images

                images(settings, asked)
                return None
            from cdp.ui.theory.views import DRAW, simulate

            later = DRAW[settings.view](asked)
        except (CdpError, OSError) as error:
            st.info(plain(f"{sentence(error)[:1].upper()}{sentence(error)[1:]}."))
            return None
        finally:
            with st.expander("The model in four sentences", key="theory_model"):
                st.markdown(MODEL)
                st.caption(
                    "Our own derivation. It stands in full, each formula with the test that checks"
                    " it, in docs/theory.md of the project."
                )
    return None if later is None else lambda: simulate(asked, later)


def _elsewhere(settings: Theory, config: TheoryConfig) -> None:
    """What to cite, to send and to type, folded."""
    base = (st.context.url or "").partition("?")[0]
    link = f"{base}?{urlencode(to_link(settings, every=True), safe=',:')}"
    with st.expander("Cite, link, command line", key="theory_command"):
        st.markdown("**As a reference**")
        st.code(reference(config), language=None, wrap_lines=True)
        st.markdown(
            "**As a link**",
            help=(
                "With every setting, so that it stays what it is where a later version has other"
                " defaults."
            ),
        )
        st.code(link, language=None, wrap_lines=True)
        st.markdown("**From the command line**")
        st.code(shlex.join(command(settings, config)), language="bash", wrap_lines=True)
