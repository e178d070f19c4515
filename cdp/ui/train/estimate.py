"""What a training will cost, asked of a helper process whenever the settings changed, while the
form stays free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from cdp.config.train import TrainConfig
from cdp.data.training import steps_per_epoch
from cdp.experiments.crew import gain, share_of_seeds
from cdp.results.cost import measured_cost
from cdp.ui.kit.ask import ask, take_back
from cdp.ui.kit.words import plain
from cdp.values.text import bytes_text, range_text
from cdp.work.helper import Errand
from cdp.work.launch import Share

POLL_SECONDS = 0.5


def estimate(config: TrainConfig, seeds: int) -> None:
    """One line with time and memory, drawn anew once they are known."""
    errand = _asked(config)
    if not errand.over:
        st.fragment(_wait, run_every=POLL_SECONDS)(errand)
    elif errand.state == "done":
        st.caption(line(errand.result, seeds, share_of_seeds(config) if seeds > 1 else None))
    else:
        st.caption(plain(f"No estimate: {errand.error}."))
        st.button("Measure again", key="train_measure", type="tertiary", on_click=errand.forget)


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
    """The errand for these settings. One for settings that left the form is taken back."""
    # Seeds change no cost, so one more seed asks for nothing.
    settings = config.model_copy(update={"seed": 0, "subset_seed": 0}).model_dump(mode="json")
    what = f"{config.architecture} {config.batch}"
    errand = ask("estimate", settings, what=what)
    if errand.state == "cancelled":  # by another tab that has gone on to other settings
        errand.forget()
        errand = ask("estimate", settings, what=what)
    take_back("train", [errand])
    return errand


def _wait(errand: Errand) -> None:
    errand.watch()
    st.caption("Measuring a training step on this machine")
    if errand.over:
        st.rerun()


def line(cost: Mapping[str, Any], seeds: int, share: Share | None = None) -> str:
    """Time, with its basis, and memory in one line: of one run, and the time of all seeds, one after another or
    sharing the machine."""
    seconds, device = float(cost["seconds"]), str(cost["device"])
    where = "this CPU" if device.lower().startswith("cpu") else device
    basis = "from trainings" if cost.get("learned") else "by a measured step"

    def span(times: float) -> str:
        return range_text(*measured_cost(times * seconds, basis).seconds)

    memory = bytes_text(float(cost["memory_bytes"]))
    each = f"{span(1)}{' a run' * (seeds > 1)}, {basis} on {where}, {memory}"
    each = each[0].upper() + each[1:]
    if seeds == 1:
        return each
    if share is None:
        return f"{each}; {span(seeds)} for all {seeds}, one after another"
    return f"{each} each; {span(seeds / gain(share))} for all {seeds}, {share.slots} at a time"
