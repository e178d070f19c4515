"""The script for a machine with a GPU, on a processor at tiny size: what it would measure there runs
here, and one part that fails costs no other."""

from __future__ import annotations

import time

import pytest
import torch

from benchmarks import gpu, gpu_parts, results
from cdp.errors import InputError, MissingError

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", gpu_parts.PARTS)
def test_every_part_runs_and_a_processor_agrees_with_itself(name: str) -> None:
    figures = gpu_parts.PARTS[name].measure(CPU, True)
    assert figures
    if name in ("sampler", "guide", "attack", "training_step"):
        compared = [figure for figure in figures if figure.target is not None]
        assert compared and all(figure.value == 0 for figure in compared)


def test_a_part_that_ends_too_late_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    late = gpu_parts.Part(gpu_parts.sampler, 0.01)
    monkeypatch.setitem(gpu_parts.PARTS, "sampler", late)
    assert gpu.main(["--device", "cpu", "--quick", "sampler", "attack"]) == 1
    found = results.load("gpu", results.folder(quick=True))
    assert found is not None and "sampler: it did not end within" in found.notes
    assert any("PGD" in figure.name for figure in found.figures)
    assert set(found.settings["seconds"]) == {"sampler", "attack"}


def test_all_parts_together_may_take_eight_minutes() -> None:
    assert sum(part.seconds for part in gpu_parts.PARTS.values()) <= gpu.MOST_SECONDS == 480


def test_it_says_at_once_that_there_is_no_gpu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    began = time.monotonic()
    assert gpu.main([]) == MissingError.exit_code
    assert "there is no GPU here" in capsys.readouterr().err and time.monotonic() - began < 2


def test_a_processor_is_asked_for_tiny_sizes_only_and_for_known_parts() -> None:
    with pytest.raises(InputError, match="--quick"):
        gpu.require("cpu", quick=False)
    with pytest.raises(InputError, match="no_such_part"):
        gpu.require("cpu", quick=True, parts=["no_such_part"])
