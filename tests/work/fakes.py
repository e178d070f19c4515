"""Stand-ins for the sampler: frames and results of the right shape, with gates that tests open by
hand."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np

from cdp.config.generate import GenerateConfig
from cdp.values.types import ArmReport, Frame, LiveResult
from cdp.work.session import Session

NOTHING = ArmReport(None, None, None)


def make_frame(i: int, total: int, *, images: int = 4, guided: bool = True, side: int = 4) -> Frame:
    image = np.full((images, side, side, 1), i % 256, np.uint8)
    return Frame(
        i, total, 1 - i / total, image, None, 0.5 if guided else None, None, None, None, None
    )


def make_result(config: GenerateConfig, *, complete: bool) -> LiveResult:
    image = np.zeros((config.count, 4, 4, 1), np.uint8)
    return LiveResult(
        np.zeros(config.count, np.int64), image, None, NOTHING, None, None, complete, 0.1
    )


class FakeLive:
    """A sampler that takes one step each time the gate is released; ``free`` opens it for good."""

    def __init__(self, *, free: bool = False) -> None:
        self.gate = threading.Semaphore(0)
        self.free = free
        self.calls: list[GenerateConfig] = []
        self.active = 0
        self.most_active = 0

    def __call__(
        self, config: GenerateConfig, session: Session, *, compare: bool
    ) -> Iterator[Frame | LiveResult]:
        self.calls.append(config)
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        try:
            total = config.sampler.steps
            for i in range(1, total + 1):
                while (
                    not self.free
                    and not session.stop_requested()
                    and not self.gate.acquire(timeout=0.01)
                ):
                    pass
                if session.stop_requested():
                    yield make_result(config, complete=False)
                    return
                yield make_frame(i, total, images=config.count)
            yield make_result(config, complete=True)
        finally:
            self.active -= 1

    def step(self, n: int = 1) -> None:
        self.gate.release(n)
