"""The page shows the whole set, although a frame holds one batch."""

from __future__ import annotations

import numpy as np
import pytest

from cdp.ui.generate.detail import compose, step_of, strip
from cdp.values.types import Frame

STEPS = 4


def frame(batch: int, step: int, size: int = 2, *, two_arms: bool = True) -> Frame:
    """Pixel value of image k at a step: 10 * step + k; the unguided arm is darker by one from step
    2 on."""
    rows = np.arange(batch * 2, batch * 2 + size, dtype=np.uint8)
    guided = (10 * step + rows)[:, None, None, None]
    unguided = guided - (step > 1) if two_arms else None
    return Frame(
        batch * STEPS + step,
        3 * STEPS,
        0.5,
        guided,
        unguided,
        None,
        None,
        None,
        None,
        None,
        offset=batch * 2,
    )


FRAMES = [frame(b, s) for b in range(3) for s in range(1, STEPS + 1)][:-2]


def test_finished_batches_are_at_their_last_step_and_the_newest_as_far_as_it_is() -> None:
    assert compose(FRAMES, STEPS)[0].ravel().tolist() == [40, 41, 42, 43, 24, 25]


def test_every_batch_can_be_seen_at_an_earlier_step() -> None:
    guided, unguided = compose(FRAMES, STEPS, at=2)
    assert guided.ravel().tolist() == [20, 21, 22, 23, 24, 25]
    assert unguided is not None and (guided - unguided == 1).all()


def test_a_step_that_was_not_kept_shows_the_one_before_and_never_a_later_one_if_there_is_an_earlier() -> (
    None
):
    thinned = [f for f in FRAMES if step_of(f, STEPS) != 3]
    assert compose(thinned, STEPS, at=3)[0].ravel().tolist() == [20, 21, 22, 23, 24, 25]


def test_a_run_with_one_arm_has_no_second() -> None:
    assert compose([frame(0, 1, two_arms=False)], STEPS)[1] is None


@pytest.mark.parametrize("length", [1, 2, 3, 4, 9])
def test_a_film_strip_is_evenly_spaced_and_ends_with_the_last_step(length: int) -> None:
    frames, row = strip(FRAMES, 3, length)
    steps = [step_of(f, STEPS) for f in frames]
    assert len(steps) == min(length, STEPS)
    assert steps[-1] == STEPS
    assert steps == sorted(set(steps))
    assert [int(f.guided[row].item()) for f in frames] == [10 * s + 3 for s in steps]


def test_an_image_whose_batch_has_not_begun_has_no_film() -> None:
    assert strip(FRAMES, 6) == ([], 0)
