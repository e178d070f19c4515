"""The classifiers one can train, by the name a config gives them, and as a card describes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from cdp.errors import InputError
from cdp.models.classifiers import Classifier, SmallCNN
from cdp.models.resnets import PreActResNet, WideResNet

LEAST_SIDE = 8
MAX_CLASSES, MAX_CHANNELS = 1000, 4


@dataclass(frozen=True)
class Architecture:
    """A network to choose. build(classes, channels, **settings) makes it; image sides must be
    multiples of ``side``."""

    build: Callable[..., Classifier]
    settings: Mapping[str, Any] = field(default_factory=dict)
    side: int = 1


# The names are those of TrainConfig.architecture.
ARCHITECTURES: dict[str, Architecture] = {
    "small-cnn": Architecture(SmallCNN, side=2),
    "preact-resnet-18": Architecture(PreActResNet, {"widths": (64, 128, 256, 512), "blocks": 2}),
    "wrn-28-10-swish": Architecture(WideResNet, {"depth": 28, "width": 10}),
}


def build_classifier(
    name: str, *, classes: int, shape: tuple[int, int, int], seed: int
) -> Classifier:
    """The network of that name for images of ``shape`` (C,H,W), on the CPU, in training mode.

    Its first weights are a function of the seed; the caller's random stream is left alone. Raises
    InputError for a name or an image shape that it does not take.
    """
    if name not in ARCHITECTURES:
        raise InputError(
            f"architecture {name!r} is unknown: choose one of {', '.join(ARCHITECTURES)}"
        )
    chosen = ARCHITECTURES[name]
    channels, *sides = shape
    if min(sides) < LEAST_SIDE or any(side % chosen.side for side in sides):
        takes = f"{'even ' if chosen.side == 2 else ''}sides from {LEAST_SIDE} px"
        raise InputError(
            f"{name} takes images with {takes}, not {sides[0]} x {sides[1]}: choose another"
            " architecture or resize the images"
        )
    if not 1 <= channels <= MAX_CHANNELS or not 1 <= classes <= MAX_CLASSES:
        limits = f"1 to {MAX_CHANNELS} channels and 1 to {MAX_CLASSES} classes"
        raise InputError(
            f"{name} takes {limits}, not {channels} and {classes}: choose another data set"
        )
    with torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed, which would seed the GPUs' streams as well.
        torch.default_generator.manual_seed(seed)
        return chosen.build(classes, channels, **chosen.settings)


# ---- Cards: what a saved network is described by. A check gives "" or the words for what the value
# must be. ----

Check = Callable[[Any], str]


def _whole(least: int, most: int) -> Check:
    return lambda value: (
        ""
        if type(value) is int and least <= value <= most
        else f"a whole number from {least} to {most}"
    )


def _widths(value: Any) -> str:
    good = (
        isinstance(value, list)
        and 1 <= len(value) <= 5
        and all(type(width) is int and 1 <= width <= 1024 for width in value)
    )
    return "" if good else "1 to 5 whole numbers from 1 to 1024"


def _depth(value: Any) -> str:
    return "" if type(value) is int and value in range(10, 101, 6) else "6 n + 4, from 10 to 100"


_COMMON: dict[str, Check] = {"classes": _whole(1, MAX_CLASSES), "channels": _whole(1, MAX_CHANNELS)}
_FAMILIES: dict[str, tuple[type[Classifier], dict[str, Check]]] = {
    "SmallCNN": (SmallCNN, {**_COMMON, "widths": _widths, "blocks": _whole(0, 16)}),
    "PreActResNet": (PreActResNet, {**_COMMON, "widths": _widths, "blocks": _whole(1, 16)}),
    "WideResNet": (WideResNet, {**_COMMON, "depth": _depth, "width": _whole(1, 20)}),
}


def describe(net: Classifier) -> dict[str, Any]:
    """What ``build_described`` needs to build the network again, as JSON holds it."""
    name = type(net).__name__
    if name not in _FAMILIES:
        raise InputError(
            f"a {name} cannot be described: give one of {', '.join(_FAMILIES)}, as it was before"
            " torch.compile"
        )
    return {"name": name, "classes": net.classes, "channels": net.channels, **net.settings()}


def build_described(architecture: Any, where: Path) -> Classifier:
    """The network of a card's ``architecture``, with random weights. where: the card, for the
    message.

    Raises InputError that names the card and the first field that cannot be used. A card that asks
    for the largest network allowed costs gigabytes: build it under ``torch.device("meta")`` until
    its weights are known to be there.
    """
    name = architecture.get("name") if isinstance(architecture, dict) else None
    remedy = "use the card saved with the weights"
    if not isinstance(name, str) or name not in _FAMILIES:
        raise InputError(
            f"{where}: 'architecture' must have the name {' or '.join(_FAMILIES)} (given:"
            f" {str(name)[:40]!r}): {remedy}"
        )
    build, checks = _FAMILIES[name]
    settings = {key: value for key, value in architecture.items() if key != "name"}
    if settings.keys() != checks.keys():
        raise InputError(
            f"{where}: 'architecture' of a {name} must have exactly name, {', '.join(checks)}:"
            f" {remedy}"
        )
    for key, check in checks.items():
        if must := check(settings[key]):
            raise InputError(
                f"{where}: architecture {key} must be {must} (given: {str(settings[key])[:60]!r})"
            )
    return build(**settings)
