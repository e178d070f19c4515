"""How far a suite of attacks has come and what became of every image so far: plain numbers that can
be saved after every batch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from cdp.errors import InputError
from cdp.values.evaluation import STANDS, WRONG_BEFORE

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
        clean, attacked, broken_by = (
            np.full(n, value, np.int64) for value in (UNKNOWN, UNKNOWN, STANDS)
        )
        tried, broken, refused = (np.zeros(len(names), np.int64) for _ in range(3))
        return cls(
            tuple(names),
            norm,
            epsilon,
            batch,
            clean,
            attacked,
            broken_by,
            tried,
            broken,
            refused,
            np.zeros(len(names)),
        )

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
        """(done, left) in the unit of ``costs``, one an attack and image; what is left supposes
        that no further image falls."""
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
        """Raises InputError where this is the state of another suite, or of another number of
        images."""
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
        plain = {
            "names": self.names,
            "norm": self.norm,
            "epsilon": self.epsilon,
            "batch_size": self.batch_size,
        }
        plain |= {"stage": self.stage, "batch": self.batch, "largest": self.largest}
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
            found = cls(
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
        wrong = next(found._faults(), None)
        if wrong is not None:
            raise InputError(f"the saved state of the evaluation is damaged ({wrong}): start anew")
        return found

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


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise ValueError(f"{value!r} is no whole number")
    return value
