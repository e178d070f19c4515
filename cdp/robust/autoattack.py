"""AutoAttack (Croce and Hein 2020): the objects of pyautoattack under our loop."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cdp.errors import InputError
from cdp.robust.attacks import NORMS, margin
from cdp.robust.suites import GRADIENT, Attack
from cdp.robust.trial import BatchRun, ShouldStop, Trial, device_of

TARGETS, RESTARTS, QUERIES = 9, 5, 5000
"""Of the standard version: targets of APGD-T and FAB-T at most; restarts of the untargeted attack
that stands in for APGD-T; of Square."""
_APGD_COST, _QUERY_COST = 101 * GRADIENT, 1.1
_FAB_COST = {"linf": 600, "l2": 400}
"""In forward passes of the small CNN, measured, for one run of 100 steps: 300 are the network's and
the rest FAB's projections, so a larger network takes fewer."""


def autoattack_suite(
    net: nn.Module, classes: int, norm: str, epsilon: float, seed: int
) -> list[Attack]:
    """The standard version: the outcome of every image is that of the package's
    ``run_standard_evaluation``.

    Below ten classes APGD-T and FAB-T aim at every other class. With three classes APGD on the
    untargeted DLR loss with five restarts stands in for APGD-T; with two APGD-CE gets five
    restarts. Raises InputError for a single class, another norm, or no budget.
    """
    if classes < 2:
        raise InputError(
            f"with {classes} classes there is none to be mistaken for: choose a data set of 2 or"
            " more"
        )
    package, targets = _package(net, norm, epsilon, seed), min(TARGETS, classes - 1)
    package.apgd_targeted.n_target_classes = package.fab.n_target_classes = targets
    starts = RESTARTS if classes == 2 else 1
    cross_entropy = _run(package.apgd, seed, loss="ce", n_restarts=starts)
    stages = [Attack("apgd-ce", "APGD-CE", starts * _APGD_COST, cross_entropy)]
    if classes == 3:
        dlr = _run(package.apgd, seed, loss="dlr", n_restarts=RESTARTS)
        stages.append(Attack("apgd-dlr", "APGD-DLR", RESTARTS * _APGD_COST, dlr))
    elif classes > 3:
        targeted = _run(package.apgd_targeted, seed)
        stages.append(Attack("apgd-t", "APGD-T", targets * _APGD_COST, targeted))
    fab = _run(package.fab, seed, targeted=True, n_restarts=1)
    stages.append(Attack("fab-t", "FAB-T", targets * _FAB_COST[norm], fab))
    return [*stages, Attack("square", "Square", QUERIES * _QUERY_COST, _run(package.square, seed))]


def square_attack(net: nn.Module, *, norm: str, epsilon: float, seed: int, queries: int) -> Attack:
    """The package's Square (Andriushchenko 2020) with other queries: it sees no gradient."""
    square = _package(net, norm, epsilon, seed).square
    return Attack(
        "square",
        f"Square, {queries:,} queries",
        queries * _QUERY_COST,
        _run(square, seed, n_queries=queries),
    )


def _package(net: nn.Module, norm: str, epsilon: float, seed: int) -> Any:
    """The package's AutoAttack, standard version."""
    from pyautoattack import AutoAttack

    if norm not in NORMS:
        raise InputError(f"norm {norm!r} is unknown: choose one of {', '.join(NORMS)}")
    if not 0 < epsilon < math.inf:
        raise InputError(f"epsilon {epsilon} is no budget: give a finite length above 0")
    names = {"linf": "Linf", "l2": "L2"}
    package = AutoAttack(
        net, norm=names[norm], eps=epsilon, seed=seed, device=device_of(net), version="standard"
    )
    # It would print a warning a batch; the checks below say once what it says.
    package.apgd.logger = package.apgd_targeted.logger = logging.Logger(
        "silent", level=logging.CRITICAL + 1
    )
    return package


def _run(attacker: Any, seed: int, **settings: Any) -> BatchRun:
    """One batch as the package's own loop runs it, with the seed set anew for each."""

    def run(x: Tensor, y: Tensor, number: int) -> Tensor:
        for name, value in (settings | {"seed": seed}).items():
            setattr(attacker, name, value)
        return attacker.perturb(x, y)

    return run


def autoattack_warnings(
    net: nn.Module,
    image: np.ndarray,
    label: np.ndarray,
    *,
    classes: int,
    batch: int = 250,
    should_stop: ShouldStop | None = None,
) -> list[str]:
    """Why AutoAttack's number may mean less for this network, a sentence each, as the package's
    checks find on the first ``batch`` images; the rest is found by ``network_contract``. Raises
    InputError for a network that cannot be evaluated, Cancelled when stopped."""
    from pyautoattack import checks

    trial = Trial(net, image[:batch], label[:batch], classes=classes, should_stop=should_stop)
    trial.predict(np.arange(len(trial)))
    x, y = trial.images(np.arange(len(trial)))
    sentences = _few_classes(classes)
    with trial.still():
        with _own_trace(checks.funcs), torch.no_grad():
            dynamic = _heard(lambda ear: checks.check_dynamic(net, x, logger=ear))
        if dynamic:
            sentences.append(
                "The network computes gradients in its forward pass: it may adapt to its input,"
                " which AutoAttack does not foresee."
            )
        gradient = _gradient(net, x, y)
        if _heard(lambda ear: checks.check_zero_gradients(gradient, logger=ear)):
            zero = int((gradient.flatten(1).abs().sum(dim=1) == 0).sum())
            sentences.append(
                f"{zero} of {len(x)} images have no gradient at all: only Square can attack them,"
                " and it is the weakest part."
            )
    return sentences


def _few_classes(classes: int) -> list[str]:
    if classes == 2:
        return [
            "With 2 classes there is no DLR loss: APGD-CE with five restarts stands in for APGD-T."
        ]
    if classes == 3:
        return [
            "With 3 classes there is no targeted DLR loss: APGD-DLR with five restarts stands in"
            " for APGD-T."
        ]
    return []


class _Ear(list[str]):
    """Takes a logger's warnings."""

    def warning(self, message: str) -> None:
        self.append(message)


def _heard(check: Callable[[_Ear], object]) -> bool:
    ear = _Ear()
    check(ear)
    return bool(ear)


@contextmanager
def _own_trace(counts: dict[str, int]) -> Iterator[None]:
    """The package's check of dynamic networks leaves its trace function and counts behind."""
    before = sys.gettrace()
    counts.update(dict.fromkeys(counts, 0))
    try:
        yield
    finally:
        sys.settrace(before)


def _gradient(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Of the margin, which has one also where the softmax is saturated. (B,C,H,W)."""
    leaf = x.clone().requires_grad_(True)
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(margin(net(leaf), y).sum(), leaf)
    return gradient
