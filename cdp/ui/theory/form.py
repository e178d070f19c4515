"""The settings of the Theory page: how they are grouped, which of them do something in which view,
and how others follow one that is moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from cdp import __version__
from cdp.config.fields import fields_of, written
from cdp.config.theory import LEARNERS, MOST_APART, TheoryConfig
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
IMAGES = "images"
AVERAGES, TRAINED = ("averaging", "l2-optimal"), "adversarial-logistic"
Flat = Mapping[str, Any]


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
        flat, notes = fitted(self.flat)
        if notes:
            self.replace(flat, notes)


def counts(name: str, flat: Flat) -> bool:
    """Whether a setting does anything in any view under the others."""
    rules = {"profile": flat["nonzero"] > 1, "ridge": flat["learner"] == TRAINED}
    return rules.get(name, True)


def relevant(name: str, flat: Flat, view: str) -> bool:
    """Whether a setting does anything in this view; those that do not are not shown."""
    rules = {
        "separation": view != IMAGES,
        "angle": view not in ("guided", IMAGES),
        "strength": view == "guided",
        "target": view == "needed",
        "n": view != "needed",
        # An average at the same separation has the same direction whatever its scale.
        "noise": view in ("picture", "coordinates") or flat["learner"] not in AVERAGES,
        "draws": view in ("curves", "guided") and flat["learner"] != TRAINED,
        "seed": view not in ("map", "needed", IMAGES),
    }
    return rules.get(name, True) and counts(name, flat)


FORM: Form[Theory] = Form(
    config=TheoryConfig,
    prefix="theory",
    state=Theory,
    groups=(
        Group(
            "Real classes and attack",
            ("norm", "epsilon", "dim", "nonzero", "profile", "size", "sigma"),
        ),
        Group("Synthetic classes", ("separation", "angle", "strength", "label_noise", "noise")),
        Group("Learner", ("learner", "n", "target", "ridge", "draws", "seed")),
    ),
    params=(
        one_of("view", VIEWS, "curves"),
        any_text("set", attribute="chosen"),
        any_text("encoder"),
    ),
    ratios=("epsilon", "dim", "size", "sigma", "separation", "noise", "ridge", "n"),
)


def theory() -> Theory:
    """This session's settings; where the address changed under the page, what it says."""
    settings = FORM.open()
    if settings.fresh:
        flat, notes = fitted(settings.flat)
        if notes:
            settings.replace(flat, [*settings.notes, *notes])
    return settings


def draw(settings: Theory) -> None:
    """All controls that do something in the view, top to bottom."""
    view, fields = settings.view, fields_of(TheoryConfig)
    rules = {name: lambda flat, name=name: relevant(name, flat, view) for name in fields}
    replace(FORM, when=rules).draw(
        settings,
        {
            "learner": lambda: choice(fields["learner"], settings, LEARNERS[settings.flat["norm"]]),
            "nonzero": lambda: on_ladder(fields["nonzero"], settings, most=settings.flat["dim"]),
            "angle": lambda: _angle(settings),
        },
    )


def _angle(settings: Theory) -> None:
    """Degrees, whole ones; in one dimension there are two."""
    field, value = fields_of(TheoryConfig)["angle"], float(settings.flat["angle"])
    common: dict[str, Any] = {"help": field.tooltip} | bound(field, settings)
    if settings.flat["dim"] == 1:
        st.segmented_control(
            field.heading,
            [0.0, 180.0],
            default=value,
            required=True,
            format_func=lambda v: f"{v:g}",
            width="stretch",
            **common,
        )
        return
    st.slider(field.heading, field.low, field.high, value, step=1.0, format="%g", **common)


def settled(config: TheoryConfig, view: str) -> TheoryConfig:
    """The same with settings at their defaults that do nothing in this view, so that moving them
    computes nothing."""
    flat, plain = config.model_dump(mode="json"), FORM.plain()
    idle = {name: plain[name] for name in flat if not relevant(name, flat, view)}
    return config.model_copy(update=idle)


def fitted(flat: Flat) -> tuple[dict[str, Any], list[str]]:
    """The values with those put right that do not fit the others, and a sentence for each."""
    values, notes = dict(flat), []
    if values["nonzero"] > values["dim"]:
        notes.append(
            f"nonzero: {values['nonzero']:,} informative coordinates do not fit into"
            f" {values['dim']:,}, so {values['dim']:,} are informative."
        )
        values["nonzero"] = values["dim"]
    if values["size"] > MOST_APART * values["sigma"]:
        values["size"] = MOST_APART * values["sigma"]
        notes.append(
            f"size: |mu| is at most {MOST_APART:g} times sigma, so it became"
            f" {written(values['size'])}."
        )
    if values["dim"] == 1 and values["angle"] not in (0, 180):
        notes.append(
            f"angle: in one dimension it is 0 or 180 degrees, so {written(values['angle'])}"
            " became 0."
        )
        values["angle"] = 0.0
    fitting = LEARNERS[values["norm"]]
    if values["learner"] not in fitting:
        other = "l2-optimal" if values["learner"] == "linf-threshold" else fitting[0]
        notes.append(
            f"learner: under {values['norm']} there are {', '.join(fitting)}, so"
            f" {values['learner']} became {other}."
        )
        values["learner"] = other
    return values, notes


def reference(config: TheoryConfig) -> str:
    """One sentence with the program, its version and every setting that counts under the others."""
    flat = config.model_dump(mode="json")
    values = ", ".join(
        f"{name.replace('_', ' ')} {written(value)}"
        for name, value in flat.items()
        if counts(name, flat)
    )
    return (
        f"Gaussian model for class distinguishability, Contrastive-DP Studio {__version__}"
        f" (docs/theory.md): {values}."
    )


def command(settings: Theory, config: TheoryConfig) -> list[str]:
    """The words of a command that computes the numbers of this view."""
    if settings.view == IMAGES:
        encoder = ["--encoder", settings.encoder] if settings.encoder else []
        line = ["python", "-m", "cdp", "theory", "--set", settings.chosen or "SET"]
        return [*line, *encoder, "--json"]
    line = FORM.command("theory", config)
    return [*line[:4], "--view", settings.view, "--json", *line[4:]]
