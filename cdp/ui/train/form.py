"""The settings of the Train page: how they are grouped and drawn, and what its address says."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import streamlit as st

from cdp.config.fields import quoted, split
from cdp.config.knobs import Frozen, parse
from cdp.config.presets import TRAIN_PRESETS
from cdp.config.train import FURTHER_REAL, LENGTH, TrainConfig, automatic_name, overlaid, set_title
from cdp.errors import CdpError, InputError
from cdp.ui.kit.address import Param, any_text, whole
from cdp.ui.kit.choices import Choices, conventional_text, info_of
from cdp.ui.kit.command import command_fold, config_download
from cdp.ui.kit.form import Form, Group
from cdp.ui.kit.frame import link
from cdp.ui.kit.settings import Settings
from cdp.ui.kit.widgets import name_or_path, optional_number, reported, several
from cdp.ui.kit.words import plain
from cdp.ui.train.estimate import known_epoch
from cdp.ui.train.look import CURVE_PARAMS, CurveLook
from cdp.values.types import DatasetInfo
from cdp.work.failures import sentence

MOST_SEEDS, MOST_WATCHED = 10, 20
NOTHING = "none"
"""No run is watched; without the parameter the page chooses."""
UNLABELLED = 3
"""Sets without labels that are named below the synthetic ones."""
MOST_CEILINGS = 4
"""Counts of further real images on offer; a link or a command can have others."""


@dataclass
class Training(CurveLook, Settings[TrainConfig]):
    """seeds: how many, one run each; name: typed, of the runs; watched: ids of runs, None until
    somebody chose; opened: the run shown in detail, "" for the last watched."""

    seeds: int = 1
    name: str = ""
    watched: tuple[str, ...] | None = None
    opened: str = ""

    def configs(self) -> list[TrainConfig]:
        """One config a seed: seed, seed + 1, and so on. Raises InputError where the values do not
        fit together."""
        first = self.flat["seed"]
        return [parse(TrainConfig, self.flat | {"seed": first + k}) for k in range(self.seeds)]

    def use(self, config: Frozen) -> None:
        """Take over the settings of a run."""
        super().use(config)
        self.seeds, self.name = 1, ""

    def watch(self, ids: Sequence[str]) -> None:
        """Have exactly these on the curves, the last ones where they are too many."""
        self.watched = tuple(dict.fromkeys(ids))[-MOST_WATCHED:]

    def carry(self, before: Self) -> None:
        """A link that names no runs leaves those on the page as they are."""
        self.watched = before.watched if self.watched is None else self.watched
        self.carry_curves(before)


def _runs(text: str) -> tuple[str, ...]:
    return tuple(part for part in dict.fromkeys(split(text)) if part != NOTHING)[-MOST_WATCHED:]


FORM: Form[Training] = Form(
    config=TrainConfig,
    prefix="train",
    state=Training,
    groups=(
        Group.of("Data", "dataset real synthetic fraction held_out subset_seed balanced"),
        Group.of("Method", "method beta label_smoothing"),
        Group.of(
            "Budget",
            "norm epsilon attack_steps step_size attack_start warm_up validation_steps",
        ),
        Group.of("Model", "architecture augmentation ema_decay ema_warm_up precision compile"),
        Group.of(
            "Schedule",
            "length batch learning_rate momentum_cycle weight_decay validate_every overfitting"
            " seed+seeds name",
        ),
    ),
    params=(
        whole("seeds", 1, MOST_SEEDS, 1),
        any_text("name", longest=100),
        Param("runs", None, _runs, lambda ids: ",".join(ids) or NOTHING, attribute="watched"),
        any_text("run", attribute="opened"),
        *CURVE_PARAMS,
    ),
    presets=TRAIN_PRESETS,
    unchanged=("dataset", "synthetic", "subset_seed", "norm", "epsilon", "seed"),
    start="quick",
    when={
        "fraction": lambda flat: bool(flat["synthetic"]),
        "beta": lambda flat: flat["method"] != "pgd-at",
        "ema_warm_up": lambda flat: flat["ema_decay"] > 0,
        "subset_seed": lambda flat: flat["real"] not in (None, 0),
        "balanced": lambda flat: flat["real"] not in (None, 0),
    },
    spans={"length": LENGTH},
    paths=("dataset",),
    merge=overlaid,
    # The empty one of steps and epochs goes without saying where the other is set.
    unsaid=lambda name, value: name in LENGTH and value is None,
)
"""A preset leaves the data, the threat and the seed alone, so that presets can be compared on the
same question."""


def dataset_of(settings: Training, choices: Choices) -> tuple[DatasetInfo | None, str]:
    """What is known of the data set, or why it cannot be used."""
    try:
        return info_of(settings.flat["dataset"], choices), ""
    except (CdpError, OSError) as error:
        return None, sentence(error)


def settle(
    settings: Training, choices: Choices, info: DatasetInfo | None, here: Sequence[str]
) -> None:
    """Without synthetic sets that are not here or do not fit the data set, which is said; without
    runs that are gone, which is said of those that a link named. here: ids."""
    gone = [run for run in settings.watched or () if run not in here]
    if gone:
        settings.watched = tuple(run for run in settings.watched or () if run in here)
        if settings.fresh:
            more = " and others" * (len(gone) > 3)
            settings.notes.append(f"runs: {', '.join(map(quoted, gone[:3]))}{more} not here.")
    if info is None or not settings.flat["synthetic"]:
        return
    fitting, without = choices.fitting(settings.flat["dataset"], info), choices.unlabelled(info)
    reasons = {
        name: (
            "has no labels: have a classifier label it in the gallery"
            if name in without
            else "has other classes or another shape"
            if name in choices.sets
            else "is not here"
        )
        for name in settings.flat["synthetic"]
        if name not in fitting and not name.startswith(FURTHER_REAL)
    }
    if reasons:
        why = "; ".join(f"{name[:60]} {reason}" for name, reason in reasons.items())
        settings.replace(
            {"synthetic": [name for name in settings.flat["synthetic"] if name not in reasons]},
            [*settings.notes, f"Left out of the synthetic sets: {why}."],
        )


def form(settings: Training, choices: Choices, info: DatasetInfo | None, wrong: str) -> None:
    """All controls, top to bottom. info, wrong: of the data set, as ``dataset_of`` answers."""

    def images() -> None:
        batch = settings.flat["batch"]
        share = round(settings.flat["fraction"] * batch)
        st.caption(f"{share:,} of {batch:,} images in every batch")

    FORM.draw(
        settings,
        {
            "dataset": lambda: _dataset(settings, choices, info, wrong),
            "synthetic": lambda: _synthetic(settings, choices, info),
            "length": lambda: _length(settings),
            "seeds": lambda: _seeds(settings),
            "name": lambda: _name(settings),
        },
        below={"fraction": images},
        empty=lambda name: empty(name, settings.flat, info),
        preset_help="Leaves data set, synthetic sets, subset seed, norm, budget and seed as they are.",
    )


def empty(name: str, flat: Mapping[str, Any], info: DatasetInfo | None) -> str:
    """What an optional number stands for where it is left empty; "" where the config says it."""
    settings = {"dataset": flat["dataset"], "attack_steps": flat["attack_steps"]}
    steps = TrainConfig.model_construct(**settings).pgd_steps
    conventional = info.conventional(flat["norm"]) if info else None
    epsilon = flat["epsilon"] or conventional
    if name == "attack_steps":
        return f"{steps} (conventional)"
    if name == "epsilon":
        return conventional_text(conventional)
    if name == "step_size":
        return "2.5 budgets / steps" if epsilon is None else f"{2.5 * epsilon / steps:.3g} (rule)"
    return ""


def _dataset(settings: Training, choices: Choices, info: DatasetInfo | None, wrong: str) -> None:
    """The data set by name, or a path that is typed; what is wrong with it stands below."""
    field = FORM.fields["dataset"]
    names = [*choices.builtin, *choices.imported]
    titles = {name: known.title for name, known in choices.builtin.items()}
    path = "Or the path of an .npz (image, label) or of a folder with one sub-folder a class."
    name_or_path(field, settings, names, titles, help=f"{field.tooltip}\n\n{path}")
    if info is None:
        st.error(plain(f"{wrong}."))
        return
    channels, height, width = info.shape
    colours = "grey" if channels == 1 else f"{channels} channels"
    st.caption(f"{len(info.classes)} classes, {height} x {width}, {colours}")


def _length(settings: Training) -> None:
    """Steps or epochs: the box of the unit that is not set tells what the other comes to, and
    typing into it changes over."""
    each, total = None, None
    with suppress(InputError):  # the settings do not fit together, which is said beside the button
        config = settings.config()
        each = known_epoch(config)
        total = config.total_steps(each) if each else None
    epochs = _epochs_text(total / each) if each and total else ""
    for column, name, empty in zip(
        st.columns(2, gap="small"), LENGTH, (f"{total:,}" if total else "", epochs), strict=True
    ):
        with column:
            optional_number(FORM.fields[name], settings, empty, put=partial(_set_length, settings))
    if each and total:
        images = f"{total * settings.flat['batch']:,} images seen"
        st.caption(f"{total:,} steps, {epochs} epochs of {each:,} steps, {images}")


def _set_length(settings: Training, name: str, value: int | None) -> None:
    """One unit takes the place of the other; emptying the one that is set leaves it as it was."""
    settings.replace(overlaid(settings.flat, {name: value}) if value is not None else {})


def _epochs_text(epochs: float) -> str:
    return f"{epochs:,.0f}" if epochs >= 100 or epochs == round(epochs) else f"{epochs:,.1f}"


def _synthetic(settings: Training, choices: Choices, info: DatasetInfo | None) -> None:
    dataset = settings.flat["dataset"]
    fitting = choices.fitting(dataset, info)
    options = [*fitting, *ceilings(settings.flat, [choices.sets[name].count for name in fitting])]

    def title(name: str) -> str:
        if name.startswith(FURTHER_REAL):
            return f"{set_title(name)}: the ceiling"
        saved = choices.sets[name]
        foreign = f", made for {saved.dataset}" if saved.dataset not in ("", dataset) else ""
        return f"{name} ({saved.count:,}{foreign})"

    if options:
        none = "none: real images alone"
        several(FORM.fields["synthetic"], settings, options, title=title, placeholder=none)
    if not fitting:
        count = len(choices.sets)
        saved = f"none of {count} saved sets fits this data set" if count else "no set is saved yet"
        st.caption(f"Synthetic sets: {saved}.")
        link("generate", "Generate images")
    for name in choices.unlabelled(info)[:UNLABELLED]:
        st.caption(plain(f"{name} has no labels, so it cannot be trained on."))
        link("gallery", "Let a classifier label it", "label", set=name)


def ceilings(flat: Mapping[str, Any], counts: Sequence[int]) -> list[str]:
    """Further real images in place of a synthetic set: as many as the sets of ``counts`` images
    have, else as there are real ones; and what is chosen already. None where all real images are
    taken."""
    chosen = [name for name in flat["synthetic"] if name.startswith(FURTHER_REAL)]
    offered = list(dict.fromkeys(counts))[:MOST_CEILINGS] or [flat["real"]]
    more = [f"{FURTHER_REAL}{n}" for n in offered if n and flat["real"] is not None]
    return list(dict.fromkeys([*chosen, *more]))


def _seeds(settings: Training) -> None:
    def put(seeds: int) -> None:
        settings.seeds = seeds

    st.number_input(
        "Seeds at once",
        1,
        MOST_SEEDS,
        settings.seeds,
        **reported(settings.key("seeds"), settings.seeds, put, lambda given: int(given or 1)),
        help="One run a seed: seed, seed + 1, and so on. The curves show their mean and band.",
    )


def _name(settings: Training) -> None:
    def put(name: str) -> None:
        settings.name = name

    config = settings.config_or_none()
    st.text_input(
        "Name",
        settings.name,
        **reported(settings.key("name"), settings.name, put, lambda text: (text or "").strip()),
        max_chars=80,
        placeholder=automatic_name(config) if config else "",
        help="Of the run, with a number where it is taken. Several seeds add -s0, -s1 and so on.",
    )


def elsewhere(settings: Training) -> None:
    """The command line and a config file, folded; nothing where the settings do not fit together."""
    try:
        config = settings.configs()[0]
    except InputError:
        return
    file = f"{settings.name or automatic_name(config)}.yaml"
    line = command(config, settings.seeds, settings.name)
    download = partial(config_download, config, file, "train", key="train_yaml")
    command_fold("train", line, more=download)


def command(config: TrainConfig, seeds: int = 1, name: str = "") -> str:
    """A shell line that trains this config, or as many seeds of it."""
    line = FORM.command("train", config, skip=("seed",) if seeds > 1 else ())
    if seeds == 1:
        return shlex.join([*line, *(["--name", name] if name else [])])
    numbers = " ".join(str(config.seed + k) for k in range(seeds))
    named = f' --name {shlex.quote(name)}-s"$seed"' if name else ""
    return f'for seed in {numbers}; do {shlex.join(line)} --seed "$seed"{named}; done'
