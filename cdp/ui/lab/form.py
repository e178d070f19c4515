"""The settings of the Attack lab and its left column: which models, which image, which attack."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from cdp.config.fields import quoted
from cdp.config.knobs import parse
from cdp.config.lab import REACH, LabConfig, conventional_budget, rounded
from cdp.tasks.lab_images import load_upload
from cdp.ui.kit.address import Param, any_text
from cdp.ui.kit.choices import ClassifierChoice
from cdp.ui.kit.form import Form, Group
from cdp.ui.kit.settings import Settings
from cdp.ui.kit.widgets import choice, pick, reported
from cdp.ui.lab.result import thumbnail
from cdp.ui.lab.upload import upload
from cdp.values.types import DatasetInfo, Split

START = "fashion-mnist"
START_ROW = 4
"""The image of a first visit: a shirt, which the shipped robust encoder keeps at the conventional
budget and the standard one does not."""
OF_DATASET = ("model", "row", "image", "label", "epsilon", "target")
"""What means nothing in another data set."""
TEST, OWN = "Test image", "Upload"


@dataclass
class Lab(Settings[LabConfig]):
    """second: the model beside the first, "" for none; only: the class that the buttons stay in,
    None for any. uploading: whether the image comes from a person; moves: how often a button chose
    the row."""

    second: str = ""
    only: int | None = None
    uploading: bool = False
    moves: int = 0

    def open_dataset(self, name: str) -> None:
        """Begin with another data set, and the models that the page chooses for it."""
        self.second, self.only, self.uploading = "", None, False
        self.replace({key: self.plain[key] for key in OF_DATASET} | {"dataset": name})

    def go(self, row: int) -> None:
        """Show another test image."""
        self.put("row", row)
        self.moves += 1

    def budget(
        self, info: DatasetInfo, models: Mapping[str, ClassifierChoice]
    ) -> tuple[float, str]:
        """What the slider's range is measured in, and how that is called."""
        norm, first = self.flat["norm"], models.get(self.flat["model"])
        conventional = info.conventional(norm) is not None
        trained = first.trained_for.get(norm) if first else None
        if trained is not None and not conventional:
            return rounded(trained), "trained for"
        called = "conventional" if conventional else "after CIFAR-10"
        return conventional_budget(info, norm), called

    def attack_on(self, model: str, budget: float) -> LabConfig:
        """The attack on one model. Raises InputError where the values do not fit together."""
        epsilon = self.flat["epsilon"]
        own = {"model": model, "epsilon": budget if epsilon is None else epsilon}
        unlabelled = {} if self.flat["image"] else {"label": None}
        return parse(LabConfig, self.flat | own | unlabelled | {"largest": rounded(REACH * budget)})

    def keep(self, name: str, value: Any) -> None:
        """Take over what is no setting of the attack."""
        setattr(self, name, value)
        self.notes = []

    def set(self, name: str, value: Any, note: str = "") -> None:
        """Change a value before its control is drawn, which then shows it. note: why."""
        notes = [*self.notes, note] if note else self.notes
        if self.flat[name] != value:
            self.replace({name: value}, notes)
        self.notes = notes


def _class_number(text: str) -> int | None:
    if text and not (text.isdecimal() and len(text) < 4):
        raise ValueError("a class number")
    return int(text) if text else None


FORM: Form[Lab] = Form(
    config=LabConfig,
    prefix="lab",
    state=Lab,
    params=(
        any_text("second"),
        Param("only", None, _class_number, instead="images of every class are shown"),
    ),
    groups=(Group("", ("dataset", "model", "image", "norm", "attack", "target", "steps", "seed")),),
    # The models are always told, so that a link shows the same ones tomorrow.
    defaults={"model": ""},
    when={"target": lambda flat: flat["attack"] == "targeted"},
    hidden=("largest",),
)


def settle_models(
    settings: Lab, known: Mapping[str, str], models_of: Callable[[str], dict[str, ClassifierChoice]]
) -> dict[str, ClassifierChoice]:
    """Bring data set and models to what is here, with a note; returns the data set's models."""
    flat = settings.flat
    if settings.fresh:
        settings.uploading = bool(flat["image"])
        if not settings.address.params:
            flat["row"] = settings.start["row"] = START_ROW
    if flat["dataset"] not in known and known:
        other = START if START in known else next(iter(known))
        gone = f"{quoted(flat['dataset'])} is not here or has no classifier, so {other} is used."
        notes = [*settings.notes, f"dataset: {gone}"]
        settings.open_dataset(other)
        settings.notes = notes
    models = models_of(flat["dataset"])
    first = next(iter(models), "")
    if not flat["model"]:
        settings.set("model", first)
        # Beside it one that was not trained to withstand anything.
        plain = (name for name, item in models.items() if name != first and not item.trained_for)
        settings.second = settings.second or next(plain, "")
    elif flat["model"] not in models:
        note = f"model: {quoted(flat['model'])} is not here, so {first} is used."
        settings.set("model", first, note)
    if settings.second and settings.second not in models:
        gone = f"{quoted(settings.second)} is not here, so one model is shown."
        settings.notes.append(f"second: {gone}")
        settings.second = ""
    if settings.second == flat["model"]:
        settings.second = ""
    return models


def settle_values(settings: Lab, split: Split, largest: float) -> None:
    """Bring image, classes and budget to what the data set has; each that had to change is told."""
    info, flat = split.info, settings.flat
    last = len(info.classes) - 1
    for name in ("label", "target"):
        if flat[name] is not None and flat[name] > last:
            has = f"{flat[name]} is not a class of {info.title}, which has 0 to {last}"
            settings.set(name, None, f"{name}: {has}, so it is left open.")
    if settings.only is not None and not len(rows_of(split.label, settings.only)):
        none = f"there is no test image of class {settings.only}"
        settings.notes.append(f"only: {none}, so images of every class are shown.")
        settings.only = None
    if flat["row"] >= len(split):
        has = f"{info.title} has {len(split):,} test images here"
        settings.set("row", 0, f"row: {flat['row']:,} is not there, {has}, so row 0 is shown.")
    if flat["image"] and load_upload(flat["image"], info) is None:
        settings.uploading = False
        gone = "the uploaded image of this link is not on this machine any more"
        row = f"test image {flat['row']:,} is shown"
        settings.set("image", "", f"image: {gone}, so {row}: upload it again.")
    if flat["epsilon"] is not None and flat["epsilon"] > largest:
        beyond = f"{flat['epsilon']:g} is beyond {largest:g}, {REACH} times the usual budget"
        settings.set("epsilon", largest, f"epsilon: {beyond}, so {largest:g} is used.")
    if flat["target"] is not None and flat["target"] == true_class(settings, split):
        own = f"target: {info.classes[flat['target']]} is the image's own class, so the likeliest"
        settings.set("target", None, f"{own} other one is taken." if settings.fresh else "")


def true_class(settings: Lab, split: Split) -> int | None:
    """Of the image shown; None for an upload of which nobody says it."""
    flat = settings.flat
    return flat["label"] if flat["image"] else int(split.label[flat["row"]])


def rows_of(label: np.ndarray, only: int | None) -> np.ndarray:
    """Rows of one class, or all."""
    return np.arange(len(label)) if only is None else np.flatnonzero(np.asarray(label) == only)


def draw_form(
    settings: Lab,
    datasets: Mapping[str, str],
    models: Mapping[str, ClassifierChoice],
    split: Split | None,
) -> None:
    """All controls but the budget, top to bottom; without test images only data set and models."""
    form = FORM if split else replace(FORM, groups=(Group("", ("dataset", "model")),))
    own: dict[str, Callable[[], None]] = {
        "dataset": partial(_dataset, settings, datasets),
        "model": partial(_models, settings, models),
        "norm": partial(_norm, settings),
    }
    if split:
        own["image"] = partial(_image, settings, split)
        nothing, true = "the likeliest other class", true_class(settings, split)
        own["target"] = partial(_class, "target", settings, split, nothing, leave_out=true)
    form.draw(settings, own)


def _dataset(settings: Lab, datasets: Mapping[str, str]) -> None:
    field, key = FORM.fields["dataset"], settings.key("dataset")
    more: dict[str, Any] = {"help": field.tooltip, "placeholder": "choose one"}
    pick(field.heading, datasets, settings.flat["dataset"], settings.open_dataset, key=key, **more)


def _models(settings: Lab, models: Mapping[str, ClassifierChoice]) -> None:
    first = settings.flat["model"]
    if first not in models:
        return
    titles = {name: item.title for name, item in models.items()}
    choice(FORM.fields["model"], settings, list(models), titles=titles)
    others = {"": "none"} | {name: title for name, title in titles.items() if name != first}
    about = "A second model, under the same attack on the same image."
    key, put = f"{settings.key('second')}_{first}", partial(settings.keep, "second")
    pick("Beside it", others, settings.second, put, key=key, help=about)


def _norm(settings: Lab) -> None:
    field = FORM.fields["norm"]

    def other() -> None:
        settings.replace({"epsilon": None})  # a budget of one norm means nothing in the other

    choice(field, settings, field.choices, title=field.title, after=other)


def _image(settings: Lab, split: Split) -> None:
    """A test image, or one of a person's own."""
    source = OWN if settings.uploading else TEST

    def chosen(source: str) -> None:
        settings.uploading = source == OWN
        settings.put("image", "")

    st.segmented_control(
        "Image",
        [TEST, OWN],
        default=source,
        required=True,
        **reported(settings.key("source"), source, chosen),
        width="stretch",
    )
    if not settings.uploading:
        _test_image(settings, split)
        return
    upload(settings, split.info)
    if settings.flat["image"]:
        _class("label", settings, split, "what each model says")


def _test_image(settings: Lab, split: Split) -> None:
    row = int(settings.flat["row"])
    label, key = int(split.label[row]), f"{settings.key('row')}_{settings.moves}"
    name = split.info.classes[label]
    picture, words = st.columns([2, 3], vertical_alignment="center", gap="small")
    picture.html(thumbnail(np.asarray(split.image[row]), f"Test image {row}: {name}"))

    def typed(given: int | None) -> None:
        if given is not None:
            settings.put("row", given)

    with words:
        st.number_input(
            f"Row (of {len(split):,})",
            0,
            len(split) - 1,
            row,
            step=1,
            **reported(key, row, typed),
            help="Of the test images, counted from 0.",
        )
        st.text(name)

    def move(step: int) -> None:
        """The next or previous image of the class, round the end; a random one for 0."""
        rows = rows_of(split.label, settings.only)
        at = int(np.searchsorted(rows, settings.flat["row"] + (step > 0)))
        settings.go(int(rows[(at - (step < 0)) % len(rows)] if step else random.choice(rows)))

    with st.container(horizontal=True, gap="small", key="lab_moves"):
        for title, step in (("Previous", -1), ("Next", 1), ("Random", 0)):
            button = f"lab_{title.lower()}"
            st.button(title, key=button, on_click=move, args=(step,), width="stretch")
    present = [int(value) for value in np.unique(split.label)]
    titles = {None: "any"} | {value: split.info.classes[value] for value in present}

    def chosen(only: int | None) -> None:
        settings.keep("only", only)
        if only not in (None, label):
            settings.go(int(rows_of(split.label, only)[0]))

    about, key_only = "Which images the three buttons choose from.", settings.key("only")
    pick("Only class", titles, settings.only, chosen, key=key_only, help=about)


def _class(
    name: str, settings: Lab, split: Split, nothing: str, *, leave_out: int | None = None
) -> None:
    """One class, or nobody's choice. nothing: what that means."""
    field, classes = FORM.fields[name], split.info.classes
    titles = {None: nothing} | {k: title for k, title in enumerate(classes) if k != leave_out}
    key = f"{settings.key(name)}_{leave_out}"
    put = partial(settings.put, name)
    pick(field.heading, titles, settings.flat[name], put, key=key, help=field.tooltip)
