"""Settings of the work of seconds that pages ask a helper process for, where no config has them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from cdp.config.choices import Order
from cdp.config.explore import ExploreConfig
from cdp.config.knobs import Frozen
from cdp.config.lab import LabConfig
from cdp.config.theory import TheoryConfig


class Nothing(Frozen):
    """Work that depends on nothing."""


def _pairs(value: Any) -> Any:
    """JSON has no whole numbers for keys, so sizes may travel as pairs."""
    return dict(value) if isinstance(value, list | tuple) else value


class MeasureQuestion(Frozen):
    """A set, and as many of each class of its images, all where not given."""

    name: str
    encoder: str
    dataset: str = ""
    sizes: Annotated[dict[int, int] | None, BeforeValidator(_pairs)] = None


class CloseupQuestion(Frozen):
    """A point of a map."""

    config: ExploreConfig
    point: int


class FlagsQuestion(Frozen):
    """The images of a set that are copies."""

    name: str
    encoder: str
    dataset: str


class ScoreQuestion(FlagsQuestion):
    """One score of every image of a set."""

    by: str


class PreviewQuestion(ScoreQuestion):
    """The part of a set that would be kept."""

    keep: int
    order: Order
    balanced: bool
    seed: int
    drop_duplicates: bool
    drop_memorised: bool


class LabelQuestion(Frozen):
    """Labels of an encoder for a set, saved under another name."""

    name: str
    out: str
    encoder: str
    min_confidence: float
    dataset: str


class LabQuestion(Frozen):
    """One image under attack; search: for the smallest budget that fools the model."""

    config: LabConfig
    search: bool


class PointsQuestion(Frozen):
    """Simulated points of the Gaussian model that take long."""

    config: TheoryConfig
    what: Literal["curves", "guided"]


class PlaceQuestion(Frozen):
    """A set on the map of the Gaussian model."""

    name: str
    encoder: str
