"""generate: a sample set from the command line, resumable after a kill or Ctrl-C."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cdp.cli.interrupt import interruptible
from cdp.cli.options import chosen, with_options
from cdp.cli.output import AsJsonAtEnd, ProgressLine, print_json, say
from cdp.config.generate import GenerateConfig, unflatten
from cdp.config.presets import PRESETS, preset
from cdp.values.text import duration

if TYPE_CHECKING:
    from cdp.data.sets import SampleSet
    from cdp.work.session import Progress

EPILOG = "Presets: " + " ".join(f"{name}: {entry.source}" for name, entry in PRESETS.items())


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("generate", epilog=EPILOG)(generate)


@with_options(GenerateConfig)
def generate(
    out: Annotated[
        Path, typer.Option(help="The folder of the finished set; its name becomes the set's name.")
    ],
    preset_name: Annotated[
        str, typer.Option("--preset", help=f"Where to start from: {', '.join(PRESETS)}.")
    ] = "default",
    as_json: AsJsonAtEnd = False,
    **given: Any,
) -> None:
    """Generate a sample set. Every setting left out keeps the preset's value.

    Repeat the same command after a kill or Ctrl-C: it goes on where it stopped.
    """
    from cdp.tasks.generate import generate_set
    from cdp.tasks.generate_warnings import warnings
    from cdp.work.session import Session

    config = unflatten(chosen(given, GenerateConfig), preset(preset_name))
    latest: list[Progress] = []
    for note in warnings(config, conditional=_conditional(config)).values():
        say(f"note: {note}")

    with interruptible() as should_stop, ProgressLine("images") as line:

        def on_progress(progress: Progress) -> None:
            latest[:] = [progress]
            rate = "" if progress.rate is None else f", {progress.rate:.1f} images/s"
            line.show(progress.done, progress.count, progress.seconds_left, rate)

        made = generate_set(config, out, Session(on_progress=on_progress, should_stop=should_stop))
    if as_json:
        print_json(summarise(made, latest[0]))
    else:
        print(f"{made.folder}: {len(made):,} images in {duration(latest[0].seconds)}")
        if made.label is None:
            say(made.without_labels("a training"))


def _conditional(config: GenerateConfig) -> bool:
    """Whether the model is told a class, by its card; True where it has none, as the work then says
    what is wrong with it."""
    from cdp.models.pipelines import list_models

    card = next((entry.card for entry in list_models() if entry.name == config.model), {})
    return bool(card.get("classes", 1))


def summarise(made: SampleSet, progress: Progress) -> dict[str, Any]:
    """The closing JSON line. seconds and rate are of this start; resumed_from images were there
    before it."""
    return {
        "path": str(made.folder),
        "name": made.name,
        "count": len(made),
        "shape": list(made.image.shape[1:]),
        "labelled": made.label is not None,
        "seconds": round(progress.seconds, 3),
        "images_per_second": None if progress.rate is None else round(progress.rate, 3),
        "resumed_from": progress.resumed_from,
        "card": made.card,
    }
