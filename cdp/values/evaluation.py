"""What an evaluation comes to: its figures, and what became of every image; and how both are
written, as report.json and outcomes.npz (``cdp.results.evaluations`` reads them). Needs no torch."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from pydantic import ConfigDict, TypeAdapter, with_config

from cdp.values.types import Interval

WRONG_BEFORE, STANDS = -2, -1
"""In ``Outcome.broken_by``: misclassified without any attack; right under every attack."""

UNRELIABLE = frozenset(["random", "probabilities", "batch", "input range", "class order"])
"""Kinds of ``EvalReport.contract`` that make a robust accuracy wrong."""

REPORT, OUTCOMES = "report.json", "outcomes.npz"
PARTS = ("clean", "attacked", "broken_by")

_STRICT = with_config(ConfigDict(allow_inf_nan=False))

Which = Literal["best", "last", "given"]
Verdict = Literal["pass", "warn", "unclear"]


@dataclass(frozen=True)
class Stage:
    """One attack of a suite, on the images that those before it had left. attacked, broken: how
    many it tried and turned; after: robust accuracy of all n images once it was done, the worst
    case per image of this attack and those before it."""

    name: str
    title: str
    attacked: int
    broken: int
    after: Interval
    seconds: float


@dataclass(frozen=True)
class ClassFigures:
    """One class. clean, robust: shares of its n images, None where it has none."""

    name: str
    n: int
    clean: Interval | None
    robust: Interval | None


@dataclass(frozen=True)
class WeightsReport:
    """What one set of weights withstands. which: epoch of a training, or "given" where the model
    has one set only; epoch: 0 unknown. robust: right without and under every attack, the worst case
    per image. confusion_clean, confusion: (K, K) counts, true class by predicted class, without
    attack and under the attack that turned an image (its clean prediction where none did). largest:
    the largest perturbation that counted, in the norm of the attack."""

    which: Which
    epoch: int
    sha256: str
    clean: Interval
    robust: Interval
    stages: tuple[Stage, ...]
    classes: tuple[ClassFigures, ...]
    confusion_clean: tuple[tuple[int, ...], ...]
    confusion: tuple[tuple[int, ...], ...]
    largest: float


@dataclass(frozen=True)
class CurvePoint:
    """Robust accuracy at one budget."""

    epsilon: float
    robust: Interval


@dataclass(frozen=True)
class Curve:
    """Accuracy against budget, never rising: an image that fell at a smaller budget has fallen.
    attack: in words; n: images."""

    which: Which
    attack: str
    n: int
    points: tuple[CurvePoint, ...]


@dataclass(frozen=True)
class Unseen:
    """Robust accuracy under a threat that was not trained for. title: in words, such as "l2, budget
    0.5"."""

    title: str
    norm: str
    epsilon: float
    attack: str
    robust: Interval


@dataclass(frozen=True)
class Check:
    """One sign of gradient masking. verdict: pass where there is no sign of it; sentence: what was
    found; figures: by name."""

    name: str
    title: str
    verdict: Verdict
    sentence: str
    figures: Mapping[str, float]


@dataclass(frozen=True)
class Surface:
    """Cross-entropy (nats) around one image: loss[i][j] at ``across[i]`` along a random sign
    direction and ``along[j]`` along the sign of the gradient, both in units of the norm. row: of
    the image in its set."""

    row: int
    label: int
    predicted: int
    along: tuple[float, ...]
    across: tuple[float, ...]
    loss: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Masking:
    """Whether gradients can be trusted, on n images."""

    n: int
    checks: tuple[Check, ...]
    surface: Surface | None


@dataclass(frozen=True)
class Model:
    """What was evaluated. source: as in the config ("run:ID", a path, "code:module:function"); run:
    id of the training, "" for others; name: for people; sets: synthetic sets trained on;
    synthetic_images: how many images those have; real_images: trained on; training: its settings,
    {} unknown."""

    source: str
    name: str
    architecture: str
    run: str = ""
    sets: tuple[str, ...] = ()
    synthetic_images: int = 0
    real_images: int = 0
    training: Mapping[str, Any] | None = None


def without_width(label: str) -> str:
    """A label without the width of one run's interval, which says nothing of how it was
    measured."""
    return re.sub(r", \+/- [\d.]+ points", "", label)


@dataclass(frozen=True)
class EvalReport:
    """One evaluation. label: how its number has to be called wherever it stands, such as "PGD-10, n
    = 512, +/- 4 points"; quick: whether that is an estimate that stronger attacks will lower.

    suite: "autoattack", "pgd" or "quick"; attack: in words; norm: "linf" or "l2"; epsilon: budget
    in units of the norm; n: images of ``part`` ("test", or the name of a set), chosen with
    ``part_seed``; rows_sha256: of the images and labels themselves. warnings: a sentence each;
    contract: those of them that say what the network's answers lack, by kind
    (``cdp.robust.contract``). config: the settings; versions: of code and packages; created: ISO
    8601.
    """

    label: str
    quick: bool
    suite: str
    attack: str
    norm: str
    epsilon: float
    seed: int
    n: int
    part: str
    dataset: str
    dataset_title: str
    class_names: tuple[str, ...]
    rows_sha256: str
    model: Model
    weights: tuple[WeightsReport, ...]
    curves: tuple[Curve, ...]
    unseen: tuple[Unseen, ...]
    masking: Masking | None
    warnings: tuple[str, ...]
    config: Mapping[str, Any]
    versions: Mapping[str, str]
    device: str
    seconds: float
    created: str
    format: int = 1
    contract: Mapping[str, str] = field(default_factory=dict)

    @property
    def main(self) -> WeightsReport:
        """The figures to cite: those of the best epoch, or of the only weights."""
        return self.weights[0]


@dataclass(frozen=True)
class Outcome:
    """What became of each of n images under one set of weights. clean, attacked: (n,) int64
    predicted classes, the second under the attack that turned it; broken_by: (n,) int64, number of
    that attack in ``WeightsReport.stages``, else STANDS or WRONG_BEFORE."""

    clean: np.ndarray
    attacked: np.ndarray
    broken_by: np.ndarray

    @property
    def robust(self) -> np.ndarray:
        """(n,) bool: right under every attack."""
        return self.broken_by == STANDS


@dataclass(frozen=True)
class Outcomes:
    """rows, label: (n,) int64, place in ``EvalReport.part`` and true class; of: by
    ``WeightsReport.which``."""

    rows: np.ndarray
    label: np.ndarray
    of: Mapping[str, Outcome]


ADAPTER: TypeAdapter[EvalReport] = TypeAdapter(_STRICT(EvalReport))
"""Reads a report, raises ValidationError for anything else, and dumps one."""


def report_json(report: EvalReport) -> dict[str, Any]:
    """JSON-ready; the inverse of ``read_report``."""
    value: dict[str, Any] = ADAPTER.dump_python(report, mode="json")
    return value


def outcomes_bytes(outcomes: Outcomes) -> bytes:
    """outcomes.npz as bytes."""
    arrays = {"rows": outcomes.rows, "label": outcomes.label}
    for which, outcome in outcomes.of.items():
        arrays |= {f"{which}_{part}": getattr(outcome, part) for part in PARTS}
    buffer = io.BytesIO()
    whole = {name: value.astype(np.int64) for name, value in arrays.items()}
    np.savez_compressed(buffer, allow_pickle=False, **whole)
    return buffer.getvalue()
