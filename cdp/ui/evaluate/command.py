"""The same evaluation without the page: a command line."""

from __future__ import annotations

import shlex
from typing import Any

import streamlit as st

from cdp.config.evaluate import CODE, RUN, EvaluateConfig
from cdp.config.fields import written
from cdp.errors import InputError
from cdp.ui.evaluate.catalog import CODE_COMMAND
from cdp.ui.evaluate.state import PLAIN, Evaluated


def elsewhere(held: Evaluated) -> None:
    """What to type, folded; nothing where the settings do not fit together, which the page says."""
    try:
        config = held.config()
    except InputError:
        return
    with st.expander("From the command line", key="evaluate_command"):
        st.code(command(config), language="bash", wrap_lines=True)
        st.caption("A model of your own code is evaluated here only: no page imports it.")
        st.code(CODE_COMMAND, language="bash", wrap_lines=True)


def command(config: EvaluateConfig) -> str:
    """A shell line that evaluates with these settings."""
    own = config.model.startswith(CODE)
    model = (
        ["--model", config.model.removeprefix(CODE)] if own else [config.model.removeprefix(RUN)]
    )
    return shlex.join(["python", "-m", "cdp", "evaluate", *model, *options(config)])


def options(config: EvaluateConfig) -> list[str]:
    """Every setting that differs from the defaults, as options."""
    found: list[str] = []
    for name, value in config.model_dump(mode="json").items():
        if name == "model" or value == PLAIN[name]:
            continue
        found += (
            ["--all"]
            if (name, value) == ("count", None)
            else _option(name.replace("_", "-"), value)
        )
    return found


def _option(flag: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    return [f"--{flag}", written(value)]
