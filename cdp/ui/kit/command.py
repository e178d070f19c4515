"""The same training without the page: a command line, and a config file for it."""

from __future__ import annotations

import shlex
from typing import Any

import streamlit as st

from cdp.config.fields import written
from cdp.config.train import TrainConfig, automatic_name
from cdp.errors import InputError
from cdp.ui.train.state import Trained, plain_of, replaced_unit

PLAIN = "standard"
"""The preset that the command line starts from: the defaults of every knob."""


def elsewhere(held: Trained) -> None:
    """What to type or to take along, folded; nothing where the settings do not fit together, which
    the page says."""
    try:
        config, seeds, name = held.configs()[0], held.seeds, held.name
    except InputError:
        return
    with st.expander("From the command line", key="train_command"):
        st.code(command(config, seeds, name), language="bash", wrap_lines=True)
        file = f"{name or automatic_name(config)}.yaml"
        st.download_button(
            "Download config",
            lambda: config_yaml(config),
            file,
            "application/yaml",
            on_click="ignore",
            key="train_yaml",
            help=f"Runs with python -m cdp train {file}, with the same numbers.",
        )


def command(config: TrainConfig, seeds: int = 1, name: str = "") -> str:
    """A shell line that trains this config, or as many seeds of it."""
    line = ["python", "-m", "cdp", "train", *options(config, skip=("seed",) if seeds > 1 else ())]
    if seeds == 1:
        return shlex.join([*line, *(["--name", name] if name else [])])
    numbers = " ".join(str(config.seed + k) for k in range(seeds))
    named = f' --name {shlex.quote(name)}-s"$seed"' if name else ""
    return f'for seed in {numbers}; do {shlex.join(line)} --seed "$seed"{named}; done'


def options(config: TrainConfig, skip: tuple[str, ...] = ()) -> list[str]:
    """Every setting that differs from the defaults, as options."""
    plain, flat = plain_of(PLAIN), config.model_dump(mode="json")
    changed = {
        name: value
        for name, value in flat.items()
        if value != plain[name] and name not in skip and not replaced_unit(name, value)
    }
    return [part for name, value in changed.items() for part in _option(name, value)]


def _option(name: str, value: Any) -> list[str]:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    return [f"--{flag}", written(value)]


def config_yaml(config: TrainConfig) -> str:
    """Every setting, one a line, as ``python -m cdp train FILE`` reads it."""
    import yaml

    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
