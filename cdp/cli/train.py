"""train: a robust training as a background run, which outlives the shell; with --wait the command
stays until its end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cdp.cli.configfile import read_config
from cdp.cli.options import chosen, with_options
from cdp.cli.output import AsJson, print_json, say
from cdp.cli.runs import Wait, conclude
from cdp.config.knobs import parse
from cdp.config.presets import TRAIN_PRESETS, named
from cdp.config.train import TrainConfig, automatic_name, overlaid
from cdp.errors import InputError

DEFAULT = "standard"
EPILOG = "Presets: " + " ".join(f"{name}: {entry.source}" for name, entry in TRAIN_PRESETS.items())


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("train", epilog=EPILOG)(train)


@with_options(TrainConfig)
def train(
    config_file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[CONFIG]",
            help="A YAML or JSON file of settings, as the Train page exports it.",
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help=f"Where to start from: {', '.join(TRAIN_PRESETS)} (default: {DEFAULT})."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the run; empty makes one of its settings.")
    ] = None,
    wait: Wait = False,
    as_json: AsJson = False,
    **given: Any,
) -> None:
    """Train a robust classifier on real and synthetic images.

    It goes on in the background: closing the shell, the browser or the app stops nothing. Settings
    given as options replace those of the file or preset.
    """
    from cdp.data.registry import dataset_info
    from cdp.tasks.registry import TASKS
    from cdp.tasks.train_data import warnings_of
    from cdp.work.launch import free_name, launch

    config = _config(config_file, preset, given)
    for note in warnings_of(config, dataset_info(config.dataset)):
        say(f"note: {note}")
    title = name or free_name(TASKS["train"], automatic_name(config))
    run_id = launch(TASKS["train"], config, title)
    if wait:
        conclude(run_id, as_json=as_json)
    elif as_json:
        print_json({"run": run_id, "name": title, "state": "queued"})
    else:
        print(f"{run_id}: {title} is queued")
        say(f"watch it with: python -m cdp logs {run_id} --follow")


def _config(path: Path | None, preset: str | None, given: dict[str, Any]) -> TrainConfig:
    if path is not None and preset is not None:
        raise InputError(
            "--preset and a config file both say where to start from: give one of them"
        )
    if path is not None:
        start = read_config(path, TrainConfig)
    else:
        start = named(TRAIN_PRESETS, preset or DEFAULT).flat
    return parse(TrainConfig, overlaid(start, chosen(given, TrainConfig)))
