"""The settings of the Theory page: how they are grouped, and what is said of them for a reference
and for a shell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from cdp import __version__
from cdp.config.fields import fields_of, written
from cdp.config.theory import LEARNERS, TheoryConfig, fitted, matters
from cdp.ui.kit.address import any_text, one_of
from cdp.ui.kit.form import Form, Group
from cdp.ui.kit.settings import Settings
from cdp.ui.kit.widgets import bound, choice, on_ladder

VIEWS = {
    "curves": "Accuracy",
    "map": "Map",
    "needed": "Samples needed",
    "picture": "Picture",
    "coordinates": "Coordinates",
    "guided": "Guide the mean",
    "images": "Images",
}


@dataclass
class Theory(Settings[TheoryConfig]):
    """view: of ``VIEWS``; chosen, encoder: the sample set on the map and the encoder that sees it,
    "" for the page's own choice."""

    view: str = "curves"
    chosen: str = ""
    encoder: str = ""

    def put(self, name: str, value: Any) -> None:
        """One control moved; others that would not fit any more follow, which is said."""
        super().put(name, value)
        self.fit()

    def fit(self) -> None:
        flat, notes = fitted(self.flat)
        if notes:
            self.replace(flat, [*self.notes, *notes])

    def counting(self) -> TheoryConfig:
        """The settings, with those at their defaults that do nothing in this view: moving them
        computes nothing. Raises InputError where they do not fit together."""
        idle = [name for name in self.flat if not matters(name, self.flat, self.view)]
        plain = FORM.plain()
        return self.config().model_copy(update={name: plain[name] for name in idle})


FORM: Form[Theory] = Form(
    config=TheoryConfig,
    prefix="theory",
    state=Theory,
    groups=(
        Group("Synthetic classes", ("separation", "angle", "strength", "noise")),
        Group("Learner", ("learner", "n", "target", "ridge", "draws", "seed")),
        Group(
            "Real classes and attack",
            ("norm", "epsilon", "dim", "nonzero", "profile", "size", "sigma"),
        ),
    ),
    params=(
        one_of("view", VIEWS, "curves"),
        any_text("set", attribute="chosen"),
        any_text("encoder"),
    ),
    ratios=("epsilon", "dim", "size", "sigma", "separation", "noise", "ridge", "n"),
)


def draw(settings: Theory) -> None:
    """All controls that do something in the view, top to bottom."""
    view, fields, flat = settings.view, fields_of(TheoryConfig), settings.flat
    rules = {name: lambda flat, name=name: matters(name, flat, view) for name in fields}
    own = {
        "learner": lambda: choice(fields["learner"], settings, LEARNERS[flat["norm"]]),
        "nonzero": lambda: on_ladder(fields["nonzero"], settings, most=flat["dim"]),
        "angle": lambda: _degrees(settings),
    }
    replace(FORM, when=rules).draw(settings, own)


def _degrees(settings: Theory) -> None:
    field, value = fields_of(TheoryConfig)["angle"], float(settings.flat["angle"])
    more: dict[str, Any] = {"help": field.tooltip} | bound(field, settings)
    st.slider(field.heading, field.low, field.high, value, step=1.0, format="%g", **more)


def reference(config: TheoryConfig) -> str:
    """One sentence with the program, its version and every setting that counts under the others."""
    flat = config.model_dump(mode="json")
    values = [f"{name} {written(v)}" for name, v in flat.items() if matters(name, flat, None)]
    return (
        f"Gaussian model for class distinguishability, Contrastive-DP Studio {__version__}"
        f" (docs/theory.md): {', '.join(values)}."
    )


def command(settings: Theory, config: TheoryConfig) -> list[str]:
    """The words of a command that computes the numbers of this view."""
    if settings.view == "images":
        encoder = ["--encoder", settings.encoder] if settings.encoder else []
        line = ["python", "-m", "cdp", "theory", "--set", settings.chosen or "SET"]
        return [*line, *encoder, "--json"]
    line = FORM.command("theory", config)
    return [*line[:4], "--view", settings.view, "--json", *line[4:]]
