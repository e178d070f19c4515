"""Selection: scores against autograd and plain formulas, rows against a plain sort."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.data.registry import load_split
from cdp.data.samples import SampleSet
from cdp.data.sets import list_sets, open_set, save_set
from cdp.errors import CdpError, InputError
from cdp.tasks.selecting import chosen_rows, scores, select
from cdp.tasks.sources import balanced_rows


@pytest.fixture
def samples(cdp_home: Path) -> SampleSet:
    """Real images, the last ten of them under a wrong label."""
    real = load_split("fashion-mnist", "test")
    rows = balanced_rows(np.asarray(real.label[:2000]), 120)
    label = np.asarray(real.label[rows])
    label[-10:] = (label[-10:] + 1) % 10
    return save_set(
        "real",
        real.image[rows],
        label,
        {"dataset": "fashion-mnist", "class_names": list(real.info.classes)},
    )


@pytest.mark.parametrize(
    ("by", "order"),
    [("separability", "highest"), ("confidence", "highest"), ("gradient-norm", "lowest")],
)
def test_wrong_labels_are_among_the_first_to_go(samples: SampleSet, by: str, order: str) -> None:
    rows = chosen_rows(scores(samples, by), samples.label, 90, order=order, balanced=False)  # type: ignore[arg-type]
    assert (rows >= 110).sum() <= 2


@given(data=st.data(), n=st.integers(2, 40), classes=st.integers(1, 4))
def test_rows_equal_a_plain_sort_of_each_class(data: st.DataObject, n: int, classes: int) -> None:
    score = np.array(data.draw(st.lists(st.integers(0, 5), min_size=n, max_size=n)), float)
    label = np.array(data.draw(st.lists(st.integers(0, classes - 1), min_size=n, max_size=n)))
    keep = data.draw(st.integers(1, n))
    plain = sorted(range(n), key=lambda i: (-score[i], i))[:keep]
    assert list(chosen_rows(score, label, keep, balanced=False)) == sorted(plain)
    try:
        rows = chosen_rows(score, label, keep)
    except InputError as error:
        assert "keep fewer" in str(error)
        return
    counts = np.array([(label[rows] == c).sum() for c in np.unique(label)])
    assert len(rows) == keep and counts.max() - counts.min() <= 1
    for c in np.unique(label):
        mine = rows[label[rows] == c]
        left = np.setdiff1d(np.flatnonzero(label == c), mine)
        assert not len(left) or not len(mine) or score[left].max() <= score[mine].min()


def test_a_selected_set_names_parent_criterion_and_seed(samples: SampleSet) -> None:
    made = select("real", "half", by="random", keep=50, seed=7, balanced=False)
    rows = chosen_rows(np.random.default_rng(7).random(120), samples.label, 50, balanced=False)
    np.testing.assert_array_equal(made.image, samples.image[rows])
    np.testing.assert_array_equal(made.label, samples.label[rows])
    card = open_set("half").card
    assert (
        card["parent"]["name"],
        card["selection"]["by"],
        card["selection"]["seed"],
        card["dataset"],
    ) == ("real", "random", 7, "fashion-mnist")
    assert (
        select("real", "again", by="random", keep=50, seed=7, balanced=False).card["parent"][
            "sha256"
        ]
        == card["parent"]["sha256"]
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"keep": 0}, "keep is 0"),
        ({"keep": 121}, "keep is 121"),
        ({"by": "beauty"}, "beauty"),
        ({"order": "middle"}, "middle"),
        ({"out": "../up"}, "name"),
        ({"out": "real"}, "real"),
        ({"name": "none"}, "none"),
        ({"encoder": "absent"}, "absent"),
        ({"keep": 119}, "keep fewer"),
    ],
)
def test_what_cannot_be_selected_is_refused_by_name_and_leaves_the_store_alone(
    samples: SampleSet, change: dict[str, object], said: str
) -> None:
    given: dict[str, object] = {"name": "real", "out": "part", "keep": 20} | change
    with pytest.raises(CdpError, match=said):
        select(**given)  # type: ignore[arg-type]
    assert [entry.name for entry in list_sets()] == ["real"]


def test_mixed_takes_half_from_the_lowest_and_half_evenly_over_the_others() -> None:
    score = np.arange(100.0)[::-1].copy()
    rows = chosen_rows(score, None, 20, order="mixed")
    kept = np.sort(score[rows])
    assert kept[:10].tolist() == list(range(10))
    np.testing.assert_array_equal(np.diff(kept[10:]), 9)
    label = np.arange(100) % 2
    assert np.bincount(label[chosen_rows(score, label, 20, order="mixed")]).tolist() == [10, 10]
    assert len(chosen_rows(score, label, 100, order="mixed")) == 100
