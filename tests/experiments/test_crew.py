"""What each of several seeds of a training takes of the machine."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from cdp.config.train import TrainConfig
from cdp.experiments import crew
from cdp.work.cost import learn_rates
from cdp.work.launch import Share

SMALL = TrainConfig()


@pytest.fixture(autouse=True)
def machine(cdp_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four cores, much memory, no GPU, nothing measured."""
    monkeypatch.delenv("CDP_SLOTS", raising=False)
    monkeypatch.setattr(crew, "core_count", lambda: 4)
    monkeypatch.setattr(crew, "has_gpu", lambda: False)
    _with_memory(monkeypatch, 10**11)


def _with_memory(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(
        crew.psutil, "virtual_memory", lambda: SimpleNamespace(available=free), raising=True
    )


def _measured(**seconds: float) -> None:
    learn_rates((*crew._MEASURED, 4), **{name[1:]: value for name, value in seconds.items()})


def test_until_it_was_measured_a_small_network_gets_a_process_a_core() -> None:
    assert crew.share_of_seeds(SMALL) == Share(slots=4, threads=1)


def test_what_was_measured_decides() -> None:
    _measured(n1=0.4, n2=0.2, n4=0.3)
    share = crew.share_of_seeds(SMALL)
    assert share == Share(slots=2, threads=2)
    assert crew.gain(share) == pytest.approx(2.0)


def test_where_one_at_a_time_is_fastest_each_takes_all() -> None:
    _measured(n1=0.2, n2=0.3, n4=0.4)
    assert crew.share_of_seeds(SMALL) is None


def test_free_memory_limits_how_many_work_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    _with_memory(monkeypatch, 2 * crew.CHILD_BYTES)
    assert crew.share_of_seeds(SMALL) == Share(slots=2, threads=2)
    _with_memory(monkeypatch, crew.CHILD_BYTES)
    assert crew.share_of_seeds(SMALL) is None


@pytest.mark.parametrize("why", ["slots", "gpu", "one core", "large network"])
def test_some_runs_take_all_of_the_machine(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = SMALL
    if why == "slots":
        monkeypatch.setenv("CDP_SLOTS", "3")
    elif why == "gpu":
        monkeypatch.setattr(crew, "has_gpu", lambda: True)
    elif why == "one core":
        monkeypatch.setattr(crew, "core_count", lambda: 1)
    else:
        config = TrainConfig(architecture="preact-resnet-18")
    assert crew.share_of_seeds(config) is None


def test_a_gain_that_was_never_measured_is_not_promised() -> None:
    assert crew.gain(Share(slots=4, threads=1)) == 1.0
