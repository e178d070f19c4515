"""The figures of one set, also as JSON, and two sets measured at the same number of images."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from cdp.embedding.classes import Pairs
from cdp.embedding.intervals import Estimate, difference
from cdp.embedding.measure import Measurement
from cdp.tasks.sources import balanced_rows
from cdp.values.types import Interval

Figures = Mapping[str, Interval]
Sizes = Mapping[int, int]
"""Images of each class, by class number; all of them under ``UNLABELLED`` where the set has no
labels."""
UNLABELLED = -1


@dataclass(frozen=True)
class Measured:
    """One set's figures. total: images in the set, of which ``result.n`` were measured;
    class_names: by number; pairs: class against class, None where there are too few; sizes: images
    measured of each class; note: what has to be said of its labels, "" mostly."""

    name: str
    total: int
    class_names: tuple[str, ...]
    result: Measurement
    pairs: Pairs | None = None
    sizes: Sizes = field(default_factory=dict)
    note: str = ""

    def class_name(self, value: int) -> str:
        """The class's name, its number where it has none."""
        return self.class_names[value] if 0 <= value < len(self.class_names) else str(value)

    @property
    def named_sizes(self) -> dict[str, int]:
        """Images measured of each class by its name, which sets may number differently."""
        return {self.class_name(value): count for value, count in self.sizes.items()}

    def to_json(self) -> dict[str, Any]:
        """The inverse of ``from_json``."""
        return {
            "name": self.name,
            "total": self.total,
            "class_names": list(self.class_names),
            "figures": to_json(self.result, self.pairs),
            "sizes": sorted(self.sizes.items()),
            "note": self.note,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Measured:
        """Raises KeyError, TypeError, ValueError or AttributeError for anything else."""
        return cls(
            data["name"],
            data["total"],
            tuple(data["class_names"]),
            *from_json(data["figures"]),
            dict(data["sizes"]),
            data["note"],
        )


@dataclass(frozen=True)
class SetComparison:
    """Two sets measured at the same number of images, and of every class where they have the same
    classes, as many figures move with the number alone: coverage of the same real images is 54 % at
    400 and 99.7 % at 5,000."""

    first: Measured
    second: Measured

    @property
    def n(self) -> int:
        """Images of each."""
        return min(self.first.result.n, self.second.result.n)

    @property
    def equal(self) -> bool:
        """Whether both rest on the same number of images."""
        return self.first.result.n == self.second.result.n and (
            self.first.named_sizes == self.second.named_sizes
            or self.first.named_sizes.keys() != self.second.named_sizes.keys()
        )


def equal_sizes(first: Sizes, second: Sizes) -> tuple[Sizes, Sizes]:
    """Images of each class to measure two sets at: class by class where they have the same, else in
    all."""
    if set(first) == set(second):
        both = {value: min(count, second[value]) for value, count in first.items()}
        return both, both
    fewest = min(sum(first.values()), sum(second.values()))
    return _balanced(first, fewest), _balanced(second, fewest)


def _balanced(sizes: Sizes, most: int) -> Sizes:
    labels = np.repeat(list(sizes), list(sizes.values()))
    return {
        int(value): count
        for value, count in Counter(labels[balanced_rows(labels, most)].tolist()).items()
    }


def changes(compared: SetComparison) -> dict[str, Interval]:
    """``first`` minus ``second``, figure by figure, where both have it."""
    first, second = compared.first.result.figures, compared.second.result.figures
    return {key: difference(figure, second[key]) for key, figure in first.items() if key in second}


def set_json(measured: Measured) -> dict[str, Any]:
    """What ``python -m cdp measure --json`` says of one set."""
    per_class = [
        {"class": value, "name": measured.class_name(value), "figures": figures_json(figures)}
        for value, figures in measured.result.per_class.items()
    ]
    return {
        "name": measured.name,
        "images": measured.total,
        "measured": measured.result.n,
        "figures": figures_json(measured.result.figures),
        "per_class": per_class,
        "undefined": measured.result.undefined,
        "pairs": _pairs_json(measured.pairs),
        "note": measured.note,
    }


def _pairs_json(pairs: Pairs | None) -> list[dict[str, Any]]:
    """One entry an ordered pair; separation is that of the unordered one, null where undefined."""
    if pairs is None:
        return []
    apart = dict(pairs.separation) | {(b, a): figure for (a, b), figure in pairs.separation.items()}
    return [
        {
            "first": a,
            "second": b,
            "confusion": _figure_json(figure),
            "separation": _figure_json(apart[a, b]) if (a, b) in apart else None,
        }
        for (a, b), figure in pairs.confusion.items()
    ]


def figures_json(figures: Figures) -> dict[str, dict[str, Any]]:
    """Each figure with its interval."""
    return {key: _figure_json(figure) for key, figure in figures.items()}


def _figure_json(figure: Interval) -> dict[str, Any]:
    """low and high are null where the figure has no interval, and note says why."""
    low, high = figure.bounds
    fields: dict[str, Any] = {
        "value": figure.value,
        "low": low,
        "high": high,
        "n": figure.n,
        "level": figure.level,
    }
    return fields | ({"note": figure.note} if figure.note else {})


def to_json(result: Measurement, pairs: Pairs | None) -> dict[str, Any]:
    """What is kept on disk; the inverse of ``from_json``."""
    return {
        "n": result.n,
        "figures": _whole(result.figures),
        "per_class": {str(value): _whole(figures) for value, figures in result.per_class.items()},
        "undefined": result.undefined,
        "pairs": (
            None
            if pairs is None
            else {
                "classes": list(pairs.classes),
                **{
                    kind: [[a, b, _entry(figure)] for (a, b), figure in part.items()]
                    for kind, part in (
                        ("confusion", pairs.confusion),
                        ("separation", pairs.separation),
                    )
                },
            }
        ),
    }


def from_json(data: Mapping[str, Any]) -> tuple[Measurement, Pairs | None]:
    """Raises KeyError, TypeError, ValueError or AttributeError for anything else."""
    per_class = {int(value): _figures(figures) for value, figures in data["per_class"].items()}
    undefined = {str(key): str(reason) for key, reason in data["undefined"].items()}
    pairs = None
    if data["pairs"] is not None:
        confusion, separation = (
            {(int(a), int(b)): _figure(figure) for a, b, figure in data["pairs"][kind]}
            for kind in ("confusion", "separation")
        )
        pairs = Pairs(
            tuple(int(value) for value in data["pairs"]["classes"]), confusion, separation
        )
    return Measurement(int(data["n"]), _figures(data["figures"]), per_class, undefined), pairs


def _whole(figures: Figures) -> dict[str, Any]:
    return {key: _entry(figure) for key, figure in figures.items()}


def _entry(figure: Interval) -> dict[str, Any]:
    """All fields; JSON has no infinity, so an infinite one is left out."""
    return {
        key: value
        for key, value in asdict(figure).items()
        if not (isinstance(value, float) and math.isinf(value))
    }


def _figures(data: Mapping[str, Any]) -> dict[str, Interval]:
    return {str(key): _figure(figure) for key, figure in data.items()}


def _figure(data: Mapping[str, Any]) -> Interval:
    if "moves" not in data:
        return Interval(**data)
    return Estimate(
        **{"low": -math.inf, "high": math.inf} | dict(data) | {"moves": tuple(data["moves"])}
    )
