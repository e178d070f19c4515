"""Batches shared out over processes: the same outcome for every image, whatever happens to them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from torch import Tensor, nn

from cdp.errors import Cancelled, CdpError, InputError
from cdp.robust.autoattack import autoattack_suite
from cdp.robust.shared import SMALL, in_processes, process_count
from cdp.robust.suites import Attack, SuiteState, pgd_suite, run_suite
from cdp.robust.trial import Attacker, Trial, budget_curve
from tests.robust.suited import EPSILON, finish, problem, short

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks are used on Linux")
__all__ = ["short"]


def _outcomes(state: SuiteState) -> dict[str, Any]:
    """All but the seconds."""
    return {name: v.tolist() for name, v in state.to_arrays().items() if name != "seconds"}


def _suite(attacks: list[Attack], **change: Any) -> SuiteState:
    net, image, label = problem(30)
    settings = {"norm": "linf", "epsilon": EPSILON, "batch": 7} | change
    return finish(run_suite(net, image, label, attacks, **settings))


@pytest.mark.parametrize("processes", [2, 3, 8])
def test_shared_batches_of_pgd_come_to_the_same_for_every_image(processes: int) -> None:
    attacks = pgd_suite(problem(30)[0], norm="linf", epsilon=EPSILON, seed=3, steps=3, restarts=2)
    alone = _suite(attacks)
    assert 0 < alone.standing < 26
    assert _outcomes(_suite(attacks, processes=processes)) == _outcomes(alone)


@pytest.mark.usefixtures("short")
def test_shared_batches_of_autoattack_come_to_the_same_for_every_image() -> None:
    attacks = autoattack_suite(problem(30)[0], 10, "linf", EPSILON, 0)
    assert _outcomes(_suite(attacks, processes=2)) == _outcomes(_suite(attacks))


def test_resumed_after_any_shared_batch_every_image_comes_to_the_same() -> None:
    net, image, label = problem(30)
    attacks = pgd_suite(net, norm="linf", epsilon=EPSILON, seed=3, steps=3, restarts=2)
    whole = _suite(attacks)
    how: dict[str, Any] = {"norm": "linf", "epsilon": EPSILON, "batch": 7, "processes": 2}
    for k in range(1, len(list(run_suite(net, image, label, attacks, **how))) + 1):
        states = run_suite(net, image, label, attacks, **how)
        for _ in range(k):
            state = next(states)
        states.close()
        assert not psutil.Process().children(), "a process is left behind"
        kept = SuiteState.from_arrays(state.to_arrays())
        for _ in run_suite(net, image, label, attacks, state=kept, **how):
            pass
        assert _outcomes(kept) == _outcomes(whole), k


def test_a_curve_from_shared_batches_is_the_same() -> None:
    net, image, label = problem(30)
    curves = [
        budget_curve(
            Attacker(Trial(net, image, label, processes=count), norm="linf", seed=0, batch=7),
            EPSILON,
            steps=3,
        )
        for count in (1, 2)
    ]
    assert curves[0] == curves[1]


def test_results_come_in_order_and_the_next_item_begins_as_soon_as_one_is_done(
    tmp_path: Path,
) -> None:
    """The first item waits for the third, which would wait for it where pairs were taken."""

    def work(item: int) -> tuple[int, bool, int]:
        (tmp_path / str(item)).touch()
        seen = item != 0 or appears(tmp_path / "2")
        return item, seen, os.getpid()

    found = list(in_processes(work, [0, 1, 2, 3], processes=2))
    assert [(item, seen) for item, seen, _ in found] == [(k, True) for k in range(4)]
    pids = {pid for *_, pid in found[:3]}
    assert len(pids) == 3 and os.getpid() not in pids


def appears(path: Path) -> bool:
    end = time.monotonic() + 60
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.02)
    return path.exists()


def test_the_last_item_is_worked_on_here_where_nothing_else_is() -> None:
    assert list(in_processes(lambda item: os.getpid(), [1], processes=2)) == [os.getpid()]


def test_what_a_process_raises_is_raised_here_and_ends_the_others() -> None:
    def work(item: int) -> int:
        if item:
            raise InputError("no such thing: take another")
        time.sleep(300)
        return item

    began = time.monotonic()
    with pytest.raises(InputError, match="take another"):
        list(in_processes(work, [0, 1, 2], processes=2))
    assert time.monotonic() - began < 60
    assert not psutil.Process().children()


def test_a_wish_to_stop_is_followed_at_once_also_by_work_that_never_asks() -> None:
    began = time.monotonic()
    with pytest.raises(Cancelled):
        list(
            in_processes(
                time.sleep,
                [60, 60],
                processes=2,
                should_stop=lambda: time.monotonic() > began + 0.5,
            )
        )
    assert time.monotonic() - began < 30
    assert not psutil.Process().children()


def test_a_process_that_is_killed_is_named_with_a_remedy() -> None:
    def work(item: int) -> int:
        os.kill(os.getpid(), signal.SIGKILL)
        return item

    with pytest.raises(CdpError, match=r"code -9.*resume"):
        list(in_processes(work, [0, 1], processes=2))


ORPHANS = """
import os, time
from cdp.robust.shared import in_processes
def work(item):
    print(os.getpid(), flush=True)
    time.sleep(300)
list(in_processes(work, [0, 1], processes=2))
"""


def test_where_the_parent_is_killed_its_processes_end_with_it() -> None:
    with subprocess.Popen([sys.executable, "-c", ORPHANS], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        children = [int(parent.stdout.readline()) for _ in range(2)]
        parent.kill()
    end = time.monotonic() + 60
    while any(_lives(pid) for pid in children) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(_lives(pid) for pid in children)


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_process_works_on_one_thread_and_this_one_keeps_its_own() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        counts = list(in_processes(lambda item: torch.get_num_threads(), [0, 1], processes=2))
        assert (counts, torch.get_num_threads()) == ([1, 1], 2)
    finally:
        torch.set_num_threads(before)


def test_large_networks_and_single_threads_are_not_shared_out() -> None:
    before = torch.get_num_threads()
    small, large = nn.Linear(4, 4), nn.Linear(1, SMALL + 1)
    try:
        torch.set_num_threads(2)
        assert (process_count(small), process_count(large)) == (2, 1)
        torch.set_num_threads(1)
        assert process_count(small) == 1
    finally:
        torch.set_num_threads(before)


def test_a_network_s_own_random_numbers_are_those_of_one_process() -> None:
    """A defence that draws noise in its forward pass."""

    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net, _, _ = problem(30)

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x + 0.02 * torch.randn_like(x))

    _, image, label = problem(30)
    net = Noisy()
    attacks = pgd_suite(net, norm="linf", epsilon=EPSILON, seed=3, steps=3, restarts=2)
    outcomes = []
    for processes in (1, 2):
        torch.manual_seed(5)
        states = run_suite(
            net, image, label, attacks, norm="linf", epsilon=EPSILON, batch=7, processes=processes
        )
        outcomes.append(_outcomes(finish(states)))
    assert outcomes[0] == outcomes[1]
    assert np.array(outcomes[0]["broken_by"]).max() >= 0
