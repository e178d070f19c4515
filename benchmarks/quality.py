"""``python -m benchmarks.quality``: how good the unguided samples of a diffusion model are, by a
judge trained on real images.

Samples are class-balanced and made with the default preset's sampler; the set is resumable. Only
real test images and the judge decide; nothing here is chosen by looking at them. Memorisation is
looked for among all training images found here.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import documents, fidelity, memorisation, results, tables
from benchmarks.measuring import load_now, machine
from benchmarks.results import Figure
from cdp.config.generate import GenerateConfig, flatten, unflatten
from cdp.config.presets import PRESETS
from cdp.data.registry import load_split
from cdp.data.samples import SampleSet
from cdp.data.sets import open_set
from cdp.errors import CdpError, InputError, MissingError
from cdp.files.atomic import write_json
from cdp.models.checkpoints import require_json
from cdp.paths import home
from cdp.tasks.generate import generate_set
from cdp.tasks.judge import judged, load_judge
from cdp.tasks.loaded import load_engine
from cdp.tasks.sources import balanced_rows, dataset_of_generation
from cdp.values.types import Split
from cdp.work.session import Progress, Session

NAME, TITLE = "quality", "Quality of the unguided samples"
EPOCHS = 15
NOTES = (
    "Frechet distance, precision, recall, density and coverage are against real test images in the"
    " judge's features; the lines marked real hold training images against the same test images,"
    " which is what a perfect sampler would reach. The judge was trained on the training images."
)


def sample_set(config: GenerateConfig) -> SampleSet:
    """The set of a config under CDP_HOME/benchmarks/sets: made now, gone on with, or found
    finished."""
    weights = load_engine(config).model.sha256
    key = hashlib.sha256((weights + repr(sorted(flatten(config).items()))).encode()).hexdigest()[
        :12
    ]
    folder = (
        home() / "benchmarks" / "sets" / f"{load_engine(config).model.name}-{config.count}-{key}"
    )
    if folder.is_dir():
        return open_set(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    return generate_set(config, folder, Session(on_progress=_tell))


def _tell(progress: Progress) -> None:
    left = "" if progress.seconds_left is None else f", {progress.seconds_left:.0f} s left"
    print(
        f"\rsamples {progress.done} of {progress.count}{left}   ",
        end="\n" if progress.done == progress.count else "",
        file=sys.stderr,
    )


def measure(
    config: GenerateConfig, *, epochs: int, real_rows: int | None = None
) -> tuple[Figure, ...]:
    """All figures of one model. real_rows: at most so many real images of each split, all where not
    given."""
    dataset = dataset_of_generation(config)
    judge = load_judge(dataset)
    if judge is None:
        raise MissingError(
            f"dataset: {dataset} has no judge to measure with: train one with python -m cdp"
            " pretrain-encoder"
        )
    train, test = (_rows(load_split(dataset, split), real_rows) for split in ("train", "test"))
    samples = sample_set(config)
    image, label = np.array(samples.image), np.array(samples.label, np.int64)
    mine, real_test, real_train = (judged(judge, part) for part in (image, test.image, train.image))
    like_test = balanced_rows(train.label, len(test))
    return (
        *fidelity.agreement_figures(
            np.asarray(mine.predicted), label, np.asarray(real_test.predicted), test.label
        ),
        *fidelity.classifier_figures(image, label, train.image, train.label, test, epochs=epochs),
        *fidelity.distribution_figures(
            mine.features, real_test.features, real_train.features[like_test]
        ),
        *memorisation.figures(
            image, train.image, test.image, mine.features, real_train.features, real_test.features
        ),
    )


def _rows(split: Split, most: int | None) -> Split:
    """The images in memory: at most ``most`` of them, class-balanced."""
    rows = np.arange(len(split)) if most is None else balanced_rows(np.asarray(split.label), most)
    return Split(split.info, split.image[rows], split.label[rows])


def put_on_card(result: results.Result, folder: Path) -> None:
    """Copy the figures into the "quality" of the model's card, atomically. Raises InputError for
    figures of other weights."""
    from cdp.models.pipelines import load_pipeline

    model = load_pipeline(folder)
    if result.settings.get("model_sha256") != model.sha256:
        raise InputError(
            f"{folder} holds other weights than those that were measured: run python -m"
            " benchmarks.quality on them"
        )
    figures = {
        f.key: {
            "value": f.value,
            "low": f.low,
            "high": f.high,
            "n": f.n,
            "unit": f.unit,
            "what": f.name,
        }
        for f in result.figures
    }
    rounded = results.to_json(result)
    how = {
        "images": rounded["settings"]["config"]["count"],
        "sampler": rounded["settings"]["config"]["sampler"],
        "taken": rounded["machine"]["taken"],
    }
    card = require_json(model.folder / "card.json")
    write_json(model.folder / "card.json", card | {"quality": how | {"figures": figures}})


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line. Raises InputError for too few samples."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=TITLE)
    parser.add_argument(
        "--count", type=int, default=10_000, help="samples to measure on (default %(default)s)"
    )
    parser.add_argument(
        "--model", default="fashion-mnist", help="a model's name or folder (default %(default)s)"
    )
    parser.add_argument(
        "--dataset",
        default="fashion-mnist",
        help="the data set it was trained on (default %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="write the JSON here, and leave the repository's results and documents alone",
    )
    parser.add_argument(
        "--card", action="store_true", help="copy the figures into the model's card"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="300 samples and 2,000 real images, to see that it works",
    )
    found = parser.parse_args(given)
    if found.count < 100:
        raise InputError(
            "--count must be 100 or more: these figures say nothing about fewer samples"
        )
    return found


def main() -> int:
    """Returns the exit code: 0 measured, whether or not targets are met, 2 bad input."""
    try:
        _run(arguments())
    except CdpError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _run(given: argparse.Namespace) -> None:
    count = 300 if given.quick else given.count
    config = unflatten(
        PRESETS["unguided"].flat
        | {
            "count": count,
            "model": given.model,
            "dataset": given.dataset,
            "seed": 1,
        }
    )
    before = load_now()
    figures = measure(
        config, epochs=2 if given.quick else EPOCHS, real_rows=2_000 if given.quick else None
    )
    model = load_engine(config).model
    settings: dict[str, Any] = {
        "quick": given.quick,
        "config": config.model_dump(mode="json"),
        "model_sha256": model.sha256,
    }
    result = results.Result(NAME, TITLE, figures, settings, machine(), (before, load_now()), NOTES)
    if given.out:
        write_json(given.out, results.to_json(result))
    else:
        results.save(result, results.folder(quick=given.quick))
    print(f"{result.title}\n{tables.of_result(result)}\n{tables.stamp(result)}")
    if given.card:
        put_on_card(result, model.folder)
    if not (given.quick or given.out):
        documents.refresh()


if __name__ == "__main__":
    sys.exit(main())
