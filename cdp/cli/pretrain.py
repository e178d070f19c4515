"""pretrain and pretrain-encoder: training from the command line, resumable after a kill or
Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from cdp.cli.interrupt import interruptible
from cdp.cli.options import chosen, with_options
from cdp.cli.output import AsJsonAtEnd, ProgressLine, print_json, say
from cdp.config.knobs import Frozen, parse
from cdp.config.pretrain import EncoderConfig, PretrainConfig
from cdp.values.text import duration, share_text

if TYPE_CHECKING:
    from cdp.tasks.pretrain.shared import Progress

Config = TypeVar("Config", bound=Frozen)


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command("pretrain")(pretrain)
    app.command("pretrain-encoder")(pretrain_encoder)


@with_options(PretrainConfig)
def pretrain(as_json: AsJsonAtEnd = False, **given: Any) -> None:
    """Train a diffusion model.

    It is class-conditional and saved in diffusers' folder format. Repeat the same command after a
    kill or Ctrl-C: it goes on from its last checkpoint.
    """
    config = parse(PretrainConfig, chosen(given, PretrainConfig))
    _check(config)
    from cdp.tasks.pretrain.diffusion import run_pretrain

    _train(run_pretrain, config, as_json)


@with_options(EncoderConfig)
def pretrain_encoder(as_json: AsJsonAtEnd = False, **given: Any) -> None:
    """Train an encoder, the small classifier whose features guide or judge.

    Repeat the same command after a kill or Ctrl-C: it goes on after its last whole epoch.
    """
    config = parse(EncoderConfig, chosen(given, EncoderConfig))
    _check(config)
    from cdp.tasks.pretrain.encoder import run_pretrain_encoder

    _train(run_pretrain_encoder, config, as_json)


def _check(config: PretrainConfig | EncoderConfig) -> None:
    """What the page says of a data set, said before the training: what stands in the way ends the
    command."""
    from cdp.tasks.pretrain.shared import require_ready

    for sentence in require_ready(config):
        say(f"note: {sentence}")


def _train(run: Callable[..., Path], config: Config, as_json: bool) -> None:
    """Run one training with its progress on stderr. run: (config, *, on_progress, should_stop) ->
    folder."""
    began = time.monotonic()
    latest: list[Progress] = []
    with interruptible() as should_stop, ProgressLine("steps") as line:

        def on_progress(progress: Progress) -> None:
            latest[:] = [progress]
            score = "" if progress.score is None else f", held out {share_text(progress.score)}"
            line.show(
                progress.step,
                progress.total,
                progress.seconds_left,
                f", loss {progress.loss:.4f}{score}",
            )

        folder = run(config, on_progress=on_progress, should_stop=should_stop)
    seconds = time.monotonic() - began
    if as_json:
        final = latest[0] if latest else None
        print_json(
            {
                "path": str(folder),
                "seconds": round(seconds, 3),
                "steps": final.step if final else None,
                "loss": final.loss if final else None,
                "score": final.score if final else None,
            }
        )
    else:
        print(f"{folder}: trained in {duration(seconds)}")
