"""``python -m benchmarks.default_sampler``: whether the default solver's images are as good as those
of 20 steps of DDIM, unguided and guided, by a judge trained on real images.

Row i of every set of a seed is from the same noise and label, so agreement is compared in pairs. How
far two seeds of DDIM lie apart says which Frechet distance is none. The sets can be gone on with.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks import documents, results, tables
from benchmarks.measuring import load_now, machine
from benchmarks.quality import sample_set
from benchmarks.results import Figure, Target
from cdp.config.generate import FORMER, GenerateConfig, unflatten
from cdp.config.presets import PRESETS
from cdp.data.registry import load_split
from cdp.embedding.classes import separation_difference
from cdp.embedding.distances import frechet_distance
from cdp.embedding.intervals import agreement_difference
from cdp.embedding.neighbours import fidelity
from cdp.errors import CdpError, InputError, MissingError
from cdp.tasks.judge import judged, load_judge
from cdp.tasks.sources import dataset_of_generation

NAME, TITLE = "default_sampler", "The default solver against 20 steps of DDIM"
NOTES = (
    "DDIM ran in fp32, the default in the precision of this machine. Differences are the default's"
    " minus DDIM's from the same noise, with 95 % intervals. Frechet distance, precision, recall,"
    " density and coverage are in the judge's features; the last four against real test images."
)


def measure(count: int, presets: Sequence[str] = ("unguided", "default")) -> Iterator[Figure]:
    """All figures, a preset after the other. Raises MissingError without a judge."""
    for name in presets:
        former = PRESETS[name].flat | FORMER | {"precision": "fp32"}
        yield from compare("unguided" if name == "unguided" else "guided", count, former, name)


def compare(title: str, count: int, former: dict[str, object], preset: str) -> Iterator[Figure]:
    """One preset with its sampler of before and of today."""

    def config(flat: dict[str, object], seed: int) -> GenerateConfig:
        return unflatten(flat | {"count": count, "seed": seed})

    before = config(former, 1)
    dataset = dataset_of_generation(before)
    judge = load_judge(dataset)
    if judge is None:
        raise MissingError(
            f"dataset: {dataset} has no judge to measure with: train one with python -m cdp"
            " pretrain-encoder"
        )
    sets = [sample_set(c) for c in (before, config(former, 2), config(PRESETS[preset].flat, 1))]
    label = np.array(sets[0].label, np.int64)
    ddim, other, today = (judged(judge, np.array(each.image)) for each in sets)
    real = judged(judge, np.array(load_split(dataset, "test").image)).features
    agreement = agreement_difference(np.asarray(today.predicted), np.asarray(ddim.predicted), label)
    apart = separation_difference(today.features, ddim.features, label)
    seeds = frechet_distance(other.features, ddim.features)
    yield Figure.of_interval(
        f"{title}: judge's agreement, difference", agreement, "points", Target("within", 0.5)
    )
    yield Figure.of_interval(f"{title}: separation of the classes, difference", apart)
    yield Figure(
        f"{title}: Frechet distance, default to DDIM",
        frechet_distance(today.features, ddim.features),
        n=count,
        target=Target("<=", seeds),
    )
    yield Figure(f"{title}: Frechet distance, DDIM to DDIM of another seed", seeds, n=count)
    rows = min(count, len(real))
    for name, arm in (("default", today), ("DDIM", ddim), ("DDIM, another seed", other)):
        distance = frechet_distance(arm.features, real)
        yield Figure(f"{title}: Frechet distance to real images, {name}", distance, n=count)
        for measure, share in fidelity(real[:rows], arm.features[:rows]).items():
            unit = "" if measure == "density" else "%"
            yield Figure.of_interval(f"{title}: {measure}, {name}", share, unit)


def main(given: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 measured, whether or not targets are met, 2 bad input."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.default_sampler", description=TITLE)
    parser.add_argument(
        "--count", type=int, default=10_000, help="images a set (default %(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="200 images, to see that it works")
    options = parser.parse_args(given)
    try:
        if options.count < 200:
            raise InputError("--count must be 200 or more: fewer images say nothing")
        _run(200 if options.quick else options.count, quick=options.quick)
    except CdpError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _run(count: int, *, quick: bool) -> None:
    before = load_now()
    figures = tuple(measure(count))
    settings = {"quick": quick, "count": count, "default": GenerateConfig().model_dump(mode="json")}
    result = results.Result(NAME, TITLE, figures, settings, machine(), (before, load_now()), NOTES)
    path = results.save(result, results.folder(quick=quick))
    print(f"{TITLE}\n{tables.of_result(result)}\n{tables.stamp(result)}\n-> {path}")
    if not quick:
        documents.refresh()


if __name__ == "__main__":
    sys.exit(main())
