"""Whether two labelled things mean the same: as they are, mapped by name."""

from __future__ import annotations

import numpy as np
import pytest

from cdp.data.catalog import CATALOG
from cdp.data.fitting import Labelling, fit, labelling_of, labelling_of_card
from cdp.errors import InputError

SHAPE = (3, 32, 32)
PETS = ("ant", "bee", "cat", "dog")


def labelled(
    *classes: str, shape: tuple[int, int, int] = SHAPE, nameless: bool = False
) -> Labelling:
    return Labelling("theirs", classes, shape, nameless)


OURS = Labelling("ours", PETS, SHAPE)


def test_the_same_classes_in_the_same_order_fit_without_a_word() -> None:
    found = fit(labelled(*PETS), OURS)
    assert (found.refusal, found.mapping, found.sentence, found.absent) == ("", None, "", ())
    label = np.array([3, 0, 1], np.uint8)
    assert found.relabel(label).tolist() == [3, 0, 1]
    assert found.relabel(label).dtype == np.int64


def test_another_order_is_mapped_by_name_and_said() -> None:
    theirs = ("dog", "ant", "bee", "cat")
    found = fit(labelled(*theirs), OURS)
    assert not found.refusal
    assert [PETS[k] for k in found.relabel(np.arange(4))] == list(theirs)
    assert "theirs" in found.sentence
    assert "by name" in found.sentence


@pytest.mark.parametrize(
    ("theirs", "words"),
    [
        (labelled("ant", "cat", "dog"), ("lacks 'bee'",)),
        (labelled(*PETS, "wasp"), ("has 'wasp' besides",)),
        (labelled("ant", "wasp", "cat", "dog"), ("lacks 'bee'", "has 'wasp' besides")),
        (labelled("Ant", "bee", "cat", "dog"), ("lacks 'ant'", "has 'Ant' besides")),
        (labelled("0", "1", "2", "3"), ("numbers without names", "'ant', 'bee', 'cat' and 'dog'")),
        (labelled(), ("no labels",)),
        (labelled("ant", "bee", "bee", "dog"), ("two classes 'bee'",)),
        (labelled(*PETS, shape=(1, 32, 32)), ("(1, 32, 32)", "(3, 32, 32)")),
        (labelled(*PETS, shape=(3, 28, 28)), ("(3, 28, 28)",)),
        (labelled("0", "1", "2", nameless=True), ("3 classes", "4")),
    ],
)
def test_others_are_refused_with_what_differs(theirs: Labelling, words: tuple[str, ...]) -> None:
    found = fit(theirs, OURS)
    assert all(word in found.refusal for word in words), found.refusal
    assert found.mapping is None


def test_images_to_train_with_may_lack_classes_but_not_bring_others() -> None:
    found = fit(labelled("cat", "ant"), OURS, subset_ok=True)
    assert (found.refusal, found.mapping, found.absent) == ("", (2, 0), ("bee", "dog"))
    assert "no 'bee' and 'dog'" in found.sentence
    assert "'wasp'" in fit(labelled("cat", "wasp"), OURS, subset_ok=True).refusal
    assert fit(labelled("0", "1"), OURS, subset_ok=True).refusal


def test_numbers_fit_the_same_numbers_and_what_has_no_names() -> None:
    digits = labelling_of(CATALOG["mnist"])
    numbers = Labelling("numbers", tuple("0123456789"), digits.shape)
    assert fit(numbers, digits) == fit(digits, numbers)
    assert not fit(numbers, digits).refusal
    assert not fit(
        Labelling("three folders", ("0", "5", "7"), digits.shape), digits, subset_ok=True
    ).refusal
    assert "'9'" in fit(Labelling("nine", tuple("012345678"), digits.shape), digits).refusal
    assert not fit(numbers, Labelling("unlabelled", (), digits.shape)).refusal
    assert not fit(labelled("0", "1", "2", "3", nameless=True), OURS).refusal
    # Folders in the order of the alphabet.
    unpadded = tuple(sorted(map(str, range(11))))
    found = fit(
        Labelling("folders", unpadded, SHAPE), Labelling("ours", tuple(map(str, range(11))), SHAPE)
    )
    assert found.relabel(np.arange(11)).tolist() == [int(name) for name in unpadded]


def test_long_lists_of_classes_are_counted() -> None:
    signs = labelling_of(CATALOG["gtsrb"])
    refusal = fit(Labelling("one", signs.classes[:1], signs.shape), signs).refusal
    assert "and 34 more" in refusal


def test_a_card_says_names_or_only_how_many() -> None:
    assert labelling_of_card(
        "m", {"shape": [3, 32, 32], "classes": 4, "class_names": list(PETS)}
    ) == Labelling("m", PETS, SHAPE)
    assert labelling_of_card("m", {"shape": [3, 32, 32], "classes": 2}) == Labelling(
        "m", ("0", "1"), SHAPE, nameless=True
    )
    bare = {"architecture": {"channels": 3, "classes": 4}}
    assert labelling_of_card("m", bare) == Labelling("m", tuple("0123"), (3,), nameless=True)
    assert not fit(labelling_of_card("m", bare), OURS).refusal
    assert (
        "(1,)"
        in fit(
            labelling_of_card("m", {"architecture": {"channels": 1, "classes": 4}}), OURS
        ).refusal
    )
    for card in (
        {},
        {"shape": [3, 32, 32]},
        {"shape": "3x3", "classes": 2},
        {"shape": [3, 32, 32], "classes": 3, "class_names": list(PETS)},
    ):
        with pytest.raises(InputError, match="card"):
            labelling_of_card("m", card)
