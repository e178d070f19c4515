"""Suites of attacks on the images that still stand: a generator that can stop at every batch."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from cdp.config.choices import QUICK_STEPS
from cdp.errors import InputError
from cdp.robust.attacks import cross_entropy, madry, margin, pgd
from cdp.robust.trial import BatchRun, ShouldStop, Trial, batches, of_batch, seeded
from cdp.values.evaluation import STANDS, WRONG_BEFORE
from cdp.values.text import counted

BACKWARD = 1
"""Cost of a gradient beside its forward pass, in forward passes: measured with frozen parameters on
the shipped networks."""
GRADIENT = 1 + BACKWARD


@dataclass(frozen=True)
class Attack:
    """One stage of a suite. cost: of an image that stands to its end, in forward passes. run: (x
    (B,C,H,W) fp32 in [0,1], y (B,), number of the batch) -> attacked images, a function of these
    alone; without gradients unless it asks for them."""

    name: str
    title: str
    cost: float
    run: BatchRun


def run_suite(
    net: nn.Module,
    image: np.ndarray,
    label: np.ndarray,
    attacks: Sequence[Attack],
    *,
    norm: str,
    epsilon: float,
    batch: int,
    classes: int | None = None,
    state: SuiteState | None = None,
    should_stop: ShouldStop | None = None,
) -> Iterator[SuiteState]:
    """The worst case of every image over all attacks, in fp32 and eval mode.

    image: (n,H,W,C) uint8; label: (n,); batch: images attacked at once, of those that stand when an
    attack begins; should_stop: asked a few times a second. Yields the state, the same object, after
    every batch, and once for an attack that has no image left; nothing where ``state`` is done.
    With a state saved at any yield, the outcome of every image is that of an unbroken run. An image
    beyond the budget is refused and counted. Raises Cancelled when stopped, and InputError for a
    state of another suite or a network that cannot be evaluated.
    """
    trial = Trial(net, image, label, classes=classes, should_stop=should_stop)
    names = tuple(attack.name for attack in attacks)
    if batch < 1:
        raise InputError(f"batch is {batch}: give 1 or more")
    if state is None:
        state = SuiteState.begin(len(trial), names, norm=norm, epsilon=epsilon, batch=batch)
    state.require(len(trial), names, norm=norm, epsilon=epsilon, batch=batch)
    if state.stage == CLEAN_PASS:
        yield from _clean_pass(trial, state)
    while not state.done:
        yield from _stage(trial, state, attacks[state.stage])


def _clean_pass(trial: Trial, state: SuiteState) -> Iterator[SuiteState]:
    parts = batches(np.arange(len(trial)), state.batch_size)
    if state.batch == 0:
        trial.require_gradients(parts[0])
    for rows in parts[state.batch :]:
        predicted = trial.predict(rows)
        wrong = predicted != trial.label[rows]
        state.clean[rows] = state.attacked[rows] = predicted
        state.broken_by[rows[wrong]] = WRONG_BEFORE
        state.advance(len(parts))
        yield state


def _stage(trial: Trial, state: SuiteState, attack: Attack) -> Iterator[SuiteState]:
    """One attack; its batches follow from who stood when it began, also after a resume."""
    stage = state.stage
    parts = batches(
        np.flatnonzero((state.broken_by == STANDS) | (state.broken_by >= stage)), state.batch_size
    )
    if not parts:
        state.advance(0)
        yield state
    for number, rows in list(enumerate(parts))[state.batch :]:
        began = time.perf_counter()
        outcome = trial.attack(
            rows, of_batch(attack.run, number), norm=state.norm, epsilon=state.epsilon
        )
        wrong = outcome.predicted != trial.label[rows]
        broken = outcome.valid & wrong
        state.attacked[rows[broken]] = outcome.predicted[broken]
        state.broken_by[rows[broken]] = stage
        state.count(
            stage,
            len(rows),
            int(broken.sum()),
            int((~outcome.valid).sum()),
            time.perf_counter() - began,
        )
        state.largest = max(state.largest, float(outcome.size[broken].max(initial=0.0)))
        state.advance(len(parts))
        yield state


def quick(
    net: nn.Module, *, norm: str, epsilon: float, seed: int, classes: int = 0
) -> list[Attack]:
    """PGD on cross-entropy from one random start, 2.5 budgets over all steps (Madry 2018)."""
    title = f"PGD-{QUICK_STEPS} on cross-entropy"
    first = pgd_suite(net, norm=norm, epsilon=epsilon, seed=seed, steps=QUICK_STEPS, restarts=1)[0]
    return [replace(first, title=title)]


def pgd_suite(
    net: nn.Module,
    *,
    norm: str,
    epsilon: float,
    seed: int,
    steps: int = 40,
    restarts: int = 5,
    classes: int = 0,
) -> list[Attack]:
    """PGD on cross-entropy and then on the CW margin, each from ``restarts`` random starts, a start
    only for images that those before left. Raises InputError for no steps or no starts."""
    if steps < 1 or restarts < 1:
        raise InputError(
            f"PGD with {steps} steps and {restarts} restarts attacks nothing: give 1 or more of"
            " both"
        )
    losses = (("pgd-ce", "cross-entropy", cross_entropy), ("pgd-margin", "CW margin", margin))
    stages = []
    for number, (name, words, loss) in enumerate(losses):
        once = partial(pgd, net, loss=loss, **madry(epsilon, steps, norm))
        title = f"PGD-{steps} on {words}, {counted(restarts, 'random start')}"
        run = partial(_restarted, net, once, (seed, number), restarts)
        stages.append(Attack(name, title, restarts * steps * GRADIENT, run))
    return stages


def _restarted(
    net: nn.Module,
    once: Callable[..., Tensor],
    entropy: tuple[int, int],
    restarts: int,
    x: Tensor,
    y: Tensor,
    number: int,
) -> Tensor:
    """One batch of an attack that begins anew for images that stand."""
    result, left = x, torch.arange(len(x), device=x.device)
    for restart in range(restarts):
        x_adv = once(x[left], y[left], generator=seeded(*entropy, number, restart))
        result = result.index_copy(0, left, x_adv)
        left = left[net(x_adv).argmax(dim=1) == y[left]]
        if not len(left):
            break
    return result


CLEAN_PASS = -1
"""The stage before the first attack."""
UNKNOWN = -1
"""In ``clean`` and ``attacked``: not predicted yet."""


@dataclass
class SuiteState:
    """names: of the attacks in order; norm, epsilon, batch_size: what they were run with.

    clean, attacked: (n,) int64 predicted classes, the second under the attack that turned an image,
    else as clean; UNKNOWN before the clean pass. broken_by: (n,) int64, number of that attack, else
    STANDS or WRONG_BEFORE. stage: number of the attack that is under way, CLEAN_PASS before the
    first and len(names) after the last; batch: its batches that are done.
    tried, broken, refused: (S,) int64 images of each attack: attacked, turned, and beyond the
    budget, which do not count as turned; seconds: (S,). largest: the largest perturbation that
    counted, in the norm.
    """

    names: tuple[str, ...]
    norm: str
    epsilon: float
    batch_size: int
    clean: np.ndarray
    attacked: np.ndarray
    broken_by: np.ndarray
    tried: np.ndarray
    broken: np.ndarray
    refused: np.ndarray
    seconds: np.ndarray
    stage: int = CLEAN_PASS
    batch: int = 0
    largest: float = 0.0

    @classmethod
    def begin(cls, n: int, names: Sequence[str], *, norm: str, epsilon: float, batch: int) -> Self:
        """Nothing done yet, on n images."""
        arrays: dict[str, Any] = {name: np.full(n, UNKNOWN) for name in ("clean", "attacked")}
        arrays |= {name: np.zeros(len(names), np.int64) for name in _COUNTS}
        arrays |= {"broken_by": np.full(n, STANDS), "seconds": np.zeros(len(names))}
        return cls(tuple(names), norm, epsilon, batch, **arrays)

    @property
    def done(self) -> bool:
        """Every attack has met every image it had to."""
        return self.stage == len(self.names)

    @property
    def standing(self) -> int:
        """Images not fallen so far."""
        return int((self.broken_by == STANDS).sum())

    def advance(self, total: int) -> None:
        """One more batch of ``total`` is done; the last one ends the stage."""
        self.batch += 1
        if self.batch >= total:
            self.stage, self.batch = self.stage + 1, 0

    def count(self, stage: int, tried: int, broken: int, refused: int, seconds: float) -> None:
        """Book one batch."""
        self.tried[stage] += tried
        self.broken[stage] += broken
        self.refused[stage] += refused
        self.seconds[stage] += seconds

    def work(self, costs: Sequence[float]) -> tuple[float, float]:
        """(done, left) in the unit of ``costs``, as if no further image fell."""
        done = float(np.dot(self.tried, costs))
        left = 0.0
        for stage in range(max(0, self.stage), len(self.names)):
            members = (
                int(((self.broken_by == STANDS) | (self.broken_by >= stage)).sum())
                if stage == self.stage
                else self.standing
            )
            left += costs[stage] * (members - int(self.tried[stage]))
        return done, left

    def require(
        self, n: int, names: Sequence[str], *, norm: str, epsilon: float, batch: int
    ) -> None:
        """Raises InputError for the state of another suite or number of images."""
        own = (len(self.clean), self.names, self.norm, self.epsilon, self.batch_size)
        given = (n, tuple(names), norm, epsilon, batch)
        for what, before, now in zip(
            ("images", "attacks", "norm", "epsilon", "batch"), own, given, strict=True
        ):
            if before != now:
                raise InputError(
                    f"the saved state of the evaluation is of another one ({what} {before}, now"
                    f" {now}): start anew"
                )

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Everything, as arrays that np.savez takes without pickles."""
        plain = {name: getattr(self, name) for name in _PLAIN}
        return {"plain": np.array(json.dumps(plain))} | {
            name: getattr(self, name).copy() for name in (*_IMAGES, *_COUNTS, "seconds")
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of ``to_arrays``. Raises InputError where they are not those of a state."""
        try:
            plain = json.loads(str(arrays["plain"]))
            names = tuple(map(str, plain["names"]))
            parts = {name: np.array(arrays[name]) for name in (*_IMAGES, *_COUNTS, "seconds")}
            state = cls(
                names,
                str(plain["norm"]),
                float(plain["epsilon"]),
                _whole(plain["batch_size"]),
                **parts,
                stage=_whole(plain["stage"]),
                batch=_whole(plain["batch"]),
                largest=float(plain["largest"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"the saved state of the evaluation is damaged ({type(error).__name__}:"
                f" {str(error)[:80]}): start anew"
            ) from error
        wrong = next(state._faults(), None)
        if wrong is not None:
            raise InputError(f"the saved state of the evaluation is damaged ({wrong}): start anew")
        return state

    def _faults(self) -> Iterator[str]:
        """What no state of a suite can hold."""
        n, attacks = self.clean.shape, (len(self.names),)
        for name in _IMAGES:
            part = getattr(self, name)
            if part.shape != n or part.ndim != 1 or part.dtype != np.int64 or not len(part):
                yield name
        for name in (*_COUNTS, "seconds"):
            part = getattr(self, name)
            if (
                part.shape != attacks
                or part.dtype != (np.float64 if name == "seconds" else np.int64)
                or not (part >= 0).all()
            ):
                yield name
        if not CLEAN_PASS <= self.stage <= len(self.names):
            yield "stage"
        if self.batch < 0 or self.batch_size < 1:
            yield "batch"
        if not 0 <= self.largest < np.inf:
            yield "largest"
        if self.clean.min() < UNKNOWN or self.attacked.min() < UNKNOWN:
            yield "classes"
        if self.broken_by.min() < WRONG_BEFORE or self.broken_by.max() >= len(self.names):
            yield "broken_by"


_IMAGES = ("clean", "attacked", "broken_by")
_COUNTS = ("tried", "broken", "refused")
_PLAIN = ("names", "norm", "epsilon", "batch_size", "stage", "batch", "largest")


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise ValueError(f"{value!r} is no whole number")
    return value
