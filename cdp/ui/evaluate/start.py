"""What the one button of the Evaluate page does: launch the run and show it. What went wrong is
said on the next draw."""

from __future__ import annotations

from cdp.config.evaluate import automatic_name
from cdp.data.limits import name_like
from cdp.errors import CdpError
from cdp.tasks.registry import TASKS
from cdp.ui.evaluate.catalog import Facts
from cdp.ui.evaluate.state import Evaluated
from cdp.ui.kit.runlist import forget, say_wrong
from cdp.work import launch
from cdp.work.failures import sentence


def start(held: Evaluated, facts: Facts) -> None:
    """Launch an evaluation of these settings."""
    forget()
    try:
        config = held.config()
        name = launch.free_name(
            TASKS["evaluate"], automatic_name(config, name_like(facts.name) or "model")
        )
        held.report = launch.launch(TASKS["evaluate"], config, name)
    except (CdpError, OSError) as error:
        say_wrong(f"Not started: {sentence(error)}.")
