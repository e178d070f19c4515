"""What the one button of the Train page does: launch a run for each seed. What went wrong is said
on the next draw."""

from __future__ import annotations

from collections.abc import Sequence

from cdp.config.train import automatic_name
from cdp.errors import CdpError
from cdp.tasks.registry import TASKS
from cdp.ui.kit.runlist import forget, say_wrong
from cdp.ui.train.state import Trained
from cdp.work import launch
from cdp.work.failures import sentence


def start(held: Trained, watched: Sequence[str]) -> None:
    """Launch one run a seed and watch them. watched: what was on the curves; it stays there where
    somebody chose it."""
    forget()
    started: list[str] = []
    try:
        for config in held.configs():
            wanted = (
                automatic_name(config)
                if not held.name
                else held.name
                if held.seeds == 1
                else f"{held.name}-s{config.seed}"
            )
            started.append(
                launch.launch(TASKS["train"], config, launch.free_name(TASKS["train"], wanted))
            )
    except (CdpError, OSError) as error:
        say_wrong(
            f"{'Not started' if not started else f'Only {len(started)} of {held.seeds} started'}:"
            f" {sentence(error)}."
        )
    if started:
        held.opened = started[0]
        held.watch([*(watched if held.watched is not None else ()), *started])
