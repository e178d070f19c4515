"""The left column of the Train page: data, method, budget, model and schedule, drawn from the
config's own metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import streamlit as st

from cdp.config.fields import Field, fields_of
from cdp.config.presets import TRAIN_PRESETS
from cdp.config.train import (
    FURTHER_REAL,
    LENGTH,
    TrainConfig,
    attack_steps_of,
    automatic_name,
    overlaid,
    set_title,
)
from cdp.errors import CdpError, InputError
from cdp.ui.kit.choices import Choices, info_of
from cdp.ui.kit.widgets import (
    bound,
    choice,
    key_of,
    number_of,
    optional_number,
    several,
    text_of,
)
from cdp.ui.kit.words import plain
from cdp.ui.train.estimate import known_epoch
from cdp.ui.train.state import (
    CUSTOM,
    DECIDED,
    MOST_SEEDS,
    Trained,
    plain_of,
    replaced_unit,
    value_text,
)
from cdp.values.text import counted, exact_text, listed
from cdp.values.types import DatasetInfo
from cdp.work.failures import sentence

CHANGES_SAID = 4
UNLABELLED = 3
"""Sets without labels that the list of synthetic sets leads on from."""
MOST_CEILINGS = 4
"""Counts of further real images that the list of sets offers; others can be written in a link or a
command."""


@dataclass(frozen=True)
class Group:
    """One heading and its knobs, each row the knobs that stand side by side; those marked advanced
    in the config go under the fold."""

    title: str
    rows: tuple[tuple[str, ...], ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for row in self.rows for name in row)


GROUPS = (
    Group(
        "Data",
        (
            ("dataset",),
            ("real",),
            ("synthetic",),
            ("fraction",),
            ("held_out",),
            ("subset_seed",),
            ("balanced",),
        ),
    ),
    Group("Method", (("method",), ("beta",), ("label_smoothing",))),
    Group(
        "Budget",
        (
            ("norm",),
            ("epsilon",),
            ("attack_steps",),
            ("step_size",),
            ("attack_start",),
            ("warm_up",),
            ("validation_steps",),
        ),
    ),
    Group(
        "Model",
        (
            ("architecture",),
            ("augmentation",),
            ("ema_decay",),
            ("ema_warm_up",),
            ("precision",),
            ("compile",),
        ),
    ),
    Group(
        "Schedule",
        (
            LENGTH,
            ("batch",),
            ("learning_rate",),
            ("momentum_cycle",),
            ("weight_decay",),
            ("validate_every",),
            ("overfitting",),
            ("seed",),
        ),
    ),
)


def dataset_of(held: Trained, choices: Choices) -> tuple[DatasetInfo | None, str]:
    """What is known of the data set, or why it cannot be used."""
    try:
        return info_of(held.flat["dataset"], choices), ""
    except (CdpError, OSError) as error:
        return None, sentence(error)


def form(held: Trained, choices: Choices, info: DatasetInfo | None, wrong: str) -> None:
    """All controls, top to bottom. info, wrong: of the data set, as ``dataset_of`` answers."""
    with st.container(key="train_form", gap="small"):
        _preset(held)
        for group in GROUPS:
            with st.container(key=f"train_group_{group.title.lower()}", gap="xsmall"):
                st.subheader(group.title, anchor=False)
                if group.title == "Data":
                    _dataset(held, choices, info, wrong)
                _rows(group, held, choices, info, advanced=False)
                if group.title == "Schedule":
                    _runs(held)
        _advanced(held, choices, info)


def relevant(name: str, flat: Mapping[str, Any]) -> bool:
    """Whether a knob does anything under these settings; those that do not are not shown."""
    if name == "fraction":
        return bool(flat["synthetic"])
    if name == "beta":
        return bool(flat["method"] != "pgd-at")
    if name == "ema_warm_up":
        return flat["ema_decay"] > 0
    if name in ("subset_seed", "balanced"):
        return flat["real"] not in (None, 0)
    return True


def changed_from(flat: Mapping[str, Any], base: str) -> list[str]:
    """What differs from a preset in what presets decide: "batch 64 (128)", "epochs 5 (375
    steps)"."""
    was, known = plain_of(base), fields_of(TrainConfig)
    return [
        f"{known[name].label.lower()} {value_text(name, flat[name])}"
        f" ({_other_unit(was) if replaced_unit(name, was[name]) else value_text(name, was[name])})"
        for name in DECIDED
        if flat[name] != was[name] and not replaced_unit(name, flat[name])
    ]


def _other_unit(flat: Mapping[str, Any]) -> str:
    steps, epochs = flat["steps"], flat["epochs"]
    return counted(epochs, "epoch") if steps is None else counted(steps, "step")


def settle(held: Trained, choices: Choices, info: DatasetInfo | None) -> None:
    """Without synthetic sets that are not here or do not fit the data set, which is said."""
    if info is None or not held.flat["synthetic"]:
        return
    fitting = choices.fitting(held.flat["dataset"], info)
    gone = [
        name
        for name in held.flat["synthetic"]
        if name not in fitting and not name.startswith(FURTHER_REAL)
    ]
    if gone:
        without = choices.unlabelled(info)
        reason = {
            name: (
                "has no labels: let a classifier give them in the gallery"
                if name in without
                else "has other classes or another shape"
                if name in choices.sets
                else "is not here"
            )
            for name in gone
        }
        told = "; ".join(f"{name[:60]} {why}" for name, why in reason.items())
        held.replace(
            {"synthetic": [name for name in held.flat["synthetic"] if name not in gone]},
            [*held.notes, f"Left out of the synthetic sets: {told}."],
        )


def _preset(held: Trained) -> None:
    current = held.preset
    names = [*TRAIN_PRESETS, *([CUSTOM] if current == CUSTOM else [])]
    # Which preset this is follows from all other controls, so its key does too.
    key = f"train_preset_{current}_{held.turn}"

    def chosen() -> None:
        if st.session_state[key] in TRAIN_PRESETS:
            held.apply_preset(st.session_state[key])

    st.selectbox(
        "Preset",
        names,
        names.index(current),
        key=key,
        on_change=chosen,
        format_func=lambda name: TRAIN_PRESETS[name].title if name in TRAIN_PRESETS else "Custom",
        help="Sets everything but data set, synthetic sets, subset seed, norm, budget and seed.",
    )
    if current != CUSTOM:
        st.caption(plain(TRAIN_PRESETS[current].source))
        return
    changes = changed_from(held.flat, held.base)
    st.caption(
        plain(f"Changed from {TRAIN_PRESETS[held.base].title}: {listed(changes, CHANGES_SAID)}.")
    )


def _dataset(held: Trained, choices: Choices, info: DatasetInfo | None, wrong: str) -> None:
    """The data set by name, or a path that is typed; what is wrong with it stands below."""
    field = fields_of(TrainConfig)["dataset"]
    options = [*choices.builtin, *choices.imported]
    value = held.flat["dataset"]
    if value not in options:
        options.append(value)
    titles = {name: info.title for name, info in choices.builtin.items()}
    st.selectbox(
        field.heading,
        options,
        options.index(value),
        format_func=lambda name: titles.get(name, name),
        accept_new_options=True,
        help=(
            f"{field.tooltip}\n\nType the path of an .npz (image, label) or of a folder with one"
            " folder a class to use your own."
        ),
        **bound(
            field,
            held,
            lambda given: (given or held.flat["dataset"]).strip()[:400] or held.flat["dataset"],
        ),
    )
    if info is None:
        st.error(plain(f"{wrong}."))
        return
    channels, height, width = info.shape
    st.caption(
        f"{len(info.classes)} classes, {height} x {width},"
        f" {'grey' if channels == 1 else f'{channels} channels'}"
    )


def _length(held: Trained) -> None:
    """Steps or epochs: the box of the unit that is not set tells what the other comes to, and
    typing into it changes over."""
    known, flat, each, total = fields_of(TrainConfig), held.flat, None, None
    with suppress(
        InputError
    ):  # where the settings do not fit together, which is said beside the button
        config = held.config()
        each = known_epoch(config)
        total = config.total_steps(each) if each else None
    told = {
        "steps": f"{total:,}" if total else "",
        "epochs": _epochs_text(total / each) if each and total else "",
    }
    for column, name in zip(st.columns(2, gap="small"), LENGTH, strict=True):
        with column:
            optional_number(
                known[name],
                held,
                told[name],
                put=lambda name, value: _set_length(held, name, value),
            )
    if each and total:
        images = f"{total * flat['batch']:,} images seen"
        st.caption(
            f"{total:,} steps, {_epochs_text(total / each)} epochs of {each:,} steps, {images}"
        )


def _set_length(held: Trained, name: str, value: int | None) -> None:
    """One unit takes the place of the other; emptying the one that is set leaves it as it was."""
    held.replace(overlaid(held.flat, {name: value}) if value is not None else {})


def _epochs_text(epochs: float) -> str:
    return f"{epochs:,.0f}" if epochs >= 100 or epochs == round(epochs) else f"{epochs:,.1f}"


def _rows(
    group: Group, held: Trained, choices: Choices, info: DatasetInfo | None, *, advanced: bool
) -> None:
    known = fields_of(TrainConfig)
    for row in group.rows:
        if row == LENGTH:
            if not advanced:
                _length(held)
            continue
        names = [
            name
            for name in row
            if known[name].advanced is advanced
            and name not in ("dataset", "seed")
            and relevant(name, held.flat)
        ]
        if not names:
            continue
        for column, name in zip(
            st.columns(len(names), gap="small") if len(names) > 1 else [st.container()],
            names,
            strict=True,
        ):
            with column:
                _control(known[name], held, choices, info)


def _control(field: Field, held: Trained, choices: Choices, info: DatasetInfo | None) -> None:
    if field.kind == "names":
        _synthetic(field, held, choices, info)
    elif field.kind == "choice":
        choice(field, held, list(field.choices), title=field.title)
    elif field.kind == "flag":
        st.toggle(field.heading, held.flat[field.name], help=field.tooltip, **bound(field, held))
    elif field.kind == "text":
        text_of(field, held)
    elif field.optional:
        optional_number(field, held, empty(field.name, held.flat, info))
    else:
        number_of(field, held)
    if field.name == "fraction":
        st.caption(
            f"{round(held.flat['fraction'] * held.flat['batch']):,} of {held.flat['batch']:,}"
            " images in every batch"
        )


def empty(name: str, flat: Mapping[str, Any], info: DatasetInfo | None) -> str:
    """What an optional number stands for where it is left empty."""
    if name == "real":
        return "all"
    steps = attack_steps_of(
        TrainConfig.model_construct(dataset=flat["dataset"], attack_steps=flat["attack_steps"])
    )
    if name == "attack_steps":
        return f"{steps} (conventional)"
    conventional = info.conventional(flat["norm"]) if info else None
    if name == "epsilon":
        return (
            "no convention: set one"
            if conventional is None
            else f"{exact_text(conventional)} (conventional)"
        )
    epsilon = flat["epsilon"] or conventional
    return (
        "2.5 budgets / steps" if epsilon is None else f"{2.5 * epsilon / steps:.3g} (by the rule)"
    )


def _synthetic(field: Field, held: Trained, choices: Choices, info: DatasetInfo | None) -> None:
    fitting = choices.fitting(held.flat["dataset"], info)
    options = [*fitting, *ceilings(held.flat, [choices.sets[name].count for name in fitting])]
    if options:
        several(
            field,
            held,
            options,
            title=lambda name: _named(name, held.flat["dataset"], choices),
            placeholder="none: real images alone",
        )
    if not fitting:
        others = len(choices.sets)
        told = (
            f"None of the {others} saved sets has the classes and the shape of this data set."
            if others
            else "No set is saved yet."
        )
        st.caption(f"Synthetic sets: none. {told}")
        st.page_link("pages/generate.py", label="Generate images", icon=":material/arrow_forward:")
    for name in choices.unlabelled(info)[:UNLABELLED]:
        st.caption(plain(f"{name} has no labels, so it cannot be trained on."))
        st.page_link(
            "pages/gallery.py",
            label="Let a classifier label it",
            icon=":material/label:",
            query_params={"set": name},
        )


def ceilings(flat: Mapping[str, Any], counts: Sequence[int]) -> list[str]:
    """Further real images that can stand in place of a synthetic set: as many as the sets of
    ``counts`` images have, else as there are real ones; and what is chosen already. None where all
    real images are taken."""
    own = [name for name in flat["synthetic"] if name.startswith(FURTHER_REAL)]
    found = list(dict.fromkeys(counts))[:MOST_CEILINGS] or [flat["real"]]
    return list(
        dict.fromkeys(
            [
                *own,
                *(
                    f"{FURTHER_REAL}{count}"
                    for count in found
                    if count and flat["real"] is not None
                ),
            ]
        )
    )


def _named(name: str, dataset: str, choices: Choices) -> str:
    if name.startswith(FURTHER_REAL):
        return f"{set_title(name)}: the ceiling"
    one = choices.sets[name]
    foreign = f", made for {one.dataset}" if one.dataset and one.dataset != dataset else ""
    return f"{name} ({one.count:,}{foreign})"


def _runs(held: Trained) -> None:
    """Seed, how many seeds at once, and what the runs are called."""
    left, right = st.columns(2, gap="small")
    with left:
        number_of(fields_of(TrainConfig)["seed"], held)
    key = key_of("seeds", held)

    def counted() -> None:
        held.seeds = int(st.session_state[key] or 1)

    right.number_input(
        "Seeds at once",
        1,
        MOST_SEEDS,
        held.seeds,
        key=key,
        on_change=counted,
        help="One run a seed: seed, seed + 1, and so on. The curves show their mean and band.",
    )
    name_key = key_of("name", held)

    def named() -> None:
        held.name = (st.session_state[name_key] or "").strip()

    st.text_input(
        "Name",
        held.name,
        key=name_key,
        on_change=named,
        max_chars=80,
        placeholder=_automatic(held),
        help=(
            "Of the run; a number is added where it is taken. With several seeds -s0, -s1 and so on"
            " follow it."
        ),
    )


def _automatic(held: Trained) -> str:
    try:
        return automatic_name(held.config())
    except InputError:
        return ""


def _advanced(held: Trained, choices: Choices, info: DatasetInfo | None) -> None:
    known = fields_of(TrainConfig)
    was = plain_of(held.base)
    moved = sum(field.advanced and held.flat[name] != was[name] for name, field in known.items())
    with st.expander(
        "Advanced settings" + (f" ({moved} changed)" if moved else ""), key="train_advanced"
    ):
        for group in GROUPS:
            if any(known[name].advanced and relevant(name, held.flat) for name in group.names):
                st.markdown(f"**{group.title}**")
                _rows(group, held, choices, info, advanced=True)
