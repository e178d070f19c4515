"""A network and labelled images under attack, reproducible, every attacked image checked."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cdp.errors import Cancelled, CdpError, InputError
from cdp.models.state import frozen
from cdp.robust.attacks import Loss, cross_entropy, madry, pgd
from cdp.robust.recipes import to_tensor
from cdp.statistics.shares import share_of
from cdp.values.evaluation import CurvePoint
from cdp.values.types import Interval

LOOK_SECONDS = 0.2
"""How often a forward pass asks whether to stop."""
SLACK, SLACK_FLOOR = 1e-5, 1e-6
"""Rounding allowed beyond the budget: a share of it, and in units of the norm."""

Run = Callable[[Tensor, Tensor], Tensor]
"""x: (B,C,H,W) fp32 in [0,1], y: (B,) -> attacked images of the same shape."""
BatchRun = Callable[[Tensor, Tensor, int], Tensor]
"""The same, with the number of the batch in its stage."""
ShouldStop = Callable[[], bool]


@dataclass(frozen=True)
class Attacked:
    """What became of b images. valid: finite, in [0,1] and within the budget; size: in the norm."""

    predicted: np.ndarray
    valid: np.ndarray
    size: np.ndarray


def seeded(*numbers: int) -> torch.Generator:
    """A stream of its own for every sequence of numbers of 0 or more."""
    return torch.Generator().manual_seed(
        int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
    )


def device_of(net: nn.Module) -> torch.device:
    """Where its first parameter is; the CPU for a network without."""
    parameter = next(net.parameters(), None)
    return parameter.device if parameter is not None else torch.device("cpu")


def batches(rows: np.ndarray, size: int) -> list[np.ndarray]:
    """Rows in their order, ``size`` at a time."""
    return [rows[first : first + size] for first in range(0, len(rows), size)]


def of_batch(run: BatchRun, number: int) -> Run:
    """What an attack does in one batch."""
    return lambda x, y: run(x, y, number)


class Trial:
    """A network and n labelled images; whatever it does to the network is undone."""

    def __init__(
        self,
        net: nn.Module,
        image: np.ndarray,
        label: np.ndarray,
        *,
        classes: int | None = None,
        should_stop: ShouldStop | None = None,
    ) -> None:
        """image: (n,H,W,C) uint8, may be memory-mapped; label: (n,) integers; classes: how many
        logits, None for as many as the first images get. Raises InputError for other arrays."""
        if image.dtype != np.uint8 or image.ndim != 4 or not image.size:
            raise InputError(
                f"evaluations take (n,H,W,C) uint8 images, but these are {image.dtype} of shape"
                f" {image.shape}: convert them"
            )
        if label.shape != image.shape[:1] or not np.issubdtype(label.dtype, np.integer):
            raise InputError(
                f"{len(image)} images have labels of shape {label.shape} and type {label.dtype}:"
                " give one whole number for each"
            )
        self.net, self.image, self.label = net, image, label.astype(np.int64)
        self.classes, self.should_stop = classes, should_stop
        self.device = device_of(net)
        if self.label.min() < 0 or (classes is not None and self.label.max() >= classes):
            raise InputError(
                f"labels run from {self.label.min()} to {self.label.max()}: they have to be 0 or"
                f" more, and below {classes or 'K'}"
            )

    def __len__(self) -> int:
        return len(self.label)

    @contextmanager
    def still(self) -> Iterator[None]:
        """Eval mode, frozen parameters, fp32 without TF32, reproducible kernels; the caller's
        random streams and settings are handed back. Raises Cancelled within a second of a wish to
        stop."""
        gpus = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
        with ExitStack() as stack:
            stack.enter_context(frozen(self.net))
            stack.enter_context(
                torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
            )
            stack.enter_context(_exact_products())
            stack.enter_context(torch.random.fork_rng(devices=gpus))
            stack.enter_context(_stoppable(self.net, self.should_stop))
            yield

    def images(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        """(b,C,H,W) fp32 in [0,1] and (b,) int64, on the network's device."""
        x = to_tensor(self.image[rows]).contiguous().to(self.device)
        return x, torch.from_numpy(self.label[rows]).to(self.device)

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """(b,) int64 classes. Raises InputError where the network gives no finite logits."""
        x, _ = self.images(rows)
        with self.still(), torch.no_grad():
            logits = self.logits(x, "images")
        return logits.argmax(dim=1).cpu().numpy()

    def require_gradients(self, rows: np.ndarray) -> None:
        """Raises InputError where the network cuts the gradient with respect to its images."""
        x, _ = self.images(rows[:1])
        with self.still(), torch.enable_grad():
            if not self.logits(x.requires_grad_(True), "images").requires_grad:
                raise InputError(
                    "the network gives no gradient with respect to its images: remove no_grad and"
                    " detach from its forward pass"
                )

    def attack(self, rows: np.ndarray, run: Run, *, norm: str, epsilon: float) -> Attacked:
        """Attack the images of ``rows`` in one batch; one beyond the budget does not count."""
        x, y = self.images(rows)
        with self.still(), torch.no_grad():
            x_adv = run(x.clone(), y.clone()).detach().to(x)
            if x_adv.shape != x.shape:
                raise InputError(
                    f"an attack gave images of shape {list(x_adv.shape)} for {list(x.shape)}: it"
                    " has to keep the shape"
                )
            size = _size(x_adv - x, norm)
            limit = epsilon * (1 + SLACK) + SLACK_FLOOR
            # NaN is in no range and within no budget.
            valid = (size <= limit) & ((x_adv >= 0) & (x_adv <= 1)).flatten(1).all(dim=1)
            # In the batch they were attacked in, as another batch may round logits otherwise.
            logits = self.logits(torch.where(valid.view(-1, 1, 1, 1), x_adv, x), "attacked images")
        predicted = logits.argmax(dim=1).cpu().numpy()
        return Attacked(predicted, valid.cpu().numpy(), size.cpu().numpy())

    def logits(self, x: Tensor, what: str) -> Tensor:
        """(B,K) of images in [0,1], called ``what`` in messages. Raises InputError for no such."""
        try:
            logits: object = self.net(x)
        except (CdpError, MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:  # whatever a stranger's code raises is told in one sentence
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
            raise InputError(
                f"the network does not take {what} of shape {list(x.shape)} ({reason}): check its"
                " input"
            ) from error
        if not isinstance(logits, Tensor) or logits.dim() != 2 or len(logits) != len(x):
            shape = list(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise InputError(
                f"the network gives {shape} for {len(x)} images: it has to give one row of logits"
                " for each"
            )
        self.classes = self.classes or max(logits.shape[1], int(self.label.max()) + 1)
        if logits.shape[1] != self.classes:
            raise InputError(
                f"the network gives {logits.shape[1]} logits, but there are {self.classes} classes:"
                " choose another data set"
            )
        if not bool(torch.isfinite(logits).all()):
            raise InputError(
                f"the network gives logits for {what} that are NaN or infinite: check it for"
                " overflow"
            )
        return logits


def _size(delta: Tensor, norm: str) -> Tensor:
    flat = delta.flatten(1)
    return flat.abs().amax(dim=1) if norm == "linf" else flat.norm(dim=1)


@contextmanager
def _exact_products() -> Iterator[None]:
    """Matrix products in full fp32, as the flags of cuDNN ask it of convolutions."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def _stoppable(net: nn.Module, should_stop: ShouldStop | None) -> Iterator[None]:
    if should_stop is None:
        yield
        return
    asked = -math.inf

    def look(*_: object) -> None:
        nonlocal asked
        now = time.monotonic()
        if now - asked >= LOOK_SECONDS:
            asked = now
            if should_stop():
                raise Cancelled("stopped during an attack: resume it to go on")

    handle = net.register_forward_pre_hook(look)
    try:
        yield
    finally:
        handle.remove()


# ---- Attacks on parts of a trial's images ----

BUDGETS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0)
"""Of the curve, in units of the evaluation's budget."""
CPU_BATCH = 50
"""At most, on a CPU: a fifth faster than 200 with the small CNN, whose activations then stay in the
cache."""


class Attacker:
    """Attacks parts of a trial's images in batches, in the order of their rows."""

    def __init__(self, trial: Trial, *, norm: str, seed: int, batch: int) -> None:
        self.trial, self.norm, self.seed = trial, norm, seed
        self.batch = min(batch, CPU_BATCH) if trial.device.type == "cpu" else batch

    def right(self) -> np.ndarray:
        """(n,) bool: classified rightly without attack."""
        right = np.zeros(len(self.trial), bool)
        for rows in batches(np.arange(len(self.trial)), self.batch):
            right[rows] = self.trial.predict(rows) == self.trial.label[rows]
        return right

    def left_of(
        self,
        among: np.ndarray,
        *,
        steps: int,
        epsilon: float,
        loss: Loss = cross_entropy,
        start: int | None = 0,
    ) -> np.ndarray:
        """(n,) bool: those ``among`` that PGD does not turn. start: None for no random one."""

        def run(x: Tensor, y: Tensor, number: int) -> Tensor:
            how: dict[str, Any] = madry(epsilon, steps, self.norm) | {"loss": loss}
            generator = seeded(self.seed, start or 0, number)
            begin = start is not None
            return pgd(self.trial.net, x, y, random_start=begin, generator=generator, **how)

        return self.left_by(among, run, epsilon)

    def left_by(self, among: np.ndarray, run: BatchRun, epsilon: float) -> np.ndarray:
        """(n,) bool: those ``among`` that an attack within epsilon does not turn."""
        left = among.copy()
        for number, rows in enumerate(batches(np.flatnonzero(among), self.batch)):
            outcome = self.trial.attack(
                rows, of_batch(run, number), norm=self.norm, epsilon=epsilon
            )
            left[rows] = ~outcome.valid | (outcome.predicted == self.trial.label[rows])
        return left


def budget_curve(attacker: Attacker, epsilon: float, *, steps: int = 20) -> tuple[CurvePoint, ...]:
    """Robust accuracy under PGD on cross-entropy at nine budgets from 0 to three times epsilon,
    never rising: only images that stood at every smaller budget are attacked."""
    standing = attacker.right()
    points = [CurvePoint(0.0, share_of(standing))]
    for number, factor in enumerate(BUDGETS[1:]):
        standing = attacker.left_of(standing, steps=steps, epsilon=factor * epsilon, start=number)
        points.append(CurvePoint(factor * epsilon, share_of(standing)))
    return tuple(points)


def robust_share(attacker: Attacker, epsilon: float, *, steps: int = 20) -> Interval:
    """Share of images that are right without attack and under PGD in this budget."""
    return share_of(attacker.left_of(attacker.right(), steps=steps, epsilon=epsilon))
