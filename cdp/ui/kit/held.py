"""What the settings of every page have in common: values that controls show, an address that tells
them, and a count of turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cdp.ui.kit.address import Address


@dataclass
class Held:
    """flat: values by name, as the controls show them; for a moment they may not fit together.
    prefix: of the controls' keys.

    notes: what a link got wrong, one sentence each, until the next move. turn: how often something
    else than a person's hand set the controls; it is part of their keys, so that they start anew
    with ``flat``. start: the values at the beginning of this turn.
    """

    flat: dict[str, Any]
    prefix: str = field(default="control", kw_only=True)
    notes: list[str] = field(default_factory=list, kw_only=True)
    address: Address = field(default_factory=Address, kw_only=True)
    turn: int = field(default=0, kw_only=True)
    start: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.start = dict(self.flat)

    def put(self, name: str, value: Any) -> None:
        """One control moved."""
        self.flat[name] = value
        self.notes = []

    def replace(self, flat: Mapping[str, Any], notes: Sequence[str] = ()) -> None:
        """Set some or all controls from outside."""
        self.flat |= flat
        self.notes, self.start = list(notes), dict(self.flat)
        self.turn += 1

    def key(self, name: str) -> str:
        """Key of a control."""
        return f"{self.prefix}_{name}" + (f"_{self.turn}" if self.turn else "")
