"""What is said of a set that was placed on the model's map, on the page and on the command line
alike: rows of figures, and what the map leaves out."""

from __future__ import annotations

from typing import Any

from cdp.config.explore import PIXELS
from cdp.models.encoders import JUDGE
from cdp.tasks.theory_images import ROWS, Place

UNGUIDED = (JUDGE, PIXELS)
"""Encoders that guide no generator."""


def caveats(found: Place, encoder: str) -> list[str]:
    """What the map leaves out, in plain sentences."""
    nearest = found.figures.pairs[0]
    names = f"{class_title(found, nearest.first)} and {class_title(found, nearest.second)}"
    apart = (
        f"{names}, is {nearest.separation:.2f} apart, all pairs"
        f" {found.figures.separation.value:.2f}"
    )
    classes = len({number for pair in found.figures.pairs for number in (pair.first, pair.second)})
    said = [
        (
            "The map says where the set lies, not how robust a network becomes on it: an estimate,"
            " not a result."
        ),
        (
            "Features are not Gaussian, and classes do not spread alike; s is that of an isotropic"
            " Gaussian with the same spread and effective dimension."
        ),
        (
            f"There are {classes} classes, the model has two: separation is the root mean square"
            f" over pairs. The nearest pair, {apart}."
        ),
        (
            "A budget in pixels is no budget in feature space: the model's epsilon is in its own"
            " units; how far an attack moves features is not measured."
        ),
        (
            "The angle is to the real class means; where the robust optimum lies nobody knows, so"
            " under l_inf whiskers cover every way it can add to mu's own."
        ),
    ]
    if found.note:
        said.append(f"{found.note[0].upper()}{found.note[1:]}.")
    if found.against:
        said.append(
            f"Compared with {found.against}, up to {ROWS:,} images each; whiskers are 95 %"
            " jackknife intervals."
        )
    if encoder not in UNGUIDED:
        said.append(
            "An encoder that may have guided these images flatters them; the judge never guides."
        )
    return said


def unplaced(found: Place) -> str:
    """Why a set has no place on the map, as the end of a sentence without its full stop; "" where
    it has one."""
    if found.figures.ratio is not None and found.figures.angle is not None:
        return ""
    return found.missing or (
        f"the classes of {found.name}, or of the real images, cannot be told apart in these"
        " features, so class means point nowhere"
    )


def place_rows(found: Place) -> list[dict[str, Any]]:
    """Every figure with its interval, then every pair of classes."""
    figures = found.figures
    told = {
        "separation |m|/s": figures.separation,
        "separation of real images": figures.real,
        "separation c": figures.ratio,
        "angle to the real class means [degrees]": figures.angle,
        "effective dimension": figures.dimension,
    }
    rows: list[dict[str, Any]] = [
        {
            "set": found.name,
            "against": found.against,
            "figure": name,
            "value": one.value,
            "low": one.low,
            "high": one.high,
            "n": one.n,
        }
        for name, one in told.items()
        if one is not None
    ]
    return rows + [
        {
            "set": found.name,
            "against": "",
            "figure": (
                f"separation of {class_title(found, pair.first)} and"
                f" {class_title(found, pair.second)}"
            ),
            "value": pair.separation,
            "low": None,
            "high": None,
            "n": figures.separation.n,
        }
        for pair in figures.pairs
    ]


def class_title(found: Place, number: int) -> str:
    """A class by name, or by number where the set names fewer."""
    return found.class_names[number] if number < len(found.class_names) else f"class {number}"
