"""Generations that nobody saved: they come back as they were, and go after their days."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cdp import paths
from cdp.config.generate import GenerateConfig, Sampler
from cdp.files import cache
from cdp.values.types import ArmReport, Interval, JudgeView
from cdp.work import unsaved
from tests.work.fakes import make_frame, make_result

CONFIG = GenerateConfig(count=4, seed=7, sampler=Sampler(steps=5))
ID = "0123456789ab"


def same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    return one == other or (one != one and other != other)


def test_what_is_kept_comes_back_to_the_last_bit(cdp_home: Path) -> None:
    report = ArmReport(
        Interval(0.9, 0.8, 0.95, 4), None, Interval(1, -np.inf, np.inf, 1, note="one")
    )
    view = JudgeView(np.arange(4), np.full(4, 0.5, np.float32))
    result = replace(
        make_result(CONFIG, complete=False), guided_report=report, finished=2, guided_view=view
    )
    frames = [
        replace(make_frame(1, 5), strength=float("nan")),
        replace(make_frame(2, 5), unguided=make_frame(9, 5).guided),
    ]
    assert unsaved.keep(ID, CONFIG, "cancelled", frames, result)
    again = unsaved.load(ID)
    assert again is not None and (again.config, again.state) == (CONFIG, "cancelled")
    assert same(asdict(again.result), asdict(result))
    assert len(again.frames) == 2
    assert all(same(asdict(a), asdict(b)) for a, b in zip(again.frames, frames, strict=True))
    assert [past.id for past in unsaved.listed()] == [ID]


@pytest.mark.parametrize("text", ["../../sets/x", "0123", "", "0123456789ab/.."])
def test_an_address_reaches_nothing_else(cdp_home: Path, text: str) -> None:
    assert unsaved.load(text) is None


def test_a_damaged_one_counts_as_not_there(cdp_home: Path) -> None:
    unsaved.keep(ID, CONFIG, "done", [make_frame(1, 5)], make_result(CONFIG, complete=True))
    path = paths.cache_dir() / "unsaved" / ID / "images.npz"
    path.write_bytes(path.read_bytes()[:-60])
    assert unsaved.load(ID) is None
    (path.parent / "generation.json").write_text("{")
    assert unsaved.listed() == []


def test_it_goes_after_its_days_and_other_results_stay(cdp_home: Path) -> None:
    for name in ("a" * 12, "b" * 12):
        unsaved.keep(name, CONFIG, "done", [make_frame(1, 5)], make_result(CONFIG, complete=True))
    cache.keep("scores", "old", np.zeros(3))
    long_ago = time.time() - (cache.UNSAVED_DAYS + 1) * 86_400
    for path in ("unsaved/" + "a" * 12, "scores/old.npy"):
        os.utime(paths.cache_dir() / path, (long_ago, long_ago))
    cache.trim()
    assert unsaved.load("a" * 12) is None
    assert unsaved.load("b" * 12) is not None and cache.load_array("scores", "old") is not None
