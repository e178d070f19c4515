"""The same numbers elsewhere: a reference, a link, a command line; and what the model is, in a few
sentences with its formulas."""

from __future__ import annotations

import shlex
from urllib.parse import urlencode

import streamlit as st

from cdp import __version__
from cdp.config.fields import written
from cdp.config.theory import TheoryConfig
from cdp.ui.theory.form import counts
from cdp.ui.theory.state import IMAGES, PLAIN, Theory, to_params

MODEL = r"""
Real classes are two Gaussians, $x \mid y \sim N(y\mu, \sigma^2 I_d)$ with $y = \pm 1$; the classifier is $\mathrm{sign}(w \cdot x)$, and an attack moves
$x$ by at most $\varepsilon$. What it leaves standing is, exactly,

$$
\Phi\!\left(\frac{w\cdot\mu - \varepsilon\lVert w\rVert_1}{\sigma\lVert w\rVert_2}\right) \;\text{under } \ell_\infty,\qquad
\Phi\!\left(\frac{w\cdot\mu}{\sigma\lVert w\rVert_2} - \frac{\varepsilon}{\sigma}\right) \;\text{under } \ell_2 .
$$

The best $w$ is $S_\varepsilon(\mu)$, every coordinate of $\mu$ moved towards 0 by $\varepsilon$, under $\ell_\infty$, and $\mu$ under $\ell_2$. A
learner that averages $n$ synthetic samples from $N(y m, s^2 I)$ has $w_n \sim N(m, \tfrac{s^2}{n} I)$: so for many samples the synthetic mean should
point along that optimum (for few, between it and $\mu$), and at a fixed direction only $(\lVert m\rVert / s)^2\, n / d$ counts. Classes $c$ times more
separable need $c^2$ times fewer samples.
"""


def explained() -> None:
    """The model in a fold."""
    with st.expander("The model in four sentences", key="theory_model"):
        st.markdown(MODEL)
        st.caption(
            "Our own derivation. It stands in full, each formula with the test that checks it, in"
            " docs/theory.md of the project."
        )


def elsewhere(held: Theory, config: TheoryConfig) -> None:
    """What to cite, to send and to type, folded."""
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
        st.code(link(held), language=None, wrap_lines=True)
        st.markdown("**From the command line**")
        st.code(command(held, config), language="bash", wrap_lines=True)


def reference(config: TheoryConfig) -> str:
    """One sentence with the program, its version and every setting that counts under the others."""
    flat = config.model_dump(mode="json")
    told = ", ".join(
        f"{name.replace('_', ' ')} {written(value)}"
        for name, value in flat.items()
        if counts(name, flat)
    )
    return (
        f"Gaussian model for class distinguishability, Contrastive-DP Studio {__version__}"
        f" (docs/theory.md): {told}."
    )


def link(held: Theory) -> str:
    """The address of this page with every setting, as far as the app knows its own."""
    base = (st.context.url or "").partition("?")[0]
    return f"{base}?{urlencode(to_params(held, every=True), safe=',:')}"


def command(held: Theory, config: TheoryConfig) -> str:
    """A shell line that computes the numbers of this view."""
    line = ["python", "-m", "cdp", "theory"]
    if held.view == IMAGES:
        return shlex.join(
            [
                *line,
                "--set",
                held.chosen or "SET",
                *(["--encoder", held.encoder] if held.encoder else []),
                "--json",
            ]
        )
    return shlex.join([*line, "--view", held.view, "--json", *options(config)])


def options(config: TheoryConfig) -> list[str]:
    """Every setting that differs from the defaults, as options."""
    found = config.model_dump(mode="json")
    return [
        part
        for name, value in found.items()
        if value != PLAIN[name]
        for part in (f"--{name.replace('_', '-')}", written(value))
    ]
