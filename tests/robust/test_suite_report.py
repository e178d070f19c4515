"""The figures of a finished suite, counted anew image by image."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cdp.errors import InputError
from cdp.results.evaluations import MAX_OUTCOMES, read_outcomes
from cdp.robust.suites import Attack, SuiteState, run_suite
from cdp.statistics.shares import wilson
from cdp.tasks.evaluate_report import outcome_of, suite_warnings, weights_report
from cdp.values.evaluation import STANDS, WRONG_BEFORE, Outcomes, outcomes_bytes
from tests.robust.suited import EPSILON, problem, run, shifting

NAMES = tuple(f"class {k}" for k in range(11))
GIVEN: dict[str, Any] = {"which": "best", "epoch": 4, "sha256": "ab"}


def _finished() -> tuple[SuiteState, np.ndarray, list[Attack]]:
    net, image, label = problem(60, wrong=6)
    attacks = [shifting("up", 0.03), shifting("down", -0.035)]
    return run(net, image, label, attacks), label, attacks


def test_accuracies_stages_classes_and_confusions_are_those_of_single_images() -> None:
    state, label, attacks = _finished()
    report = weights_report(state, label, NAMES, attacks, **GIVEN)
    assert (report.which, report.epoch, report.sha256) == ("best", 4, "ab")
    fate = [
        (int(y), int(c), int(a), int(b))
        for y, c, a, b in zip(label, state.clean, state.attacked, state.broken_by, strict=True)
    ]
    assert all(
        (c == y) == (b != WRONG_BEFORE) and (a == y) == (b == STANDS) and (b >= 0 or a == c)
        for y, c, a, b in fate
    )
    assert report.clean == wilson(54, 60)
    assert report.robust == wilson(sum(b == STANDS for *_, b in fate), 60)
    left = 54
    for number, stage in enumerate(report.stages):
        turned = sum(b == number for *_, b in fate)
        expected = (attacks[number].name, attacks[number].title, left, turned)
        assert (stage.name, stage.title, stage.attacked, stage.broken) == expected
        assert turned > 0 and stage.seconds > 0
        left -= turned
        assert stage.after == wilson(left, 60)
    assert report.stages[-1].after == report.robust
    for k, figures in enumerate(report.classes):
        own = [one for one in fate if one[0] == k]
        assert (figures.name, figures.n) == (NAMES[k], len(own))
        assert figures.clean == (wilson(sum(y == c for y, c, *_ in own), len(own)) if own else None)
        assert figures.robust == (
            wilson(sum(b == STANDS for *_, b in own), len(own)) if own else None
        )
    assert any(figures.clean is None for figures in report.classes)
    for table, place in ((report.confusion_clean, 1), (report.confusion, 2)):
        assert len(table) == 11 and sum(map(sum, table)) == 60
        assert all(
            table[i][j] == sum(one[0] == i and one[place] == j for one in fate)
            for i in range(11)
            for j in range(11)
        )
    assert 0.03 < report.largest <= EPSILON


def test_the_outcome_is_a_copy_that_survives_its_file(tmp_path: Any) -> None:
    state, label, _ = _finished()
    one = outcome_of(state)
    path = tmp_path / "outcomes.npz"
    path.write_bytes(outcomes_bytes(Outcomes(np.arange(60), label, {"best": one})))
    again = read_outcomes(path).of["best"]
    assert np.array_equal(again.broken_by, state.broken_by) and np.array_equal(
        again.attacked, state.attacked
    )
    assert again.robust.sum() == state.standing
    state.broken_by[:] = STANDS
    assert not (one.broken_by == STANDS).all()


def test_outcomes_that_unpack_to_gigabytes_are_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file,
        file.open("rows.npy", "w") as rows,
    ):
        for _ in range(MAX_OUTCOMES // (1 << 24) + 1):
            rows.write(bytes(1 << 24))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(InputError, match="unpacks to more than"):
        read_outcomes(path)


def test_an_unfinished_suite_has_no_figures() -> None:
    net, image, label = problem(10)
    attacks = [shifting("a", 0.01)]
    for state in run_suite(net, image, label, attacks, norm="linf", epsilon=EPSILON, batch=4):
        if not state.done:
            with pytest.raises(InputError, match="resume"):
                outcome_of(state)
            with pytest.raises(InputError, match="resume"):
                weights_report(state, label, NAMES, attacks, **GIVEN)
    assert outcome_of(state).clean.shape == (10,)


def test_labels_or_attacks_of_another_suite_are_refused() -> None:
    state, label, attacks = _finished()
    with pytest.raises(InputError, match="images"):
        weights_report(state, label[:-1], NAMES, attacks, **GIVEN)
    with pytest.raises(InputError, match="attacks"):
        weights_report(state, label, NAMES, attacks[::-1], **GIVEN)


@pytest.mark.parametrize(
    ("turned", "n", "refused", "said"),
    [(0, 1000, 0, []), (2, 1000, 0, []), (3, 1000, 0, ["Square"]), (0, 1000, 1, ["beyond"])],
)
def test_odd_outcomes_are_said(turned: int, n: int, refused: int, said: list[str]) -> None:
    state = SuiteState.begin(n, ["apgd-ce", "square"], norm="linf", epsilon=0.1, batch=9)
    state.broken[:] = (100, turned)
    state.refused[0] = refused
    found = suite_warnings(state)
    assert len(found) == len(said) and all(
        word in text for word, text in zip(said, found, strict=True)
    )


def test_square_alone_surprises_nobody() -> None:
    state = SuiteState.begin(10, ["square"], norm="linf", epsilon=0.1, batch=9)
    state.broken[0] = 10
    assert suite_warnings(state) == []
