"""The leaderboard: what is one line, what stands first, and what is published beside it."""

from __future__ import annotations

import pytest

from cdp import paths
from cdp.results.leaderboard import ROBUSTBENCH, board_json, boards, published
from cdp.results.rows import join_arm, run_rows
from tests.evaluations import report, write_evaluation
from tests.ui.compare_runs import training, two_groups


def test_seeds_are_one_line_with_their_mean_and_the_better_arm_stands_first() -> None:
    two_groups()
    (board,) = boards(run_rows())
    assert board.title == "Fashion-MNIST, l_inf budget 0.1"
    first, second = board.entries
    assert (first.name, second.name) == ("guided", "plain")
    assert len(first.runs) == 2 and first.n == 400
    shares = [row.evaluated.robust for row in run_rows() if row.evaluated and "guided" in row.name]
    assert first.robust.value == pytest.approx(sum(shares) / 2)
    assert first.robust.low < min(shares) and max(shares) < first.robust.high


def test_an_arm_of_an_experiment_is_one_line_though_its_seeds_have_sets_of_their_own() -> None:
    for seed in range(2):
        training(f"arm-s{seed}", seed=seed, synthetic=(f"set-s{seed}",))
        result = report(400, robust=0.6 + 0.02 * seed, seed=seed, run=f"arm-s{seed}")
        write_evaluation(f"e-{seed}", result)
    (apart,) = boards(run_rows())
    assert [len(entry.runs) for entry in apart.entries] == [1, 1]
    for seed in range(2):
        join_arm(paths.runs_dir() / f"arm-s{seed}", "one arm")
    (board,) = boards(run_rows())
    assert [len(entry.runs) for entry in board.entries] == [2]
    assert "set-s" in board.entries[0].data


def test_a_seed_that_was_trained_twice_counts_once() -> None:
    for number, run_id in enumerate(("first-s0", "again-s0")):
        training(run_id, seed=0, created=1e9 + number)
        write_evaluation(f"e-{number}", report(400, robust=0.6 + 0.1 * number, run=run_id))
    (board,) = boards(run_rows())
    (entry,) = board.entries
    assert entry.runs == ("again-s0",)


def test_what_robustbench_published_stands_where_data_set_and_budget_are_the_same() -> None:
    training("mine", dataset="cifar10", epsilon=8 / 255)
    write_evaluation("e-mine", report(400, robust=0.5, run="mine"))
    (board,) = boards(run_rows())
    theirs = [entry for entry in board.entries if not entry.runs]
    assert len(theirs) == sum(place[:2] == ("cifar10", "linf") for place, _ in published()) > 2
    assert all(entry.measured == ROBUSTBENCH and entry.link for entry in theirs)
    assert board_json(board)["entries"]
    training("other", dataset="cifar10", epsilon=4 / 255)
    write_evaluation("e-other", report(400, robust=0.7, run="other"))
    other = next(board for board in boards(run_rows()) if board.epsilon < 0.02)
    assert all(entry.runs for entry in other.entries)
