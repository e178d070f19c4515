"""The settings of the Generate page: groups, which matter when, what a link or sheet may say."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import streamlit as st

from cdp.config.choices import LOSSES
from cdp.config.fields import Field, config_of, quoted, written
from cdp.config.generate import (
    AUTOGUIDANCE,
    CLAMPING,
    GenerateConfig,
    Guidance,
    negatives_of,
    positives_of,
    upgraded,
)
from cdp.data.presets import ALL_PRESETS, NOT_DECIDED
from cdp.errors import InputError
from cdp.ui.kit.address import any_text
from cdp.ui.kit.choices import Choices
from cdp.ui.kit.form import Form, Group
from cdp.ui.kit.settings import Settings, from_link
from cdp.ui.kit.widgets import choice, several

GUIDANCE = tuple(Guidance.model_fields)
_EMPTY = {"dataset": "the model's own", "weak_model": "none"}
"""What a name that is left empty stands for."""

Flat = Mapping[str, Any]


@dataclass
class Generation(Settings[GenerateConfig]):
    """job: id of the generation on the page, which a reload and another tab find again."""

    job: str = ""

    def carry(self, before: Self) -> None:
        """A link that names no generation leaves the one on the page."""
        self.job = self.job or before.job


def _relative(flat: Flat) -> bool:
    return bool(flat["strength_mode"] == "relative")


def _compares(flat: Flat) -> bool:
    return LOSSES[flat["loss"]].contrasts


def _banked(flat: Flat) -> bool:
    """Whether images meet others than those of their batch."""
    keys = Guidance.model_construct(
        loss=flat["loss"], positives=flat["positives"], negatives=flat["negatives"]
    )
    banked = positives_of(keys) == "real" or negatives_of(keys) in ("real", "memory")
    return (_compares(flat) and banked) or LOSSES[flat["loss"]].robustness


_GUIDED: Mapping[str, Callable[[Flat], bool]] = {
    "strength": _relative,
    "raw_lambda": lambda flat: not _relative(flat),
    "factor": lambda flat: not _relative(flat),
    "bank_size": _banked,
    "positives": _compares,
    "negatives": _compares,
    "head": _compares,
    "head_hidden": lambda flat: _compares(flat) and flat["head"],
    "head_out": lambda flat: _compares(flat) and flat["head"],
}
"""Settings of guidance that only some losses have."""


def _when(name: str) -> Callable[[Flat], bool]:
    rule = _GUIDED.get(name, lambda flat: True)
    if any(name in loss.settings for loss in LOSSES.values()):
        return lambda flat: name in LOSSES[flat["loss"]].settings
    return lambda flat: flat["loss"] != "none" and rule(flat)


FORM: Form[Generation] = Form(
    config=GenerateConfig,
    prefix="generate",
    state=Generation,
    params=(any_text("job", longest=20),),
    groups=(
        Group("What", ("model", "classes", ("count", "seed"), "dataset", "batch")),
        Group(
            "How strong",
            (
                *("loss", "encoder", "strength", "raw_lambda", "temperature", "margin"),
                *("strength_mode", "factor", "positives", "negatives", "bank_size", "tau_plus"),
                *("beta", "spread", "bandwidth", "kappa_low", "kappa_high", "unguided_share"),
                *("head", "head_hidden", "head_out"),
            ),
        ),
        Group("Where", ("window", "schedule", "noise_limit", "point")),
        Group(
            "Which solver",
            ("solver", "steps", "eta", "clip_sample", "cfg_scale", "precision", "compile"),
        ),
        Group("Autoguidance", ("weak_model", "autoguidance_scale", "noise levels")),
    ),
    presets=ALL_PRESETS,
    unchanged=NOT_DECIDED,
    when={name: _when(name) for name in GUIDANCE if name != "loss"}
    | {
        "eta": lambda flat: flat["solver"] == "ddim",
        "clip_sample": lambda flat: flat["solver"] in CLAMPING,
    }
    | {name: lambda flat: bool(flat["weak_model"]) for name in AUTOGUIDANCE[1:]},
    ratios=("strength", "temperature"),
    spans={
        "window": ("window_stop", "window_start"),
        "noise levels": ("autoguidance_stop", "autoguidance_start"),
    },
    folded=("dataset", "noise levels"),
    folds=True,
)
"""A preset leaves model, classes, count and seed as they are, so that presets can be compared on
the same noise."""


def opened(catalog: Choices) -> Generation:
    """This session's settings; where the address changed under the page, what it says."""
    settings = FORM.open()
    if settings.fresh:
        settle(settings, catalog)
    return settings


def restored(flat: Flat, catalog: Choices) -> Generation:
    """The settings of a saved sheet, checked like a link."""
    settings = from_link(
        FORM, {str(name): written(value) for name, value in upgraded(flat).items()}
    )
    settle(settings, catalog)
    return settings


def settle(settings: Generation, catalog: Choices) -> None:
    """Put right, and note, what is not here or does not fit together."""
    flat, plain, notes = settings.flat, FORM.plain(), settings.notes
    for name in ("model", "dataset", "encoder", "weak_model"):
        names = catalog.offered(name, flat)
        if flat[name] == plain[name] or names is None or flat[name] in names:
            continue
        if not names and name != "weak_model":
            continue
        usual = plain[name] or _EMPTY[name]
        if name == "encoder":
            usual = catalog.encoder(flat | {name: plain[name]})
        are = ("is " if len(names) == 1 else "are ") + (", ".join(names) or "none that fit")
        notes.append(f"{name}: {quoted(flat[name])} is not here, so {usual} is used: there {are}.")
        flat[name] = plain[name]
    if flat["encoder"] == plain["encoder"]:
        # The usual one may be of another data set than the model's.
        flat["encoder"] = catalog.encoder(flat)
    classes = catalog.class_names(flat)
    if unknown := [c for c in flat["classes"] if not 0 <= c < len(classes)]:
        has = f"has classes 0 to {len(classes) - 1}" if classes else "knows no classes"
        notes.append(f"classes: {', '.join(map(str, unknown))} left out, this model {has}.")
        flat["classes"] = [c for c in flat["classes"] if c not in unknown]
    _combine(settings)
    settings.start = dict(settings.flat)


def _combine(settings: Generation) -> None:
    plain, reason = FORM.plain(), ""
    for back, names in (
        ("", ()),
        ("the guidance settings", GUIDANCE),
        ("all settings", tuple(plain)),
    ):
        settings.flat |= {name: plain[name] for name in names}
        try:
            config_of(GenerateConfig, settings.flat)
        except InputError as error:
            reason = reason or str(error)
            continue
        if back:
            settings.notes.append(
                f"These settings do not fit together, so {back} are back at the defaults"
                f" ({reason})."
            )
        return


def controls(
    settings: Generation,
    catalog: Choices,
    warnings: Mapping[str, str],
    below: Mapping[str, Callable[[], None]],
) -> None:
    """All controls, top to bottom. warnings: by setting; below: by group, drawn at its end."""
    own: dict[str, Callable[[], None]] = {
        name: partial(_named, FORM.fields[name], settings, catalog)
        for name in ("model", "encoder", "dataset", "weak_model")
    }
    own["classes"] = partial(_classes, FORM.fields["classes"], settings, catalog)
    sources = "\n\n".join(f"**{p.title}.** {p.source}" for p in ALL_PRESETS.values())
    FORM.draw(settings, own, below=below, warnings=warnings, preset_help=sources)


def _named(field: Field, settings: Generation, catalog: Choices) -> None:
    """One of the models, encoders or data sets that are here."""
    names, titles = catalog.offered(field.name, settings.flat) or (), catalog.titles
    value = settings.flat[field.name]
    if field.name == "dataset":
        own = catalog.dataset(settings.flat | {"dataset": ""})
        names = ("", *names)
        titles = {"": f"the model's own ({own})" if own else "the model names none"}
    if field.name == "weak_model":
        names, titles = ("", *names), field.titles
    after = partial(follow_model, settings, catalog) if field.name == "model" else None
    options = list(names) if value in names else [value, *names]
    choice(field, settings, options, titles=titles, after=after)
    if field.name == "weak_model" and len(options) == 1:
        of = shlex.quote(catalog.dataset(settings.flat) or "NAME")
        st.caption(
            "No other model of such images is here. A short training makes one: `python -m cdp"
            f" pretrain --dataset {of} --steps 2000 --name weak`."
        )


def follow_model(settings: Generation, catalog: Choices) -> None:
    """After another model was chosen: only data set, classes and encoder that go with it."""
    entry = catalog.models.get(settings.flat["model"])
    if entry is None:
        return
    encoder = catalog.encoder(settings.flat | {"dataset": ""})
    classes = [c for c in settings.flat["classes"] if c < len(entry.classes)]
    settings.replace({"dataset": "", "encoder": encoder, "classes": classes, "weak_model": ""})


def _classes(field: Field, settings: Generation, catalog: Choices) -> None:
    if names := catalog.class_names(settings.flat):
        title, every, hint = names.__getitem__, range(len(names)), f"All {len(names)} classes"
        several(field, settings, every, title=title, placeholder=hint, read=sorted)
