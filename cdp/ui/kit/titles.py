"""How the choices of a training are written for a person."""

from __future__ import annotations

from cdp.config.train import set_title
from cdp.values.text import exact_text, number_text

TITLES = {
    "pgd-at": "PGD-AT",
    "trades": "TRADES",
    "mart": "MART",
    "linf": "l_inf",
    "l2": "l_2",
    "small-cnn": "Small CNN",
    "preact-resnet-18": "PreActResNet-18",
    "wrn-28-10-swish": "WRN-28-10-Swish",
    "auto": "Auto",
    "none": "None",
    "crop": "Crop",
    "crop-flip": "Crop and flip",
    "cutout": "Crop, flip and cutout",
    "stop": "Stop",
    "notice": "Only say so",
    "fp32": "fp32",
    "bf16": "bf16",
    "uniform": "Anywhere in the budget",
    "noise": "Normal noise of 0.001",
}


_EMPTY = {"real": "all", "steps": "set in epochs", "epochs": "set in steps"}


def value_text(name: str, value: object) -> str:
    """The value of a knob as a person reads it."""
    if value is None:
        return _EMPTY.get(name, "automatic")
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int):
        return number_text(value)
    if isinstance(value, float):
        return exact_text(value)
    return (
        (", ".join(set_title(str(one)) for one in value) or "none")
        if isinstance(value, list | tuple)
        else TITLES.get(str(value), str(value))
    )
