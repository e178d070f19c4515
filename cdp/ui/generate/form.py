"""The controls of the Generate page, drawn from the config's own metadata and grouped as a person
thinks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import streamlit as st

from cdp.config.presets import PRESETS
from cdp.ui.generate.state import CUSTOM, Settings
from cdp.ui.kit.catalog import Catalog
from cdp.ui.kit.fields import TITLES, Field, fields, relevant
from cdp.ui.kit.widgets import bound, choice, key_of, number_of, on_ladder

LADDERS = ("strength", "temperature")
"""Sliders whose values are felt in ratios, so their steps are even in ratio."""


@dataclass(frozen=True)
class Group:
    """One heading of the left column and its knobs; those marked advanced in the config go under a
    fold."""

    title: str
    names: tuple[str, ...]


GROUPS = (
    Group("What", ("model", "classes", "count", "seed", "dataset", "batch")),
    Group(
        "How strong",
        (
            "loss",
            "encoder",
            "strength",
            "raw_lambda",
            "temperature",
            "margin",
            "strength_mode",
            "factor",
            "positives",
            "negatives",
            "bank_size",
            "tau_plus",
            "beta",
            "head",
            "head_hidden",
            "head_out",
        ),
    ),
    Group("Where", ("window", "schedule", "noise_limit", "point")),
    Group(
        "Which solver",
        ("solver", "steps", "eta", "clip_sample", "cfg_scale", "precision", "compile"),
    ),
)
SPREAD = {"window": ("window_stop", "window_start")}
"""Two knobs that are one range to a person."""
BESIDE = (("count", "seed"),)
"""Short controls that share a row."""
FOLDED = ("dataset",)
"""Follows from the model, so it is seldom touched."""


def controls(
    held: Settings,
    catalog: Catalog,
    warnings: dict[str, str],
    below: Mapping[str, Callable[[], None]],
) -> None:
    """All groups, top to bottom; every change goes into ``held``.

    warnings: field name -> sentence to stand beside it; below: group title -> what else to draw at
    its end, before the fold.
    """
    for group in GROUPS:
        with st.container(key=f"group_{group.title.lower().replace(' ', '_')}", gap="xsmall"):
            st.subheader(group.title, anchor=False)
            if group.title == "What":
                _preset(held)
            shown = [
                name for name in group.names if relevant(SPREAD.get(name, (name,))[0], held.flat)
            ]
            plain = [name for name in shown if not _folded(name)]
            for names in _rows(plain):
                for column, name in zip(
                    st.columns(len(names), gap="small") if len(names) > 1 else [st.container()],
                    names,
                    strict=True,
                ):
                    with column:
                        _control(name, held, catalog, warnings)
            below.get(group.title, lambda: None)()
            folded = [name for name in shown if _folded(name)]
            if folded:
                # A warning must be seen, so it opens the fold.
                with st.expander(
                    "More settings",
                    expanded=any(name in warnings for name in folded),
                    key=f"more_{group.title}",
                ):
                    for name in folded:
                        _control(name, held, catalog, warnings)


def _rows(names: list[str]) -> list[tuple[str, ...]]:
    """Names in the order of drawing, short ones two a row."""
    second = {b for a, b in BESIDE if a in names}
    rows = dict(BESIDE)
    return [
        (name, rows[name]) if rows.get(name) in names else (name,)
        for name in names
        if name not in second
    ]


def _folded(name: str) -> bool:
    return name in FOLDED or (name not in SPREAD and fields()[name].advanced)


def _preset(held: Settings) -> None:
    current = held.preset
    names = [*PRESETS, *([CUSTOM] if current == CUSTOM else [])]
    # Which preset this is follows from all other controls, so its key does too.
    key = f"control_preset_{current}_{held.turn}"

    def chosen() -> None:
        if st.session_state[key] in PRESETS:
            held.apply_preset(st.session_state[key])

    st.selectbox(
        "Preset",
        names,
        names.index(current),
        key=key,
        on_change=chosen,
        format_func=lambda n: PRESETS[n].title if n in PRESETS else "Custom",
        help="\n\n".join(f"**{p.title}.** {p.source}" for p in PRESETS.values()),
    )


def _control(name: str, held: Settings, catalog: Catalog, warnings: dict[str, str]) -> None:
    if name in SPREAD:
        _window(held, *SPREAD[name])
    else:
        _draw(fields()[name], held, catalog)
    for leaf in SPREAD.get(name, (name,)):
        if leaf in warnings:
            st.warning(warnings[leaf])


def _window(held: Settings, stop: str, start: str) -> None:
    low, high = fields()[stop], fields()[start]
    key = key_of("window", held)

    def moved() -> None:
        bottom, top = st.session_state[key]
        held.put(stop, bottom)
        held.put(start, top)

    st.slider(
        f"Window :gray[{low.unit}]",
        low.low,
        high.high,
        (held.flat[stop], held.flat[start]),
        step=0.01,
        key=key,
        on_change=moved,
        help=f"{high.tooltip}\n\n{low.tooltip}",
    )


def _draw(field: Field, held: Settings, catalog: Catalog) -> None:
    value = held.flat[field.name]
    if field.kind == "classes":
        _classes(field, held, catalog)
    elif field.kind == "text":
        names, titles = catalog.choices(field.name, held.flat) or (), catalog.titles
        if field.name == "dataset":
            own = catalog.dataset(held.flat | {"dataset": ""})
            names, titles = (
                ("", *names),
                {"": f"the model's own ({own})" if own else "the model names none"},
            )
        after = (lambda: follow_model(held, catalog)) if field.name == "model" else None
        choice(
            field,
            held,
            list(names) if value in names else [value, *names],
            titles=titles,
            after=after,
        )
    elif field.kind == "choice":
        choice(field, held, list(field.choices), title=TITLES)
    elif field.kind == "flag":
        st.toggle(field.heading, value, help=field.tooltip, **bound(field, held))
    elif field.name in LADDERS:
        on_ladder(field, held)
    else:
        number_of(field, held)


def follow_model(held: Settings, catalog: Catalog) -> None:
    """After another model was chosen: its data set, and only classes and an encoder that go with
    it."""
    entry = catalog.models.get(held.flat["model"])
    if entry is None:
        return
    encoder = catalog.encoder(held.flat | {"dataset": ""})
    held.replace(
        {
            "dataset": "",
            "encoder": encoder,
            "classes": [c for c in held.flat["classes"] if c < len(entry.classes)],
        }
    )


def _classes(field: Field, held: Settings, catalog: Catalog) -> None:
    names = catalog.class_names(held.flat)
    if names:
        chosen = [c for c in held.flat["classes"] if c < len(names)]
        st.multiselect(
            field.heading,
            range(len(names)),
            chosen,
            format_func=lambda c: names[c],
            placeholder=f"All {len(names)} classes",
            help=field.help,
            **bound(field, held, sorted),
        )
