"""Which sample sets can be mixed with a data set, and the reason where one cannot."""

from __future__ import annotations

import dataclasses

import pytest

from cdp.data.catalog import CATALOG
from cdp.data.fitting import misfit

CIFAR = CATALOG["cifar10"]


@pytest.mark.parametrize("names", [CIFAR.classes, tuple("0123456789"), tuple("012")])
def test_the_same_classes_fit_by_name_or_by_number(names: tuple[str, ...]) -> None:
    assert misfit((3, 32, 32), names, CIFAR) == ""


@pytest.mark.parametrize(
    ("shape", "names", "word"),
    [
        ((1, 32, 32), CIFAR.classes, "shape"),
        ((3, 28, 28), CIFAR.classes, "shape"),
        ((3, 32, 32), CIFAR.classes[:9], "9 classes"),
        ((3, 32, 32), (*CIFAR.classes, "boat"), "11 classes"),
        ((3, 32, 32), CIFAR.classes[::-1], "'truck' is 'airplane'"),
        ((3, 32, 32), tuple(str(k) for k in range(11)), "'0'"),
    ],
)  # fmt: skip
def test_others_do_not_and_it_is_said_why(shape: tuple[int, int, int], names: tuple[str, ...], word: str) -> None:
    assert word in misfit(shape, names, CIFAR)


def test_a_data_set_that_numbers_its_classes_takes_its_own_numbers_alone() -> None:
    numbered = dataclasses.replace(CIFAR, classes=tuple("0123456789"))
    assert misfit((3, 32, 32), tuple("0123456789"), numbered) == ""
    assert misfit((3, 32, 32), CIFAR.classes, numbered)
