"""The precision "auto" takes on a CPU: the faster one, asked once and remembered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from cdp.errors import InputError
from cdp.models import precision

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _fresh(cdp_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    cdp_home.mkdir(exist_ok=True)
    precision.bf16_is_faster_on_cpu.cache_clear()
    yield
    precision.bf16_is_faster_on_cpu.cache_clear()


def _measures(monkeypatch: pytest.MonkeyPatch, ratio: float) -> list[float]:
    """What the measurement says from now on; returns the list of its calls."""
    calls: list[float] = []

    def speed_ratio() -> float:
        calls.append(ratio)
        return ratio

    monkeypatch.setattr(precision, "speed_ratio", speed_ratio)
    return calls


@pytest.mark.parametrize(
    ("ratio", "dtype"), [(1.7, torch.bfloat16), (1.05, torch.float32), (0.7, torch.float32)]
)
def test_auto_takes_bf16_only_where_it_is_clearly_faster(
    monkeypatch: pytest.MonkeyPatch, ratio: float, dtype: torch.dtype
) -> None:
    _measures(monkeypatch, ratio)
    assert precision.pick_dtype("auto", CPU) is dtype
    assert precision.pick_dtype("bf16", CPU) is torch.bfloat16
    assert precision.pick_dtype("fp32", CPU) is torch.float32


def test_the_choice_outlives_the_process(monkeypatch: pytest.MonkeyPatch, cdp_home: Path) -> None:
    _measures(monkeypatch, 1.7)
    assert precision.pick_dtype("auto", CPU) is torch.bfloat16
    precision.bf16_is_faster_on_cpu.cache_clear()
    calls = _measures(monkeypatch, 0.5)
    assert precision.pick_dtype("auto", CPU) is torch.bfloat16
    assert not calls


@pytest.mark.parametrize("text", ["", "[]", '{"ratio": "fast"}', '{"ratio": NaN}'])
def test_a_broken_memory_is_measured_again(
    monkeypatch: pytest.MonkeyPatch, cdp_home: Path, text: str
) -> None:
    _measures(monkeypatch, 1.7)
    precision.pick_dtype("auto", CPU)
    [path] = (cdp_home / "cache" / precision.KIND).iterdir()
    path.write_text(text)
    precision.bf16_is_faster_on_cpu.cache_clear()
    calls = _measures(monkeypatch, 1.6)
    assert precision.pick_dtype("auto", CPU) is torch.bfloat16
    assert calls == [1.6] and json.loads(path.read_text()) == {"ratio": 1.6}


def test_a_read_only_home_costs_time(monkeypatch: pytest.MonkeyPatch, cdp_home: Path) -> None:
    (cdp_home / "cache").write_text("a file where the folder belongs")
    _measures(monkeypatch, 1.7)
    assert precision.pick_dtype("auto", CPU) is torch.bfloat16


def test_looking_makes_no_home(monkeypatch: pytest.MonkeyPatch, cdp_home: Path) -> None:
    cdp_home.rmdir()
    _measures(monkeypatch, 1.7)
    assert precision.pick_dtype("auto", CPU) is torch.bfloat16
    assert not cdp_home.exists()


def test_the_measurement_is_a_sane_ratio_and_leaves_the_random_stream_alone() -> None:
    torch.manual_seed(3)
    expected = torch.randn(2)
    torch.manual_seed(3)
    assert 0.05 < precision.speed_ratio() < 20
    assert torch.equal(torch.randn(2), expected)


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(InputError, match="fp16"):
        precision.pick_dtype("fp16", CPU)
