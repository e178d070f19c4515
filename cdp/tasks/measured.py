"""The figures of one set as a value, and as JSON: on disk, on the command line, and in a download."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cdp.embedding.intervals import difference
from cdp.embedding.measure import Measurement
from cdp.embedding.pairs import Pairs
from cdp.types import Interval

Figures = Mapping[str, Interval]


@dataclass(frozen=True)
class Measured:
    """One set's figures. total: images in the set, of which ``result.n`` were measured; class_names: by class number; pairs: class
    against class, None where the set has too few classes or images for any."""

    name: str
    total: int
    class_names: tuple[str, ...]
    result: Measurement
    pairs: Pairs | None = None

    def class_name(self, value: int) -> str:
        """The class's name, its number where it has none."""
        return self.class_names[value] if value < len(self.class_names) else str(value)


def changes(first: Measured, second: Measured, *, level: float | None = None) -> dict[str, Interval]:
    """``first`` minus ``second``, figure by figure, where both have it; level: of the intervals, as measured where it is not given."""
    return {
        key: difference(figure, second.result.figures[key], level=level)
        for key, figure in first.result.figures.items()
        if key in second.result.figures
    }  # fmt: skip


def figures_json(found: Sequence[Measured], *, encoder: str) -> dict[str, Any]:
    """Sets, and the first minus each of the others: what ``python -m cdp measure --json`` prints."""
    return {
        "encoder": encoder,
        "sets": [_set_json(one) for one in found],
        "differences": [
            {"first": found[0].name, "second": other.name, "figures": _figures_json(changes(found[0], other))} for other in found[1:]
        ],
    }


def _set_json(one: Measured) -> dict[str, Any]:
    per_class = [
        {"class": value, "name": one.class_name(value), "figures": _figures_json(figures)}
        for value, figures in one.result.per_class.items()
    ]
    return {
        "name": one.name, "images": one.total, "measured": one.result.n, "figures": _figures_json(one.result.figures), "per_class": per_class,
        "undefined": one.result.undefined, "pairs": _pairs_json(one.pairs),
    }  # fmt: skip


def _pairs_json(pairs: Pairs | None) -> list[dict[str, Any]]:
    """One entry an ordered pair, a class with itself included; separation is that of the unordered pair, null where undefined."""
    if pairs is None:
        return []
    apart = dict(pairs.separation) | {(b, a): figure for (a, b), figure in pairs.separation.items()}
    return [
        {"first": a, "second": b, "confusion": asdict(figure), "separation": asdict(apart[a, b]) if (a, b) in apart else None}
        for (a, b), figure in pairs.confusion.items()
    ]


def _figures_json(figures: Figures) -> dict[str, dict[str, float | int]]:
    return {key: asdict(figure) for key, figure in figures.items()}


def to_json(result: Measurement, pairs: Pairs | None) -> dict[str, Any]:
    """What is kept on disk; the inverse of ``from_json``. Names and totals are those of the set as it is found."""
    return {
        "n": result.n, "figures": _figures_json(result.figures),
        "per_class": {str(value): _figures_json(figures) for value, figures in result.per_class.items()},
        "undefined": result.undefined,
        "pairs": None if pairs is None else {"classes": list(pairs.classes), "of": _pairs_json(pairs)},
    }  # fmt: skip


def from_json(data: Mapping[str, Any]) -> tuple[Measurement, Pairs | None]:
    """Raises KeyError, TypeError, ValueError or AttributeError for anything that ``to_json`` did not give."""
    per_class = {int(value): _figures(figures) for value, figures in data["per_class"].items()}
    undefined = {str(key): str(reason) for key, reason in data["undefined"].items()}
    pairs = None
    if data["pairs"] is not None:
        rows = data["pairs"]["of"]
        pairs = Pairs(
            tuple(int(value) for value in data["pairs"]["classes"]),
            {(row["first"], row["second"]): Interval(**row["confusion"]) for row in rows},
            {
                (row["first"], row["second"]): Interval(**row["separation"])
                for row in rows
                if row["separation"] is not None and row["first"] < row["second"]
            },
        )
    return Measurement(int(data["n"]), _figures(data["figures"]), per_class, undefined), pairs


def _figures(data: Mapping[str, Any]) -> dict[str, Interval]:
    return {str(key): Interval(**figure) for key, figure in data.items()}
