"""The values that travel between modules. torch is imported for typing only, so that pages can
import this cheaply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


Role = Literal["guided", "unguided", "real", "ceiling", "other"]
"""What images, or a training on them, are in a comparison: guided and unguided generations, the real
images, further real images in place of synthetic ones, and what is none of these or not known."""


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a data set before its files are opened. shape: (C, H, W); epsilon_linf,
    epsilon_l2: the conventional budgets in [0,1] units, None where there is no convention."""

    name: str
    title: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    epsilon_linf: float | None
    licence: str
    epsilon_l2: float | None = None

    def conventional(self, norm: str) -> float | None:
        """The conventional budget in this norm ("linf" or "l2")."""
        return self.epsilon_linf if norm == "linf" else self.epsilon_l2

    @property
    def usual_linf(self) -> float:
        """The conventional l_inf budget, and where there is none the usual one of images like
        these."""
        return self.epsilon_linf if self.epsilon_linf is not None else usual_budget(self.shape[0])


def usual_budget(channels: int) -> float:
    """An l_inf budget, in [0, 1] units, for images without a convention: 0.1 as for small grey
    ones, 8/255 as for colour photographs."""
    return 0.1 if channels == 1 else 8 / 255


@dataclass(frozen=True)
class Split:
    """Labelled images. image: (N,H,W,C) uint8, maybe memory-mapped; label: (N,) int64 in
    0..len(classes)-1; note: what has to be said about the labels, such as that they were matched by
    name, "" mostly."""

    info: DatasetInfo
    image: np.ndarray
    label: np.ndarray
    note: str = ""

    def __len__(self) -> int:
        return len(self.label)


NO_LABEL = -1
"""The class number of a point whose set has no labels."""


@dataclass(frozen=True)
class Embedding:
    """Sample sets on one map. Point i is image ``row[i]`` of set ``names[which[i]]`` and has class
    ``label[i]``, ``NO_LABEL`` for none. names: as they were asked for; class_names: by class
    number; totals: images that each set has, of which the points are a part. coordinates: (n, 2 or
    3) float32; which, row, label: (n,) int64. Points of one set are neighbours, in the order of
    ``names``."""

    names: tuple[str, ...]
    class_names: tuple[str, ...]
    totals: tuple[int, ...]
    coordinates: np.ndarray
    which: np.ndarray
    row: np.ndarray
    label: np.ndarray

    def __len__(self) -> int:
        return len(self.label)

    def class_name(self, value: int) -> str:
        """The name of a class, its number where nobody named it, "no label" for ``NO_LABEL``."""
        if value == NO_LABEL:
            return "no label"
        return self.class_names[value] if value < len(self.class_names) else f"class {value}"


@dataclass(frozen=True)
class MapQuality:
    """How far a map can be trusted. trustworthiness: in [0, 1], of the neighbourhoods drawn (Venna
    and Kaski 2001); disparity: Procrustes disparity in [0, 1] between maps of two seeds, None for a
    projection without a seed; n: images it was measured on; neighbors: size of the
    neighbourhoods."""

    trustworthiness: float
    disparity: float | None
    n: int
    neighbors: int


@dataclass(frozen=True)
class NoiseState:
    """What a guide sees at one step. All tensors (B,C,H,W) fp32, images in model range [-1,1]. eps:
    the predicted noise; x0: the denoised estimate that follows from it; alpha_bar: at timestep t;
    t_fraction: t/T in 0..1; index: step number from 0; predict_x0: x_t -> x0, differentiable
    through the network."""

    x_t: Tensor
    x0: Tensor
    eps: Tensor
    t: int
    t_fraction: float
    alpha_bar: float
    index: int
    labels: Tensor | None
    predict_x0: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Nudge:
    """What a guide answers. delta: change of the predicted noise (B,C,H,W); loss: (B,) nats before
    the step; ratio: (B,) |delta| / |eps|; strength: the effective relative strength asked for at
    this step (nan where raw)."""

    delta: Tensor
    loss: Tensor
    ratio: Tensor
    strength: float


class Guide(Protocol):
    """A steering rule: None where it leaves the step alone. May remember earlier steps of the same
    batch."""

    def __call__(self, state: NoiseState) -> Nudge | None: ...


@dataclass(frozen=True)
class Step:
    """One finished step of a batch. i: 1..total; t: the timestep left, t_fraction: t/T; x: the new
    iterate; x0: the estimate it used. x, x0: (B,C,H,W) fp32 in model range. nudge: what the guide
    did, None where it did nothing."""

    i: int
    total: int
    t: int
    t_fraction: float
    x: Tensor
    x0: Tensor
    nudge: Nudge | None


@dataclass(frozen=True)
class Frame:
    """One step of a live generation as the page draws it. Images are the x0 estimates of one batch,
    (B,H,W,C) uint8.

    i: 1..total over all batches; offset: the row of the batch's first image in the whole set.
    unguided: the other arm from the same noise, None where the run is itself unguided. loss: mean
    nats; ratio: mean |guidance| / |noise|; strength: effective relative strength (nan where raw);
    all None on steps without guidance. separation: between/within scatter of the judge's features
    (the judge never guides); None where undefined.
    """

    i: int
    total: int
    t_fraction: float
    guided: np.ndarray
    unguided: np.ndarray | None
    loss: float | None
    ratio: float | None
    strength: float | None
    separation: float | None
    separation_unguided: float | None
    offset: int = 0


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval. n: the sample size it rests on; level: e.g. 0.95; note: why
    there is no interval: its bounds are then infinite, so that nothing can be concluded from them.
    """

    value: float
    low: float
    high: float
    n: int
    level: float = 0.95
    note: str = ""

    @property
    def wide(self) -> bool:
        """Whether it has a width. Equal values show no spread, so their "bounds" are the value
        itself and promise nothing."""
        return self.low < self.high

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """low and high, None where there is no interval: for tables and JSON."""
        return (None, None) if self.note else (self.low, self.high)

    @property
    def reach(self) -> tuple[float, float]:
        """How far the interval goes below and above the value, 0 where there is none: for
        whiskers."""
        return (0.0, 0.0) if self.note else (self.value - self.low, self.high - self.value)


@dataclass(frozen=True)
class ArmReport:
    """Figures of one arm, or of guided minus unguided (paired by image). agreement: share of images
    that the judge gives their conditioning label; separation: between/within scatter in the judge's
    features; nearest: mean distance in the judge's features to the nearest real training image, as
    a ratio to the same distance from held-out real images (below 1 hints at memorisation)."""

    agreement: Interval | None
    separation: Interval | None
    nearest: Interval | None


@dataclass(frozen=True)
class JudgeView:
    """What the judge sees in each image of an arm. predicted: (N,) int64 class numbers; confidence:
    (N,) float32 in [0, 1]."""

    predicted: np.ndarray
    confidence: np.ndarray


@dataclass(frozen=True)
class LiveResult:
    """What a live generation ends with; images (N,H,W,C) uint8; complete: False where cancelled.
    label: (N,) int64, the classes that the model was told; None for a model without classes, whose
    images have no labels whatever its guide aimed at."""

    label: np.ndarray | None
    guided: np.ndarray
    unguided: np.ndarray | None
    guided_report: ArmReport
    unguided_report: ArmReport | None
    difference: ArmReport | None
    complete: bool
    seconds: float
    finished: int = 0
    """Images that went through every step; where cancelled in the first batch, the images are its
    estimates so far and this is 0."""
    guided_view: JudgeView | None = None
    unguided_view: JudgeView | None = None

    @property
    def identical(self) -> bool:
        """Whether guidance changed no pixel so far: its window has not begun, or its strength is 0.
        Figures of both arms then are the same ones."""
        return self.unguided is not None and np.array_equal(self.guided, self.unguided)

    @property
    def fewest(self) -> int:
        """Images of the class that has the fewest; all of them where they have no labels."""
        if self.label is None or not len(self.label):
            return len(self.guided)
        return int(np.unique(self.label, return_counts=True)[1].min())


@dataclass(frozen=True)
class Sample:
    """One look at a run's process and its children. time: unix seconds; cpu: percent of one core
    since the look before; memory: resident bytes; gpu: percent the device is busy; gpu_memory:
    bytes torch holds there; None without CUDA."""

    time: float
    cpu: float
    memory: int
    gpu: float | None = None
    gpu_memory: int | None = None


@dataclass(frozen=True)
class EpochMetrics:
    """What a robust training says of itself after a validation. Accuracies are shares in 0..1.

    epoch, epochs: the one that the last step belongs to, from 1, and how many in all, the last of
    which may be cut short; step, images, synthetic_images: optimiser steps and images seen since
    the start, over all stops; seconds: of training and validation since the start, without pauses.
    loss, loss_clean, loss_robust: mean nats since the validation before (the robust part without
    its weight; loss_clean is 0 where the method has none); learning_rate, epsilon: of the last
    step. train_clean, train_robust: on the training batches, nan where the method does not look at
    clean images. clean_accuracy, robust_accuracy: of the averaged weights on n validation images,
    the second under PGD. point: the number of this validation, from 1; steps: optimiser steps in
    all. best_*: of the best validation so far, that of highest robust accuracy; of equal ones that
    of higher clean accuracy, then the later.
    """

    epoch: int
    epochs: int
    step: int
    images: int
    synthetic_images: int
    seconds: float
    loss: float
    loss_clean: float
    loss_robust: float
    learning_rate: float
    epsilon: float
    train_clean: float
    train_robust: float
    clean_accuracy: float
    robust_accuracy: float
    n: int
    best_epoch: int
    best_robust: float
    point: int
    steps: int
    best_point: int
    best_step: int
    best_clean: float


NEVER_ROBUST = (
    "no epoch is above 0 robust accuracy, so the best is the one of highest clean accuracy"
)
"""Said wherever a best epoch is named of a training that never withstood an attack."""
