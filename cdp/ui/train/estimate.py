"""What a training will cost, asked of a helper process whenever the settings changed, while the
form stays free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from cdp.config.train import TrainConfig
from cdp.data.training import steps_per_epoch
from cdp.ui.kit.ask import ask
from cdp.ui.kit.words import plain
from cdp.values.text import bytes_text, duration
from cdp.work.helper import Errand

POLL_SECONDS = 0.5
_KEY = "train_estimate"


def estimate(config: TrainConfig, seeds: int) -> None:
    """One line with time and memory, drawn anew once they are known; below it what the measurement
    warns of."""
    errand = _asked(config)
    if errand.over:
        _draw(errand, seeds)
    else:
        st.fragment(_wait, run_every=POLL_SECONDS)(errand, config)


def known_warnings(config: TrainConfig) -> tuple[str, ...]:
    """What the last measurement of these settings warned of; () until there is one."""
    errand = _asked(config)
    return tuple(map(str, errand.result.get("warnings", ()))) if errand.state == "done" else ()


def known_epoch(config: TrainConfig) -> int | None:
    """Optimiser steps of an epoch: at once where the number of real images is set, else as soon as
    they were counted."""
    per_batch = config.synthetic_per_batch
    if config.real and per_batch < config.batch:
        return steps_per_epoch(config.real, 0, batch=config.batch, synthetic_per_batch=per_batch)
    errand = _asked(config)
    return int(errand.result["steps_per_epoch"]) if errand.state == "done" else None


def _asked(config: TrainConfig) -> Errand:
    """The errand for these settings. One for settings that are no longer on the form is taken out
    of the queue."""
    # Seeds change no cost, so one more seed asks for nothing.
    payload = config.model_copy(update={"seed": 0, "subset_seed": 0}).model_dump(mode="json")
    what = f"{config.architecture} {config.batch}"
    errand = ask("estimate", payload, what=what)
    if errand.state == "cancelled":  # by another tab that has gone on to other settings
        errand.forget()
        errand = ask("estimate", payload, what=what)
    before: Errand | None = st.session_state.get(_KEY)
    if before is not None and before is not errand and before.state == "queued":
        before.cancel()
    st.session_state[_KEY] = errand
    return errand


def _wait(errand: Errand, config: TrainConfig) -> None:
    errand.watch()
    st.caption("Measuring a training step on this machine")
    if errand.over:
        st.rerun()


def _draw(errand: Errand, seeds: int) -> None:
    if errand.state == "done":
        st.caption(line(errand.result, seeds))
        return
    st.caption(plain(f"No estimate: {errand.error}."))
    st.button("Measure again", key="train_measure", type="tertiary", on_click=errand.forget)


def line(cost: Mapping[str, Any], seeds: int) -> str:
    """Time and memory in one line: of one run, and the time of all seeds one after another."""
    seconds, memory = float(cost["seconds"]), float(cost["memory_bytes"])
    device = str(cost["device"])
    where = "this CPU" if device.lower().startswith("cpu") else device
    line_of_run = (
        f"About {duration(seconds)}{' a run' if seeds > 1 else ''} on {where}, {bytes_text(memory)}"
    )
    return (
        line_of_run
        if seeds == 1
        else f"{line_of_run}; {duration(seeds * seconds)} for all {seeds}, one after another"
    )
