"""What the attack lab says: sentences that name classes, budget and probabilities, and never claim
more than was found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cdp.ui.lab.result import triptych, verdict_html
from cdp.ui.lab.words import (
    least_known,
    path_title,
    probability_title,
    ruler_title,
    sentence,
    verdict,
)
from cdp.values.lab import AttackFigures, LabResult, Smallest

NAMES = ("coat", "shirt", "<b>bag</b>")
FOOLED = AttackFigures(
    0,
    None,
    0.1,
    0.1,
    (0.69, 0.31, 0.0),
    (0.26, 0.74, 0.0),
    ((0.37, 0.9, 1.35), (0.37, 0.8, 1.2)),
    (0, 1, 1),
    0,
    0.1,
)
STANDS = replace(FOOLED, after=(0.6, 0.4, 0.0), predicted=(0, 0, 0))
WRONG = replace(FOOLED, label=2)
LEAST = Smallest(0.043, 0.3, 0.001, 9, 1.0)


TURNS = "At 0.1 the attack turns coat into shirt (p of shirt 0.31 → 0.74)"
KEEPS = "At 0.1 the attack fails: still coat (p of coat 0.69 → 0.60)"
NONE = replace(LEAST, epsilon=None)


@pytest.mark.parametrize(
    ("figures", "smallest", "kind", "text"),
    [
        (FOOLED, LEAST, "fooled", f"{TURNS}; smallest budget found: 0.043."),
        (FOOLED, None, "fooled", f"{TURNS}."),
        # The attack that is shown may be smaller than what the search came to.
        (FOOLED, replace(LEAST, epsilon=0.2), "fooled", f"{TURNS}; smallest budget found: 0.1."),
        (
            replace(STANDS, epsilon=0.04),
            LEAST,
            "stands",
            f"{KEEPS.replace('0.1', '0.04')}; smallest budget found: 0.043.",
        ),
        (STANDS, LEAST, "stands", f"{KEEPS}; yet one of 0.043 succeeds."),
        (STANDS, NONE, "stands", f"{KEEPS}; none up to 0.3 fools it."),
        (
            WRONG,
            replace(LEAST, epsilon=0.0),
            "wrong",
            (
                "Predicted as coat before any attack (p of <b>bag</b> 0.00), so there is nothing to"
                " fool."
            ),
        ),
        (
            replace(FOOLED, target=1),
            LEAST,
            "fooled",
            f"{TURNS.replace('shirt (', 'shirt, its target (')}; smallest budget found: 0.043.",
        ),
        (
            replace(FOOLED, target=2),
            NONE,
            "stands",
            (
                "At 0.1 the attack does not reach <b>bag</b> (p of <b>bag</b> 0.00 → 0.00); the"
                " model predicts shirt instead; none up to 0.3 fools it."
            ),
        ),
    ],
)
def test_the_verdict_says_what_was_found_and_no_more(
    figures: AttackFigures, smallest: Smallest | None, kind: str, text: str
) -> None:
    assert verdict(figures) == kind
    assert sentence(figures, smallest, NAMES) == text


def test_the_smallest_budget_known_is_the_smaller_of_search_and_attack() -> None:
    none = replace(LEAST, epsilon=None)
    assert [least_known(f, s) for f in (FOOLED, STANDS) for s in (LEAST, none)] == [
        0.043,
        0.1,
        0.043,
        None,
    ]


def test_titles_say_the_finding() -> None:
    assert probability_title(FOOLED, NAMES) == "coat 0.69 → shirt 0.74"
    assert probability_title(STANDS, NAMES) == "coat 0.69 → 0.60"
    assert path_title(FOOLED) == "Loss 0.37 → 1.35, first success at step 1"
    assert path_title(STANDS) == "Loss 0.37 → 1.35, no success"
    assert ruler_title([0.043, None], 0.3) == "Smallest budget found: 0.043; none up to 0.3"


def result(**change: Any) -> LabResult:
    image = np.full((4, 4, 1), 100, np.uint8)
    return LabResult(
        FOOLED,
        image,
        (image / np.float32(255) + np.float32(0.05)) if not change else change["adversarial"],
    )


def test_the_pictures_name_what_is_seen_and_what_is_wrong_by_more_than_colour() -> None:
    text = triptych(result(), NAMES)
    assert text.count("<img") == 3
    assert (
        "✓ coat 0.69" in text
        and "✗ shirt</span> 0.74" in text
        and "× 20, blue darker, orange brighter" in text
    )
    assert "cdp-pixels" in text and "cdp-faded" not in text
    assert "cdp-faded" in triptych(result(), NAMES, faded=True)
    assert "no change" in triptych(
        result(adversarial=np.full((4, 4, 1), 100 / 255, np.float32)), NAMES
    )


def test_names_from_a_card_are_text() -> None:
    assert "<b>bag" not in triptych(
        replace(result(), figures=replace(FOOLED, before=(0.0, 0.0, 1.0))), NAMES
    )
    assert "<b>bag" not in verdict_html(replace(result(), figures=WRONG), None, NAMES)


def test_colour_images_with_transparency_are_shown() -> None:
    image = np.full((4, 4, 4), 100, np.uint8)
    assert triptych(LabResult(FOOLED, image, image / np.float32(255)), NAMES).count("<img") == 3
