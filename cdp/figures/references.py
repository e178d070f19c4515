"""Published robust accuracies, as landmarks beside one's own: AutoAttack (standard) on the whole
test set, with their sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cdp.values.comparison import Arm

ATTACK = "AutoAttack (standard)"
SAME_BUDGET = 0.02
"""Budgets that differ by so much of one are the same: some papers round 8/255 to 0.031."""


@dataclass(frozen=True)
class Reference:
    """A published model. clean, robust: shares in 0..1 of ``n`` test images, the second under
    ``attack``; epsilon: in units of the norm; synthetic_images: generated ones it was trained on;
    source: where the numbers stand."""

    name: str
    architecture: str
    dataset: str
    norm: str
    epsilon: float
    clean: float
    robust: float
    synthetic_images: int
    source: str
    attack: str = ATTACK
    n: int = 10_000


_BENCH = "RobustBench, model_info/cifar10/Linf/"
_TABLE = "AutoAttack's table of MNIST models (Croce and Hein)"
_B8 = 8 / 255

REFERENCES: tuple[Reference, ...] = (
    Reference(
        "Bartoldson 2024",
        "WRN-94-16",
        "cifar10",
        "linf",
        _B8,
        0.9368,
        0.7371,
        500_000_000,
        f"{_BENCH}Bartoldson2024Adversarial_WRN-94-16",
    ),
    Reference(
        "Wang 2023",
        "WRN-28-10",
        "cifar10",
        "linf",
        _B8,
        0.9244,
        0.6731,
        20_000_000,
        f"{_BENCH}Wang2023Better_WRN-28-10",
    ),
    Reference(
        "Gowal 2021",
        "WRN-28-10",
        "cifar10",
        "linf",
        _B8,
        0.8750,
        0.6344,
        100_000_000,
        f"{_BENCH}Gowal2021Improving_28_10_ddpm_100m",
    ),
    Reference(
        "Rebuffi 2021",
        "WRN-28-10",
        "cifar10",
        "linf",
        _B8,
        0.8733,
        0.6075,
        1_000_000,
        f"{_BENCH}Rebuffi2021Fixing_28_10_cutmix_ddpm",
    ),
    Reference(
        "Gowal 2021, R18",
        "PreActResNet-18",
        "cifar10",
        "linf",
        _B8,
        0.8735,
        0.5850,
        100_000_000,
        f"{_BENCH}Gowal2021Improving_R18_ddpm_100m",
    ),
    Reference(
        "TRADES 2019",
        "WRN-34-10",
        "cifar10",
        "linf",
        0.031,
        0.8492,
        0.5308,
        0,
        f"{_BENCH}Zhang2019Theoretically",
    ),
    Reference("TRADES 2019", "small CNN", "mnist", "linf", 0.3, 0.9948, 0.9281, 0, _TABLE),
    Reference("Madry 2018", "small CNN", "mnist", "linf", 0.3, 0.9853, 0.8850, 0, _TABLE),
)


def matching(dataset: str, norm: str, epsilon: float | None) -> tuple[Reference, ...]:
    """References for the same data set, norm and budget. epsilon: None is the data set's
    conventional budget, as all of these are."""
    return tuple(
        one
        for one in REFERENCES
        if (one.dataset, one.norm) == (dataset, norm)
        and (epsilon is None or abs(one.epsilon - epsilon) <= SAME_BUDGET * one.epsilon)
    )


def matching_arms(arms: Sequence[Arm]) -> tuple[Reference, ...]:
    """References for what all arms were trained for; none where arms differ in it, or where it is
    not known."""
    threats = {
        tuple(arm.settings.get(key) for key in ("dataset", "norm", "epsilon")) for arm in arms
    }
    if len(threats) != 1:
        return ()
    dataset, norm, epsilon = threats.pop()
    if (
        not isinstance(dataset, str)
        or not isinstance(norm, str)
        or not isinstance(epsilon, float | int | None)
    ):
        return ()
    return matching(dataset, norm, epsilon)
