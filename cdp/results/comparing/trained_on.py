"""Which synthetic images a training saw: by the card of its best classifier, else by the sets as
they are now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdp import paths
from cdp.config.train import TrainConfig
from cdp.data.cards import CARD, read_card
from cdp.data.sets import is_saved
from cdp.errors import InputError
from cdp.models.checkpoints import read_json
from cdp.work.records import Run

_SHORT = 12
"""Letters of a hash that people read."""


@dataclass(frozen=True)
class SetMark:
    """One synthetic set as it was when a training began. images, created, card_sha256: 0 and ""
    where unknown."""

    images: int
    created: str
    card_sha256: str

    @property
    def identity(self) -> tuple[int, str]:
        """Equal for the same set. The hash of its card changes with every tag, so it decides only
        where there is no date."""
        return self.images, self.created or self.card_sha256

    def __str__(self) -> str:
        return (
            f"{self.images:,} images, {self.created or 'no date'}, card"
            f" {self.card_sha256[:_SHORT] or 'unknown'}"
        )


@dataclass(frozen=True)
class TrainedOn:
    """images: synthetic ones to draw from, None unknown; counts: by name of the set, None unknown;
    marks: of sets as they were trained on."""

    images: int | None
    counts: Mapping[str, int | None]
    marks: Mapping[str, SetMark]


def trained_on(run: Run, config: TrainConfig) -> TrainedOn:
    """What a training drew its synthetic images from."""
    if not config.sets:
        return TrainedOn(0, {}, {})
    card = _card(run)
    marks = _marks(card)
    counts = {name: marks[name].images if name in marks else _on_disk(name) for name in config.sets}
    training = card.get("training")
    images = _count(training.get("synthetic_images")) if isinstance(training, dict) else None
    if images is None:
        images = _sum(counts.values()) if config.synthetic_per_batch else 0
    return TrainedOn(images, counts, marks)


def _card(run: Run) -> dict[str, Any]:
    """Of the best epoch; empty before the first one and where it is damaged."""
    try:
        return read_json(run.folder / "best" / "card.json")
    except InputError:
        return {}


def _marks(card: Mapping[str, Any]) -> dict[str, SetMark]:
    sets = card.get("sets")
    found = {}
    for one in sets if isinstance(sets, list) else []:
        if (
            isinstance(one, dict)
            and isinstance(one.get("name"), str)
            and (images := _count(one.get("images"))) is not None
        ):
            found[one["name"]] = SetMark(
                images, str(one.get("created") or "")[:40], str(one.get("card_sha256") or "")[:64]
            )
    return found


def _on_disk(name: str) -> int | None:
    try:
        folder = paths.sets_dir() / name if is_saved(name) else Path(name).expanduser()
        return int(read_card(folder)["count"]) if (folder / CARD).exists() else None
    except (InputError, OSError, RuntimeError):  # the last: "~somebody" without a home
        return None


def _sum(counts: Any) -> int | None:
    known = list(counts)
    return None if None in known else sum(known)


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 1 << 53 else None
