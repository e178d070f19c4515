"""What the attack lab says: sentences that name classes, budget and probabilities, and never claim
more than was found."""

from __future__ import annotations

from dataclasses import replace

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
BEFORE, AFTER = (0.69, 0.31, 0.0), (0.26, 0.74, 0.0)
LOSSES = ((0.37, 0.9, 1.35), (0.37, 0.8, 1.2))
FOOLED = AttackFigures(0, None, 0.1, 0.1, BEFORE, AFTER, LOSSES, (0, 1, 1), 0, 0.1)
STANDS = replace(FOOLED, after=(0.6, 0.4, 0.0), predicted=(0, 0, 0))
WRONG = replace(FOOLED, label=2)
LEAST = Smallest(0.043, 0.3, 0.001, 9, 1.0)
NONE, ZERO = replace(LEAST, epsilon=None), replace(LEAST, epsilon=0.0)

TURNS = "At 0.1 the attack turns coat into shirt (p of shirt 0.31 → 0.74)"
AIMED = TURNS.replace("shirt (", "shirt, its target (")
KEEPS = "At 0.1 the attack fails: still coat (p of coat 0.69 → 0.60)"
LOWER = KEEPS.replace("0.1", "0.04")
MISSED = (
    "At 0.1 the attack does not reach <b>bag</b> (p of <b>bag</b> 0.00 → 0.00); the model predicts"
    " shirt instead"
)
BEFOREHAND = (
    "Predicted as coat before any attack (p of <b>bag</b> 0.00), so there is nothing to fool"
)


@pytest.mark.parametrize(
    ("figures", "smallest", "kind", "text"),
    [
        (FOOLED, LEAST, "fooled", f"{TURNS}; smallest budget found: 0.043."),
        (FOOLED, None, "fooled", f"{TURNS}."),
        # The attack that is shown may be smaller than what the search came to.
        (FOOLED, replace(LEAST, epsilon=0.2), "fooled", f"{TURNS}; smallest budget found: 0.1."),
        (STANDS, LEAST, "stands", f"{KEEPS}; yet one of 0.043 succeeds."),
        (replace(STANDS, epsilon=0.04), LEAST, "stands", f"{LOWER}; smallest budget found: 0.043."),
        (STANDS, NONE, "stands", f"{KEEPS}; none up to 0.3 fools it."),
        (WRONG, ZERO, "wrong", f"{BEFOREHAND}."),
        (replace(FOOLED, target=1), LEAST, "fooled", f"{AIMED}; smallest budget found: 0.043."),
        (replace(FOOLED, target=2), NONE, "stands", f"{MISSED}; none up to 0.3 fools it."),
    ],
)
def test_the_verdict_says_what_was_found_and_no_more(
    figures: AttackFigures, smallest: Smallest | None, kind: str, text: str
) -> None:
    assert verdict(figures) == kind
    assert sentence(figures, smallest, NAMES) == text


def test_the_smallest_budget_known_is_the_smaller_of_search_and_attack() -> None:
    known = [least_known(f, s) for f in (FOOLED, STANDS) for s in (LEAST, NONE)]
    assert known == [0.043, 0.1, 0.043, None]


def test_titles_say_the_finding() -> None:
    place = "shirt takes the place of coat as the likeliest class"
    assert probability_title(FOOLED, NAMES) == place
    assert probability_title(STANDS, NAMES) == "coat stays the likeliest class"
    assert path_title(FOOLED) == "Loss 0.37 → 1.35, first success at step 1"
    assert path_title(STANDS) == "Loss 0.37 → 1.35, no success"
    said = "The second takes 2.5 times the budget that fools the first"
    assert ruler_title([0.02, 0.05], 0.3, 0.1) == said
    assert (
        ruler_title([0.04, None], 0.3, 0.1)
        == "The first is fooled, the second by no budget up to 0.3"
    )
    assert ruler_title([None, None], 0.3, 0.1) == "No budget up to 0.3 fools either"
    assert ruler_title([0.1, 0.0], 0.3, 0.1) == "The second is wrong without an attack"
    assert ruler_title([0.04], 0.3, 0.1) == "Less than the conventional budget fools it"
    assert ruler_title([0.2], 0.3, 0.1) == "No less than the conventional budget fools it"
    assert ruler_title([None], 0.3, 0.1) == "No budget up to 0.3 fools it"


IMAGE = np.full((4, 4, 1), 100, np.uint8)
CLEAN = IMAGE / np.float32(255)
RESULT = LabResult(FOOLED, IMAGE, CLEAN + np.float32(0.05))


def test_the_pictures_name_what_is_seen_and_what_is_wrong_by_more_than_colour() -> None:
    text = triptych(RESULT, NAMES)
    assert text.count("<img") == 3 and "cdp-pixels" in text and "cdp-faded" not in text
    assert "✓ coat 0.69" in text and "✗ shirt</span> 0.74" in text
    assert "× 20, blue darker, orange brighter" in text
    assert "cdp-faded" in triptych(RESULT, NAMES, faded=True)
    assert "no change" in triptych(replace(RESULT, adversarial=CLEAN), NAMES)


def test_names_from_a_card_are_text() -> None:
    bag = replace(FOOLED, before=(0.0, 0.0, 1.0))
    assert "<b>bag" not in triptych(replace(RESULT, figures=bag), NAMES)
    assert "<b>bag" not in verdict_html(replace(RESULT, figures=WRONG), None, NAMES)


def test_colour_images_with_transparency_are_shown() -> None:
    image = IMAGE.repeat(4, -1)
    assert triptych(LabResult(FOOLED, image, image / np.float32(255)), NAMES).count("<img") == 3
