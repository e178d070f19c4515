"""Work that starts from settings: generate, pretrain and pretrain-encoder stay until they are done;
train, and every other task that runs in the background, outlives the shell."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cdp.cli.options import (
    AsJson,
    AsJsonAtEnd,
    argument,
    chosen,
    config_given,
    option,
    read_config,
    with_options,
)
from cdp.cli.output import ProgressLine, answer, interruptible, print_json, queued, say
from cdp.cli.runs import Wait, conclude, say_cost
from cdp.config.generate import GenerateConfig, unflatten
from cdp.config.knobs import Frozen, parse
from cdp.config.presets import PRESETS, TRAIN_PRESETS, Preset, named
from cdp.config.pretrain import EncoderConfig, PretrainConfig
from cdp.config.train import TrainConfig, automatic_name, overlaid
from cdp.errors import InputError
from cdp.values.text import duration, share_text

if TYPE_CHECKING:
    from cdp.data.samples import SampleSet
    from cdp.tasks.pretrain.shared import TrainingProgress
    from cdp.work.session import Progress
    from cdp.work.task import Task

STANDARD = "standard"
"""What a training starts from: the defaults of every setting."""
RunName = Annotated[str | None, option("Name of the run; empty makes one of its settings.")]


def sources(presets: Mapping[str, Preset]) -> str:
    """Where the values of presets come from, for below the help."""
    return "Presets: " + " ".join(f"{name}: {entry.source}" for name, entry in presets.items())


@with_options(GenerateConfig)
def generate(
    out: Annotated[
        Path, option("The folder of the finished set; its name becomes the set's name.")
    ],
    preset_name: Annotated[
        str, option(f"Where to start from: {', '.join(PRESETS)}, or one of your own.", "--preset")
    ] = "default",
    as_json: AsJsonAtEnd = False,
    **given: Any,
) -> None:
    """Generate a sample set. Every setting left out keeps the preset's value.

    Repeat the same command after a kill or Ctrl-C: it goes on where it stopped.
    """
    from cdp.data.presets import preset_flat
    from cdp.tasks.generate import generate_set
    from cdp.tasks.generate_warnings import warnings
    from cdp.tasks.train_data import few_for_training
    from cdp.work.session import Session

    base = unflatten(preset_flat(preset_name))
    config = unflatten(chosen(given, GenerateConfig), base)
    latest: list[Progress] = []
    for note in warnings(config, conditional=_conditional(config)).values():
        say(f"note: {note}")
    if few := few_for_training(config.count):
        say(f"note: {few}")

    with interruptible() as should_stop, ProgressLine("images") as line:

        def on_progress(progress: Progress) -> None:
            latest[:] = [progress]
            rate = "" if progress.rate is None else f", {progress.rate:.1f} images/s"
            line.show(progress.done, progress.count, progress.seconds_left, rate)

        samples = generate_set(
            config, out, Session(on_progress=on_progress, should_stop=should_stop)
        )
    if as_json:
        print_json(_summary(samples, latest[0]))
    else:
        print(f"{samples.folder}: {len(samples):,} images in {duration(latest[0].seconds)}")
        if samples.label is None:
            say(samples.without_labels("a training"))


def _conditional(config: GenerateConfig) -> bool:
    """Whether the model is told a class, by its card; True where it has none, as the work then says
    what is wrong with it."""
    from cdp.models.pipelines import list_models

    card = next((entry.card for entry in list_models() if entry.name == config.model), {})
    return bool(card.get("classes", 1))


def _summary(samples: SampleSet, progress: Progress) -> dict[str, Any]:
    """The closing JSON line. seconds and rate are of this start; resumed_from images were there
    before it."""
    return {
        "path": str(samples.folder),
        "name": samples.name,
        "count": len(samples),
        "shape": list(samples.image.shape[1:]),
        "labelled": samples.label is not None,
        "seconds": round(progress.seconds, 3),
        "images_per_second": None if progress.rate is None else round(progress.rate, 3),
        "resumed_from": progress.resumed_from,
        "card": samples.card,
    }


@with_options(PretrainConfig)
def pretrain(as_json: AsJsonAtEnd = False, **given: Any) -> None:
    """Train a diffusion model.

    It is class-conditional and saved in diffusers' folder format. Repeat the same command after a
    kill or Ctrl-C: it goes on from its last checkpoint.
    """
    _pretrain(config_given(PretrainConfig, given), as_json)


@with_options(EncoderConfig)
def pretrain_encoder(as_json: AsJsonAtEnd = False, **given: Any) -> None:
    """Train an encoder, the small classifier whose features guide or judge.

    Repeat the same command after a kill or Ctrl-C: it goes on after its last whole epoch.
    """
    _pretrain(config_given(EncoderConfig, given), as_json)


def _pretrain(config: PretrainConfig | EncoderConfig, as_json: bool) -> None:
    """Run one training with its progress on stderr; what the page says of its data set is said
    before it."""
    from cdp.tasks.pretrain.run import run_pretrain
    from cdp.tasks.pretrain.shared import require_ready

    for sentence in require_ready(config):
        say(f"note: {sentence}")
    began = time.monotonic()
    latest: list[TrainingProgress] = []
    with interruptible() as should_stop, ProgressLine("steps") as line:

        def on_progress(now: TrainingProgress) -> None:
            latest[:] = [now]
            score = "" if now.score is None else f", held out {share_text(now.score)}"
            line.show(now.step, now.total, now.seconds_left, f", loss {now.loss:.4f}{score}")

        folder = run_pretrain(config, on_progress=on_progress, should_stop=should_stop)
    seconds = time.monotonic() - began
    last = latest[0] if latest else None
    reached = {"steps": last and last.step, "loss": last and last.loss}
    value = {"path": str(folder), "seconds": round(seconds, 3)} | reached
    value |= {"score": last and last.score}
    answer(f"{folder}: trained in {duration(seconds)}", value, as_json=as_json)


@with_options(TrainConfig)
def train(
    config_file: Annotated[
        Path | None,
        argument("[CONFIG]", "A YAML or JSON file of settings, as the Train page exports it."),
    ] = None,
    preset: Annotated[
        str | None,
        option(f"Where to start from: {', '.join(TRAIN_PRESETS)} (default: {STANDARD})."),
    ] = None,
    name: RunName = None,
    wait: Wait = False,
    as_json: AsJson = False,
    **given: Any,
) -> None:
    """Train a robust classifier on real and synthetic images.

    It goes on in the background: closing the shell, the browser or the app stops nothing. Settings
    given as options replace those of the file or preset.
    """
    from cdp.data.registry import dataset_info
    from cdp.tasks.train_data import warnings_of
    from cdp.work.registry import TASKS

    if config_file is None:
        start = named(TRAIN_PRESETS, preset or STANDARD).flat
    elif preset is None:
        start = read_config(config_file, TrainConfig)
    else:
        raise InputError(
            "--preset and a config file both say where to start from: give one of them"
        )
    config = parse(TrainConfig, overlaid(start, chosen(given, TrainConfig)))
    for note in warnings_of(config, dataset_info(config.dataset)):
        say(f"note: {note}")
    start_run(TASKS["train"], config, name, automatic_name(config), wait=wait, as_json=as_json)


def start_run(
    task: Task[Any, Any],
    config: Frozen,
    name: str | None,
    automatic: str,
    *,
    wait: bool,
    as_json: bool,
) -> None:
    """Launch a background run, and say how to watch it or wait for its end. automatic: its name
    where none is given, with a number where that is taken."""
    from cdp.work.launch import free_name, launch

    title = name or free_name(task, automatic)
    run_id = launch(task, config, title)
    if isinstance(config, TrainConfig):
        say_cost("train", config)
    if wait:
        conclude(run_id, as_json=as_json)
    else:
        hint = f"watch it with: python -m cdp logs {run_id} --follow"
        queued(run_id, title, hint, as_json=as_json)


def command_of(task: Task[Any, Any]) -> Callable[..., None]:
    """The command of a task that has none of its own: its settings as options, its work as a
    background run."""

    @with_options(task.config)
    def command(
        name: RunName = None, wait: Wait = False, as_json: AsJson = False, **given: Any
    ) -> None:
        config = config_given(task.config, given)
        start_run(task, config, name, task.name, wait=wait, as_json=as_json)

    command.__doc__ = (
        f"{task.title}. It goes on in the background: closing the shell stops nothing."
    )
    return command
