"""Results as JSON files, and the tables made from them: a number in a document never comes from
anywhere else."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measuring import Spread
from cdp.errors import InputError
from cdp.files.atomic import write_json
from cdp.paths import ROOT, home
from cdp.values.types import Interval

RESULTS = ROOT / "benchmarks" / "results"
AMX = "amx"
"""Folder of what was taken on a processor with matrix units, beside what was taken without."""
PER_CENT = ("%", "points")
"""Units of shares, and of differences of shares."""


def folder(*, quick: bool, amx: bool = False) -> Path:
    """Where results go. Quick runs check that the scripts work; their numbers stay out of the
    repository. amx: timings of a processor that has it, which stand beside the others."""
    if quick:
        return home() / "benchmarks"
    return RESULTS / AMX if amx else RESULTS


@dataclass(frozen=True)
class Target:
    """What the figure should reach. sense: "<=", ">=", or "within", which bounds the size of a
    difference of either sign."""

    sense: str
    bound: float

    def met(self, value: float) -> bool:
        """Whether ``value`` reaches it."""
        if self.sense == "within":
            return abs(value) <= self.bound
        return value <= self.bound if self.sense == "<=" else value >= self.bound


@dataclass(frozen=True)
class Figure:
    """One line of a table. low, high, n: of ``kind`` "repeats" (smallest and largest) or "95 %"
    (interval), or none.

    key: its short name where a program looks it up; in a matrix, the column, and ``name`` the row.
    """

    name: str
    value: float
    unit: str = ""
    low: float | None = None
    high: float | None = None
    n: int | None = None
    kind: str = ""
    target: Target | None = None
    key: str = ""

    @classmethod
    def of_spread(
        cls, name: str, spread: Spread, unit: str = "", target: Target | None = None
    ) -> Figure:
        """A median of repeats."""
        return cls(name, spread.value, unit, spread.low, spread.high, spread.n, "repeats", target)

    @classmethod
    def of_interval(
        cls,
        name: str,
        interval: Interval,
        unit: str = "",
        target: Target | None = None,
        *,
        key: str = "",
    ) -> Figure:
        """An estimate with its 95 % interval, or without bounds where it has none. Shares come as
        0..1 and are kept in per cent or points where the unit says so."""
        scale = 100.0 if unit in PER_CENT else 1.0
        if not (math.isfinite(interval.low) and math.isfinite(interval.high)):
            return cls(name, interval.value * scale, unit, n=interval.n, target=target, key=key)
        low, high = interval.low * scale, interval.high * scale
        return cls(name, interval.value * scale, unit, low, high, interval.n, "95 %", target, key)

    @property
    def met(self) -> bool | None:
        """None where there is no target."""
        return None if self.target is None else self.target.met(self.value)


@dataclass(frozen=True)
class Result:
    """What one script found. settings: what was measured; machine: where; load: runnable processes
    before and after.

    layout: "list", one figure a line, or "matrix", a row a name and a column a key.
    """

    name: str
    title: str
    figures: tuple[Figure, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    load: tuple[float, float] = (0.0, 0.0)
    notes: str = ""
    layout: str = "list"


def to_json(result: Result) -> dict[str, Any]:
    """JSON-ready, numbers to six significant digits."""
    data = asdict(result) | {"load": list(result.load)}
    data["figures"] = [asdict(figure) | {"met": figure.met} for figure in result.figures]
    return dict(_rounded(data))


def from_json(data: Mapping[str, Any]) -> Result:
    """The inverse of ``to_json``. Raises InputError for a file of another shape."""
    try:
        figures = []
        for entry in data["figures"]:
            target = Target(**entry["target"]) if entry["target"] else None
            figures.append(
                Figure(
                    **(
                        {key: value for key, value in entry.items() if key != "met"}
                        | {"target": target}
                    )
                )
            )
        rest = {key: value for key, value in data.items() if key not in ("figures", "load")}
        return Result(**rest, figures=tuple(figures), load=tuple(data["load"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"a benchmark result is not of the expected shape ({error}): run the benchmark again"
        ) from error


def save(result: Result, where: Path) -> Path:
    """Write ``<name>.json``, atomically."""
    where.mkdir(parents=True, exist_ok=True)
    path = where / f"{result.name}.json"
    write_json(path, to_json(result))
    return path


def load(name: str, where: Path = RESULTS) -> Result | None:
    """A result by name; None where it was never measured. Raises InputError for a damaged file."""
    path = where / f"{name}.json"
    if not path.exists():
        return None
    try:
        return from_json(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise InputError(
            f"{path} is not a benchmark result ({error}): run the benchmark again"
        ) from error


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return value if value.is_integer() else float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    return value
