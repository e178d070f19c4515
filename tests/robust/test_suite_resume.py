"""A suite that is killed and resumed comes to the same for every image."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
import torch

from cdp.errors import Cancelled, InputError
from cdp.robust.suites import CLEAN_PASS, SuiteState, pgd_suite, run_suite
from cdp.values.evaluation import STANDS
from tests.robust.suited import EPSILON, finish, network, problem

SETTINGS: dict[str, Any] = {"norm": "linf", "epsilon": EPSILON, "batch": 7}


def _attacks(net: torch.nn.Module) -> list[Any]:
    return pgd_suite(net, norm="linf", epsilon=EPSILON, seed=3, steps=3, restarts=2)


def _through_a_file(state: SuiteState) -> SuiteState:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **state.to_arrays())
    with np.load(io.BytesIO(buffer.getvalue()), allow_pickle=False) as file:
        return SuiteState.from_arrays({name: file[name] for name in file.files})


def _outcome(state: SuiteState) -> dict[str, Any]:
    """All but the seconds."""
    found = {name: value.tolist() for name, value in state.to_arrays().items() if name != "seconds"}
    return found | {"plain": json.loads(found["plain"])}


def test_killed_after_any_batch_and_resumed_from_a_file_every_image_comes_to_the_same() -> None:
    net, image, label = problem(30)
    whole = finish(run_suite(net, image, label, _attacks(net), **SETTINGS))
    assert whole.broken[0] > 0 and whole.broken[1] < whole.tried[1] < 26
    yields = len(list(run_suite(net, image, label, _attacks(net), **SETTINGS)))
    assert yields >= 12
    for k in range(1, yields + 1):
        torch.manual_seed(k)
        states = run_suite(net, image, label, _attacks(net), **SETTINGS)
        for _ in range(k):
            state = next(states)
        states.close()
        kept = _through_a_file(state)
        for _ in run_suite(network(), image, label, _attacks(network()), state=kept, **SETTINGS):
            pass
        assert kept.done and _outcome(kept) == _outcome(whole), k


def test_stopped_inside_a_batch_nothing_of_it_is_kept_and_the_resumed_run_is_the_same() -> None:
    net, image, label = problem(30)
    whole = finish(run_suite(net, image, label, _attacks(net), **SETTINGS))
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    hook = net.register_forward_hook(count)
    states = run_suite(net, image, label, _attacks(net), should_stop=lambda: calls > 37, **SETTINGS)
    state = next(states)
    seen = [_outcome(state)]
    with pytest.raises(Cancelled, match="resume"):
        seen.extend(map(_outcome, states))
    hook.remove()
    assert len(seen) > 6 and _outcome(state) == seen[-1] and CLEAN_PASS < state.stage < 2
    assert _outcome(
        finish(run_suite(net, image, label, _attacks(net), state=state, **SETTINGS))
    ) == _outcome(whole)


def test_a_state_that_is_done_does_nothing_more() -> None:
    net, image, label = problem(12)
    state = finish(run_suite(net, image, label, _attacks(net), **SETTINGS))
    before = _outcome(state)
    assert list(run_suite(net, image, label, _attacks(net), state=state, **SETTINGS)) == []
    assert _outcome(state) == before and state.standing == (state.broken_by == STANDS).sum()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"norm": "l2"}, "norm"),
        ({"epsilon": 0.1}, "epsilon"),
        ({"batch": 8}, "batch"),
        ({"count": 11}, "images"),
        ({"attacks": 1}, "attacks"),
    ],
)
def test_a_state_of_another_suite_is_refused_by_name(change: dict[str, Any], word: str) -> None:
    net, image, label = problem(12)
    state = next(run_suite(net, image, label, _attacks(net), **SETTINGS))
    count = change.pop("count", 12)
    attacks = _attacks(net)[: change.pop("attacks", 2)]
    with pytest.raises(InputError, match=word):
        next(
            run_suite(
                net, image[:count], label[:count], attacks, state=state, **(SETTINGS | change)
            )
        )


def _changed(**change: Any) -> dict[str, np.ndarray]:
    net, image, label = problem(12)
    arrays = next(run_suite(net, image, label, _attacks(net), **SETTINGS)).to_arrays()
    plain = json.loads(str(arrays["plain"])) | change.pop("of_plain", {})
    return {
        name: value
        for name, value in (arrays | {"plain": np.array(json.dumps(plain))} | change).items()
        if value is not None
    }


@pytest.mark.parametrize(
    "change",
    [
        {"plain": None},
        {"plain": np.array("{")},
        {"plain": np.array("[]")},
        {"plain": np.array(3)},
        {"clean": None},
        {"clean": np.zeros(12)},
        {"clean": np.zeros((12, 1), np.int64)},
        {"clean": np.full(12, -2)},
        {"attacked": np.zeros(11, np.int64)},
        {"attacked": np.array(["x"] * 12)},
        {"broken_by": np.full(12, 2)},
        {"broken_by": np.full(12, -3)},
        {"tried": np.zeros(3, np.int64)},
        {"refused": np.array([-1, 0])},
        {"seconds": np.array([np.nan, 0])},
        {"seconds": np.zeros(2, np.int64)},
        {"of_plain": {"stage": 3}},
        {"of_plain": {"stage": -2}},
        {"of_plain": {"stage": 0.5}},
        {"of_plain": {"stage": None}},
        {"of_plain": {"batch": -1}},
        {"of_plain": {"batch_size": 0}},
        {"of_plain": {"names": ["only"]}},
        {"of_plain": {"names": 3}},
        {"of_plain": {"largest": -1}},
        {"of_plain": {"largest": float("nan")}},
        {"of_plain": {"epsilon": "x"}},
    ],
)
def test_a_damaged_state_is_refused_with_a_remedy(change: dict[str, Any]) -> None:
    assert SuiteState.from_arrays(_changed()).batch == 1
    with pytest.raises(InputError, match=r"damaged .*start anew"):
        SuiteState.from_arrays(_changed(**change))


def test_a_state_does_not_share_memory_with_what_it_was_read_from_or_written_to() -> None:
    arrays = _changed()
    state = SuiteState.from_arrays(arrays)
    written = state.to_arrays()
    state.clean[:] = 7
    state.tried[:] = 9
    for kept in (arrays, written):
        assert not (kept["clean"] == 7).all() and not (kept["tried"] == 9).any()
