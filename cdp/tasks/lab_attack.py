"""The part of the attack lab that needs torch: PGD from several starts, the path of its loss."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cdp.config.lab import GRID, LabConfig
from cdp.errors import InputError
from cdp.files.cache import Report, ignore
from cdp.models.encoders import Encoder
from cdp.robust.attacks import Loss, cross_entropy, madry, margin, pgd, towards
from cdp.robust.recipes import to_tensor
from cdp.tasks.loaded import encoder_on_device
from cdp.values.lab import STARTS, AttackFigures, LabResult, LabSubject, Smallest

LOSSES: dict[str, Loss] = {"cross-entropy": cross_entropy, "margin": margin, "targeted": towards}
SMALL = 2_000_000
"""Up to so many parameters a few images are attacked fastest on one thread: others only wait for
each other."""


@dataclass(frozen=True)
class _Tried:
    """One attack from every start: x (S,C,H,W), logits (S,K), losses, predicted (T+1, S)."""

    x: Tensor
    logits: Tensor
    losses: Tensor
    predicted: Tensor


class AttackLab:
    """A network and an image of it, ready to be attacked at any budget."""

    def __init__(self, config: LabConfig, subject: LabSubject) -> None:
        """Loads the network. Raises InputError where it does not fit the image."""
        self._config, self._subject = config, subject
        net = self._net = _encoder(config, subject.weights).net
        self._x = to_tensor(subject.image[None]).to(next(net.parameters()).device)
        with _few_threads(net), torch.no_grad():
            self._logits = _finite(net(self._x))[0]
        order = self._logits.argsort(descending=True).tolist()
        self.label = subject.label if subject.label is not None else int(order[0])
        self.target = self._target(order) if config.attack == "targeted" else None

    def attack(self, epsilon: float, report: Report = ignore) -> LabResult:
        """The strongest of all starts at this budget."""
        began = time.perf_counter()
        tried = self._try(epsilon, report)
        chosen = self._strongest(tried)
        adversarial = tried.x[chosen].permute(1, 2, 0).cpu().numpy()
        change = adversarial.astype(np.float64) - self._subject.image / 255
        size = float(
            np.abs(change).max() if self._config.norm == "linf" else np.sqrt((change**2).sum())
        )
        figures = AttackFigures(
            self.label,
            self.target,
            epsilon,
            size,
            _probabilities(self._logits),
            _probabilities(tried.logits[chosen]),
            tuple(map(tuple, tried.losses.T.tolist())),
            tuple(tried.predicted[:, chosen].tolist()),
            chosen,
            time.perf_counter() - began,
        )
        return LabResult(figures, self._subject.image, np.ascontiguousarray(adversarial))

    def smallest(self, grid: tuple[float, ...], report: Report) -> Smallest:
        """The smallest budget of ``grid`` (from 0, even steps) found to fool."""
        began, tried = time.perf_counter(), 0
        needed = 1 + (len(grid) - 2).bit_length()

        def fools(k: int) -> bool:
            nonlocal tried
            report(min(0.95, tried / needed), f"trying {grid[k]:.3g}")
            tried += 1
            return bool(self._fooled(self._try(grid[k]).logits).any())

        place = 0 if bool(self._fooled(self._logits[None]).any()) else bisect(fools, len(grid) - 1)
        return Smallest(
            None if place is None else grid[place],
            grid[-1],
            grid[1],
            tried,
            time.perf_counter() - began,
        )

    def _target(self, order: list[int]) -> int:
        """The class aimed at: the one asked for, else the likeliest other one."""
        target = (
            self._config.target
            if self._config.target is not None
            else next(c for c in order if c != self.label)
        )
        if target == self.label:
            raise InputError(
                "target is what the model says of this image already: choose another class"
            )
        return target

    def _try(self, epsilon: float, report: Report = ignore) -> _Tried:
        config, device = self._config, self._x.device
        goal = torch.full(
            (STARTS,), self.label if self.target is None else self.target, device=device
        )
        loss = LOSSES[config.attack]
        losses: list[Tensor] = []
        answers: list[Tensor] = []

        def watched(logits: Tensor, y: Tensor) -> Tensor:
            report(len(answers) / (config.steps + 1), f"step {len(answers)} of {config.steps}")
            answers.append(logits.detach())
            return loss(logits, y)

        with _few_threads(self._net):
            x = pgd(
                self._net,
                self._x.expand(STARTS, -1, -1, -1),
                goal,
                loss=watched,
                generator=torch.Generator().manual_seed(config.seed),
                trace=losses,
                **madry(epsilon, config.steps, config.norm),
            )
        return _Tried(
            x, _finite(answers[-1]), torch.stack(losses), torch.stack(answers).argmax(dim=2)
        )

    def _fooled(self, logits: Tensor) -> Tensor:
        """(S,K) -> (S,) bool: whether each says what the attack wants."""
        answer = logits.argmax(dim=1)
        return answer == self.target if self.target is not None else answer != self.label

    def _strongest(self, tried: _Tried) -> int:
        fooled, last = self._fooled(tried.logits), tried.losses[-1]
        return int(torch.where(fooled == fooled.any(), last, -torch.inf).argmax())


def bisect(fools: Callable[[int], bool], steps: int = GRID) -> int | None:
    """The smallest k in 1..steps found by halving at which ``fools(k)``; None for none. An attack
    may fail at a large budget and not at a smaller one, so two smaller ones are tried before giving
    up."""
    high = next(
        (k for k in dict.fromkeys((steps, 2 * steps // 3, steps // 3)) if k >= 1 and fools(k)), None
    )
    if high is None:
        return None
    low = 0
    while high - low > 1:
        middle = (low + high) // 2
        if fools(middle):
            high = middle
        else:
            low = middle
    return high


def _encoder(config: LabConfig, weights: str) -> Encoder:
    """The encoder with these weights: a training that goes on replaces its best ones."""
    encoder = encoder_on_device(config.model, config.dataset)
    if encoder.sha256 != weights:
        encoder_on_device.cache_clear()
        encoder = encoder_on_device(config.model, config.dataset)
    return encoder


def _finite(logits: Tensor) -> Tensor:
    if not torch.isfinite(logits).all():
        raise InputError(
            "model: its answer for this image is not a finite number: choose another model"
        )
    return logits.float()


def _probabilities(logits: Tensor) -> tuple[float, ...]:
    return tuple(logits.double().softmax(dim=0).tolist())


@contextmanager
def _few_threads(net: torch.nn.Module) -> Iterator[None]:
    """One thread for a small network, as many as before for a large one."""
    before = torch.get_num_threads()
    if sum(parameter.numel() for parameter in net.parameters()) <= SMALL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
