"""The lines of ``python -m benchmarks``: arguments, the clock, the memory gauge, and that both
samplers make the same images."""

from __future__ import annotations

import subprocess
import sys
import time
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from benchmarks.__main__ import LINES, arguments, run_line
from benchmarks.memory import peak
from benchmarks.results import Figure
from benchmarks.scenes import Options, clock_inside, diffusers_loop, to_bytes
from benchmarks.textbook import published_guidance
from cdp.errors import InputError
from cdp.paths import ROOT

FEW: dict[str, Any] = {"steps": 4, "precision": "fp32"}
DDIM = FEW | {"solver": "ddim"}


def test_all_lines_have_a_title_and_a_name_of_their_own() -> None:
    assert list(LINES) == [line.NAME for line in LINES.values()]
    assert len({line.TITLE for line in LINES.values()}) == len(LINES) == 19


@pytest.mark.parametrize("given", [["no_such_line"], ["--repeats", "0"], ["--threads", "0"]])
def test_what_cannot_be_measured_is_refused(given: list[str]) -> None:
    with pytest.raises(InputError, match=r"no_such_line|--repeats"):
        arguments(given)


def test_a_result_says_machine_threads_load_and_whether_it_was_quick() -> None:
    line = SimpleNamespace(
        NAME="x", TITLE="X", measure=lambda options: ([Figure("f", 1.0)], {"config": {}})
    )
    result = run_line(cast(ModuleType, line), Options(quick=True))
    assert result.settings == {"quick": True, "config": {}}
    assert result.machine["threads"] == torch.get_num_threads()
    assert len(result.load) == 2 and result.figures == (Figure("f", 1.0),)


def test_the_clock_counts_every_call_of_the_network_and_leaves_it_as_it_was() -> None:
    class Slow(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            time.sleep(0.01)
            return x

    net = Slow()
    with clock_inside(net) as seconds:
        net(torch.zeros(1))
        net(torch.zeros(1))
    net(torch.zeros(1))
    assert len(seconds) == 2 and min(seconds) >= 0.01
    assert not net._forward_hooks and not net._forward_pre_hooks


def test_the_peak_of_a_process_is_its_own_and_not_that_of_its_parent() -> None:
    block = np.ones(200 << 20, np.uint8)
    code = (
        "from benchmarks.memory import peak; before = peak(); block = bytearray(64 << 20);"
        " print(before, peak())"
    )
    # Without a shell between them, the kernel counts the parent's peak in the child's ru_maxrss.
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    before, after = map(float, done.stdout.split())
    assert after - before >= 60
    assert after < peak() and block[0] == 1


def test_our_sampler_and_the_published_loop_make_the_same_images() -> None:
    config = Options().config("paper-cifar10", count=6, batch=6, steps=4)
    *_, ours = to_bytes(config)
    with torch.random.fork_rng(devices=[]):  # the seed of our head, for the loop's own
        sequence = np.random.SeedSequence([config.seed, 0, 1])
        torch.manual_seed(int(sequence.generate_state(1, np.uint64)[0] >> 1))
        *_, theirs = published_guidance(config, range(6))
    assert np.abs(np.asarray(ours).astype(int) - np.asarray(theirs).astype(int)).max() <= 1
    *_, plain = to_bytes(Options().config("unguided", count=6, batch=6, **DDIM))
    assert np.abs(np.asarray(ours).astype(int) - np.asarray(plain).astype(int)).max() > 20


@pytest.mark.parametrize("solver", ["ddim", "dpmpp"])
def test_our_sampler_and_the_loop_of_diffusers_make_the_same_images_in_fp32(solver: str) -> None:
    config = Options().config("unguided", count=6, batch=6, solver=solver, **FEW)
    *_, ours = to_bytes(config)
    *_, theirs = diffusers_loop(config, range(6))
    assert isinstance(ours, np.ndarray) and isinstance(theirs, np.ndarray)
    assert ours.shape == theirs.shape == (6, 28, 28, 1)
    # The same arithmetic in another layout may round the other way.
    assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 1
