"""What is drawn of the training curves and how: part of the state of each page that shows them, and
of its address."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from cdp.ui.kit.address import Param, member, members, switch


@dataclass
class CurveLook:
    """axis, curves: of ``cdp.figures.curves.X_AXES`` and ``QUANTITIES``, empty for the usual one
    and for all; smooth: validations that smoothing reaches back over; mean: over seeds; log: "x"
    and "y" of axes that are logarithmic."""

    axis: str = ""
    curves: tuple[str, ...] = ()
    smooth: int = 1
    mean: bool = True
    log: tuple[str, ...] = ()

    def carry_curves(self, before: Self) -> None:
        """An address that says nothing of the curves leaves them as they are."""
        if all(getattr(self, param.name) == param.default for param in CURVE_PARAMS):
            for param in CURVE_PARAMS:
                setattr(self, param.name, getattr(before, param.name))


def _read(name: str, text: str) -> Any:
    from cdp.figures.curves import QUANTITIES, REACHES, X_AXES  # plotly: an empty page needs none

    if name == "axis":
        return member(text, X_AXES)
    if name == "smooth":
        return int(member(text, [str(reach) for reach in REACHES]))
    return members(text, QUANTITIES if name == "curves" else ("x", "y"))


CURVE_PARAMS = (
    *(
        Param(
            name, getattr(CurveLook, name), partial(_read, name), write, instead="it was left out"
        )
        for name, write in (("axis", str), ("curves", ",".join), ("smooth", str), ("log", ",".join))
    ),
    switch("mean", "it was left out"),
)
