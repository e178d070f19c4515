"""Holm's correction: worked examples, properties, and the family-wise error by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cdp.errors import InputError
from cdp.statistics.significance import holm

p_values = st.lists(st.none() | st.floats(0, 1), max_size=8)


@pytest.mark.parametrize(
    ("given_p", "adjusted"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.03, 0.03], [0.06, 0.06]),
        ([0.5, 0.9, 0.6], [1.0, 1.0, 1.0]),
        ([0.02], [0.02]),
        ([0.0, 1.0], [0.0, 1.0]),
        ([None, 0.01, None, 0.04], [None, 0.02, None, 0.04]),
        ([None], [None]),
        ([], []),
    ],
)
def test_adjusted_values_are_those_worked_out_by_hand(given_p: list, adjusted: list) -> None:
    assert holm(given_p) == [None if p is None else pytest.approx(p) for p in adjusted]


@given(values=p_values)
def test_holm_rejects_what_stepping_down_rejects(values: list) -> None:
    """Holm 1979: go through the sorted p values, compare the k-th with 0.05 / (m - k + 1), and stop
    at the first that is larger."""
    made = sorted((p, i) for i, p in enumerate(values) if p is not None)
    rejected = set()
    for k, (p, i) in enumerate(made):
        if p * (len(made) - k) > 0.05:
            break
        rejected.add(i)
    assert {i for i, p in enumerate(holm(values)) if p is not None and p <= 0.05} == rejected


@given(values=p_values)
def test_adjusting_keeps_the_order_never_helps_and_never_exceeds_bonferroni(values: list) -> None:
    adjusted, m = holm(values), sum(p is not None for p in values)
    assert [p is None for p in adjusted] == [p is None for p in values]
    both = sorted((p, q) for p, q in zip(values, adjusted, strict=True) if p is not None)
    assert all(p <= q <= min(1, m * p) + 1e-12 for p, q in both)
    assert [q for _, q in both] == sorted(q for _, q in both)
    assert holm(values[::-1]) == adjusted[::-1]


@pytest.mark.parametrize(
    "effects", [(0.0, 0.0, 0.0, 0.0), (0.03, 0.03, 0.0, 0.0)], ids=["all-null", "half-null"]
)
def test_a_whole_family_errs_no_more_often_than_the_level(effects: tuple[float, ...]) -> None:
    """Four arms against one baseline, so that the tests depend on each other."""
    rng, errors, plain = np.random.default_rng(9), 0, 0
    baseline = rng.normal(0, 0.01, (2000, 5, 1))
    arms = np.array(effects) + rng.normal(0, 0.01, (2000, 5, 4))
    for p in stats.ttest_1samp(arms - baseline, 0, axis=1).pvalue:
        null = [i for i, effect in enumerate(effects) if effect == 0]
        adjusted = holm(p.tolist())
        errors += any((adjusted[i] or 0) <= 0.05 for i in null)
        plain += any(p[i] <= 0.05 for i in null)
    assert errors / 2000 <= 0.05 + 4 * (0.05 * 0.95 / 2000) ** 0.5
    assert plain > 1.3 * errors, "without the correction the family errs more often"


@pytest.mark.parametrize("wrong", (-0.1, 1.1, float("nan")))
def test_what_is_no_p_value_is_refused(wrong: float) -> None:
    with pytest.raises(InputError, match="cannot be adjusted"):
        holm([0.5, wrong])
