"""The settings of the Attack lab: what the controls show, and the address that tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cdp.config.fields import fields_of, quoted, read_values, written
from cdp.config.knobs import parse
from cdp.config.lab import REACH, LabConfig, conventional_budget, rounded
from cdp.tasks.lab_images import load_upload
from cdp.ui.kit.address import linked
from cdp.ui.kit.choices import Classifier
from cdp.ui.kit.held import Held
from cdp.values.types import DatasetInfo, Split

SECOND, ONLY = "second", "only"
"""Query parameters that are no knobs: the model beside the first, the class that the buttons stay
in."""
HIDDEN = ("largest",)
"""Knobs that the page sets itself."""
START = "fashion-mnist"
START_ROW = 4
"""The image of a first visit: a shirt, which the shipped robust encoder keeps at the conventional
budget and the standard one does not."""
OF_DATASET = ("model", "row", "image", "label", "epsilon", "target")
"""What means nothing in another data set."""
_KEY = "lab_settings"


@dataclass
class Lab(Held):
    """second: the model beside the first, "" for none, None until the page chooses; only: the class
    that the buttons stay in, None for any. uploading: whether the image comes from a person; moves:
    how often a button chose the row; fresh: just read from an address."""

    prefix: str = field(default="lab", kw_only=True)
    second: str | None = None
    only: int | None = None
    uploading: bool = False
    moves: int = 0
    fresh: bool = False

    def open_dataset(self, name: str) -> None:
        """Begin with another data set."""
        plain = LabConfig().model_dump(mode="json")
        self.second, self.only, self.uploading = None, None, False
        self.replace({key: plain[key] for key in OF_DATASET} | {"dataset": name, "model": ""})

    def go(self, row: int) -> None:
        """Show another test image."""
        self.put("row", row)
        self.moves += 1

    def budget(self, info: DatasetInfo, models: Mapping[str, Classifier]) -> tuple[float, str]:
        """What the slider's range is measured in, and how it is called: conventional, else what the
        first model was trained for, else CIFAR-10's."""
        norm = self.flat["norm"]
        if info.conventional(norm) is not None:
            return conventional_budget(info, norm), "conventional"
        first = models.get(self.flat["model"])
        trained = first.trained_for.get(norm) if first else None
        return (
            (rounded(trained), "trained for")
            if trained is not None
            else (conventional_budget(info, norm), "after CIFAR-10")
        )

    def config(self, model: str, budget: float) -> LabConfig:
        """The attack on one model. Raises InputError where the values do not fit together."""
        epsilon = self.flat["epsilon"]
        flat = self.flat | {
            "model": model,
            "epsilon": budget if epsilon is None else epsilon,
            "largest": rounded(REACH * budget),
        }
        return parse(LabConfig, flat | ({} if self.flat["image"] else {"label": None}))


def lab() -> Lab:
    """This session's settings; where the address changed under the page, what it says."""
    held, fresh = linked(_KEY, from_params)
    held.fresh = fresh
    return held


def from_params(params: Mapping[str, str]) -> Lab:
    """The settings that an address tells, with one sentence for each thing in it that cannot be
    used."""
    named = dict(params)
    second, only = named.pop(SECOND, None), named.pop(ONLY, "")
    known = {name: knob for name, knob in fields_of(LabConfig).items() if name not in HIDDEN}
    given, notes = read_values(named, known, LabConfig().model_dump(mode="json"))
    flat = LabConfig().model_dump(mode="json") | {"model": ""} | given
    if not params:
        flat["row"] = START_ROW
    held = Lab(
        {name: value for name, value in flat.items() if name not in HIDDEN},
        uploading=bool(flat["image"]),
        fresh=True,
    )
    if only and not (only.isdecimal() and len(only) < 4):
        notes.append(
            f"only: {quoted(only)} is not a class number, so images of every class are shown."
        )
        only = ""
    held.only = int(only) if only else None
    # A link that names a model and none beside it means that one alone.
    held.second = second if second is not None else "" if "model" in given else None
    held.notes = notes
    return held


def settle_dataset(held: Lab, known: Mapping[str, str]) -> None:
    """Bring the data set to one that is here, if any is, and say so."""
    if held.flat["dataset"] in known or not known:
        return
    other = START if START in known else next(iter(known))
    notes = [
        *held.notes,
        (
            f"dataset: {quoted(held.flat['dataset'])} is not here or has no classifier, so {other}"
            " is used."
        ),
    ]
    held.open_dataset(other)
    held.notes = notes


def settle_models(held: Lab, models: Mapping[str, Classifier]) -> None:
    """Bring the models to what is here; of those that an address named it is said."""
    if held.flat["model"] not in models:
        if held.flat["model"]:
            held.notes.append(
                f"model: {quoted(held.flat['model'])} is not here, so {next(iter(models), '')} is used."
            )
        _set(held, "model", next(iter(models), ""))
    if held.second is None:
        others = (n for n, one in models.items() if n != held.flat["model"] and not one.trained_for)
        held.second = next(others, "")  # one that was not trained to withstand anything
    if held.second and held.second not in models:
        held.notes.append(f"second: {quoted(held.second)} is not here, so one model is shown.")
        held.second = ""
    if held.second == held.flat["model"]:
        held.second = ""


def settle_values(held: Lab, split: Split, largest: float) -> None:
    """Bring image, classes and budget to what the data set has; each that had to change is told."""
    classes = len(split.info.classes)
    for name in ("label", "target"):
        value = held.flat[name]
        if value is not None and value >= classes:
            held.notes.append(
                f"{name}: {value} is not a class of {split.info.title}, which has 0 to"
                f" {classes - 1}, so it is left open."
            )
            _set(held, name, None)
    if held.only is not None and not (np.asarray(split.label) == held.only).any():
        held.notes.append(
            f"only: there is no test image of class {held.only}, so images of every class are"
            " shown."
        )
        held.only = None
    if held.flat["row"] >= len(split):
        held.notes.append(
            f"row: {held.flat['row']:,} is not there, {split.info.title} has {len(split):,} test"
            " images here, so row 0 is shown."
        )
        _set(held, "row", 0)
    if held.flat["image"] and load_upload(held.flat["image"], split.info) is None:
        held.notes.append(
            "image: the uploaded image of this link is not on this machine any more, so test image"
            f" {held.flat['row']:,} is shown: upload it again."
        )
        _set(held, "image", "")
        held.uploading = False
    if held.flat["epsilon"] is not None and held.flat["epsilon"] > largest:
        held.notes.append(
            f"epsilon: {held.flat['epsilon']:g} is beyond {largest:g}, {REACH} times the budget to"
            f" compare with, so {largest:g} is used."
        )
        _set(held, "epsilon", largest)
    label = true_class(held, split)
    if held.flat["target"] is not None and held.flat["target"] == label:
        if held.fresh:
            held.notes.append(
                f"target: {split.info.classes[held.flat['target']]} is the image's own class, so"
                " the likeliest other one is taken."
            )
        _set(held, "target", None)


def true_class(held: Lab, split: Split) -> int | None:
    """Of the image shown; None for an upload of which nobody says it."""
    return held.flat["label"] if held.flat["image"] else int(split.label[held.flat["row"]])


def rows_of(label: np.ndarray, only: int | None) -> np.ndarray:
    """Rows of one class, or all."""
    return np.arange(len(label)) if only is None else np.flatnonzero(np.asarray(label) == only)


def to_params(held: Lab) -> dict[str, str]:
    """What ``from_params`` reads. The models are always told, so that a link shows the same ones
    tomorrow."""
    plain = LabConfig().model_dump(mode="json")
    params = {"model": held.flat["model"]} if held.flat["model"] else {}
    params |= {
        name: written(value)
        for name, value in held.flat.items()
        if name != "model" and value != plain[name]
    }
    if held.second:
        params[SECOND] = held.second
    if held.only is not None:
        params[ONLY] = str(held.only)
    return params


def write_url(held: Lab) -> None:
    """Bring the address in line with the settings."""
    held.address.write(to_params(held))


def _set(held: Lab, name: str, value: Any) -> None:
    """Change a value before its control is drawn, which then shows it."""
    if held.flat[name] != value:
        notes: Sequence[str] = held.notes
        held.replace({name: value}, notes)
