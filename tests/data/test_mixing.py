"""Which rows a step sees: the share is exact, a pass shows every row once."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cdp.data.training import Endless, Mixture, Pool, hold_out, nested_subset
from cdp.errors import InputError


@settings(max_examples=60)
@given(
    real=st.integers(1, 60),
    synthetic=st.integers(1, 60),
    batch=st.integers(1, 40),
    share=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_every_batch_has_exactly_its_share_of_each_kind(
    real: int, synthetic: int, batch: int, share: float, seed: int
) -> None:
    per_batch = round(share * batch)
    mixture = Mixture(real, synthetic, batch=batch, synthetic_per_batch=per_batch, seed=seed)
    for step in (0, 1, 5, 17, 1000):
        rows_real, rows_synthetic = mixture.rows(step)
        assert (len(rows_real), len(rows_synthetic)) == (batch - per_batch, per_batch)
        assert all(0 <= r < real for r in rows_real)
        assert all(0 <= r < synthetic for r in rows_synthetic)


@settings(max_examples=60)
@given(count=st.integers(1, 50), size=st.integers(1, 70), seed=st.integers(0, 99))
def test_every_pass_shows_every_row_once(count: int, size: int, seed: int) -> None:
    steps = -(-3 * count // size)
    stream = np.concatenate([Endless(count, size, seed=seed).rows(step) for step in range(steps)])
    for turn in range(3):
        assert sorted(stream[turn * count : (turn + 1) * count]) == list(range(count))


def test_a_step_asked_for_alone_is_the_step_of_the_sequence() -> None:
    mixture = Mixture(23, 41, batch=10, synthetic_per_batch=7, seed=3)
    sequence = [mixture.rows(step) for step in range(40)]
    for step in (39, 0, 17, 18, 5):
        alone = Mixture(23, 41, batch=10, synthetic_per_batch=7, seed=3).rows(step)
        again = mixture.rows(step)
        for kind in (0, 1):
            assert np.array_equal(alone[kind], sequence[step][kind])
            assert np.array_equal(again[kind], sequence[step][kind])


def test_passes_seeds_and_kinds_have_orders_of_their_own() -> None:
    whole = Endless(500, 500, seed=0)
    assert not np.array_equal(whole.rows(0), whole.rows(1))
    assert not np.array_equal(whole.rows(0), Endless(500, 500, seed=1).rows(0))
    real, synthetic = Mixture(500, 500, batch=1000, synthetic_per_batch=500, seed=0).rows(0)
    assert not np.array_equal(real, synthetic)


@pytest.mark.parametrize(
    ("real", "synthetic", "batch", "per_batch", "steps"),
    [
        (2000, 0, 128, 0, 15),
        (2000, 9000, 100, 70, 66),
        (0, 9000, 128, 128, 70),
        (50, 0, 128, 0, 1),
        (9000, 10, 100, 0, 90),
    ],
)
def test_an_epoch_is_a_pass_over_the_real_rows_else_the_synthetic_ones(
    real: int, synthetic: int, batch: int, per_batch: int, steps: int
) -> None:
    assert (
        Mixture(real, synthetic, batch=batch, synthetic_per_batch=per_batch, seed=0).steps_per_epoch
        == steps
    )


@pytest.mark.parametrize(
    ("real", "synthetic", "per_batch"), [(0, 5, 1), (5, 0, 1), (5, 5, 3), (5, 5, -1)]
)
def test_a_part_without_rows_is_refused(real: int, synthetic: int, per_batch: int) -> None:
    with pytest.raises(ValueError, match="cannot come from"):
        Mixture(real, synthetic, batch=2, synthetic_per_batch=per_batch, seed=0)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 99),
    sizes=st.lists(st.integers(0, 220), min_size=2, max_size=5),
    balanced=st.booleans(),
)
def test_a_larger_subset_contains_the_smaller(seed: int, sizes: list[int], balanced: bool) -> None:
    label = np.random.default_rng(0).integers(5, size=200)
    subsets = [
        set(nested_subset(label, size, seed=seed, balanced=balanced)) for size in sorted(sizes)
    ]
    assert [len(s) for s in subsets] == [min(size, 200) for size in sorted(sizes)]
    assert all(a <= b for a, b in itertools.pairwise(subsets))


def test_a_balanced_subset_has_equal_classes_as_far_as_there_are_enough() -> None:
    label = np.repeat([0, 1, 2], [5, 50, 100])
    assert np.bincount(label[nested_subset(label, 15, seed=0, balanced=True)]).tolist() == [5, 5, 5]
    expected = [5, 20, 20]
    assert np.bincount(label[nested_subset(label, 45, seed=0, balanced=True)]).tolist() == expected
    odd = [
        np.bincount(label[nested_subset(label, 4, seed=seed, balanced=True)], minlength=3).tolist()
        for seed in range(20)
    ]
    assert {tuple(sorted(counts)) for counts in odd} == {(1, 1, 2)}
    assert len({tuple(counts) for counts in odd}) == 3


@settings(max_examples=40)
@example(sizes=[2, 2, 2, 15], wanted=4)
@given(
    sizes=st.lists(st.integers(0, 40), min_size=1, max_size=6).filter(lambda s: sum(s) >= 10),
    wanted=st.integers(1, 60),
)
def test_held_out_rows_are_apart_and_stratified(sizes: list[int], wanted: int) -> None:
    label = np.random.default_rng(1).permutation(np.repeat(np.arange(len(sizes)), sizes))
    train, held = hold_out(label, wanted)
    assert sorted([*train, *held]) == list(range(len(label)))
    assert len(held) == min(wanted, len(label) // 5)
    share = len(held) / len(label)
    for value, size in enumerate(sizes):
        assert abs((label[held] == value).sum() - share * size) <= 1


def test_too_few_images_to_hold_out_are_refused() -> None:
    with pytest.raises(InputError, match="10 or more"):
        hold_out(np.zeros(9, np.int64), 10)


def test_a_pool_numbers_its_rows_through_and_takes_them_in_order() -> None:
    rng = np.random.default_rng(0)
    parts = [
        (rng.integers(0, 256, (n, 4, 4, 1), np.uint8), rng.integers(9, size=n)) for n in (3, 5, 1)
    ]
    image, label = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    rows = np.array([8, 0, 3, 2, 7, 0])
    taken = Pool(parts).take(rows)
    assert np.array_equal(taken[0], image[rows]) and np.array_equal(taken[1], label[rows])
    some = Pool(parts, rows=np.array([8, 4, 1]))
    assert (len(Pool(parts)), len(some)) == (9, 3)
    assert np.array_equal(some.take(np.array([2, 0]))[0], image[[1, 8]])
