"""The same model without the page: a command line; and what the model is, in a few sentences with its formulas."""

from __future__ import annotations

import shlex

import streamlit as st

from cdp.config_theory import TheoryConfig
from cdp.ui.links import written
from cdp.ui.theory.state import PLAIN

MODEL = r"""
Real classes are two Gaussians, $x \mid y \sim N(y\mu, \sigma^2 I_d)$ with $y = \pm 1$; the classifier is $\mathrm{sign}(w \cdot x)$, and an attack moves
$x$ by at most $\varepsilon$. What it leaves standing is, exactly,

$$
\Phi\!\left(\frac{w\cdot\mu - \varepsilon\lVert w\rVert_1}{\sigma\lVert w\rVert_2}\right) \;\text{under } \ell_\infty,\qquad
\Phi\!\left(\frac{w\cdot\mu}{\sigma\lVert w\rVert_2} - \frac{\varepsilon}{\sigma}\right) \;\text{under } \ell_2 .
$$

The best $w$ is $S_\varepsilon(\mu)$, every coordinate of $\mu$ moved towards 0 by $\varepsilon$, under $\ell_\infty$, and $\mu$ under $\ell_2$. A
learner that averages $n$ synthetic samples from $N(y m, s^2 I)$ has $w_n \sim N(m, \tfrac{s^2}{n} I)$: so the synthetic mean should point along that
optimum, and at a fixed direction only $(\lVert m\rVert / s)^2\, n / d$ counts. Classes $c$ times more separable need $c^2$ times fewer samples.
"""


def explained() -> None:
    """The model in a fold."""
    with st.expander("The model in four sentences", key="theory_model"):
        st.markdown(MODEL)
        st.caption("Our own derivation. It stands in full, each formula with the test that checks it, in docs/theory.md of the project.")


def elsewhere(config: TheoryConfig) -> None:
    """What to type, folded."""
    with st.expander("From the command line", key="theory_command"):
        st.code(command(config), language="bash", wrap_lines=True)


def command(config: TheoryConfig) -> str:
    """A shell line that computes with these settings."""
    return shlex.join(["python", "-m", "cdp", "theory", "--json", *options(config)])


def options(config: TheoryConfig) -> list[str]:
    """Every setting that differs from the defaults, as options."""
    found = config.model_dump(mode="json")
    return [part for name, value in found.items() if value != PLAIN[name] for part in (f"--{name.replace('_', '-')}", written(value))]
