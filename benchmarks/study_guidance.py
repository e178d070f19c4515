"""``python -m benchmarks.study_guidance``: guided against unguided from the same noise, over
losses, encoders and strengths.

Every arm is the default preset with three settings changed. The judge that scores has never guided.
What is finished lies under CDP_HOME/benchmarks/study, one file an arm and seed, so that a stopped
study goes on and a longer one only adds.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks import documents, results, tables
from benchmarks.arms import Arm, RealSide, compare, describe, load_or_make
from benchmarks.measuring import load_now, machine
from cdp.config.generate import GenerateConfig, unflatten
from cdp.config.presets import PRESETS
from cdp.errors import CdpError, InputError, MissingError
from cdp.tasks.judge import judged, load_judge
from cdp.tasks.loaded import load_engine
from cdp.tasks.sources import dataset_of_generation, real_images

NAME, TITLE = "study_guidance", "Guided against unguided, from the same noise"
LOSSES = ("supcon", "class_margin", "fisher", "classifier", "info_nce", "hard_negative")
ENCODERS = ("robust", "standard", "noise-aware")
STRENGTHS = (0.05, 0.1, 0.2)
REAL = 2_000
NOTES = (
    "The first row is the unguided arm itself; the others are differences to it, paired by image,"
    " with 95 % intervals. Separation is the ratio of between-class to within-class scatter in the"
    " judge's features; precision, recall and coverage are against real test images, and their"
    " intervals hold the sets fixed. The noise-aware encoder is asked at x_t, what it was trained"
    " for; the others at x0. An interval that excludes 0 by little is no finding here: with this"
    " many arms some do by chance."
)


@dataclass(frozen=True)
class Plan:
    """What to run. count: images an arm and seed."""

    losses: tuple[str, ...] = LOSSES
    encoders: tuple[str, ...] = ENCODERS
    strengths: tuple[float, ...] = STRENGTHS
    count: int = 640
    seeds: int = 3
    real: int = REAL

    def arms(self) -> Iterator[tuple[str, dict[str, object]]]:
        """Name and settings of every arm."""
        for loss, encoder, strength in itertools.product(
            self.losses, self.encoders, self.strengths
        ):
            point = {"point": "x_t"} if encoder == "noise-aware" else {}
            yield (
                f"{loss}, {encoder}, {strength:g}",
                {"loss": loss, "encoder": encoder, "strength": strength} | point,
            )

    def config(self, seed: int, **flat: object) -> GenerateConfig:
        """The default preset with settings changed."""
        return unflatten({"count": self.count, "seed": seed} | flat)


def study(plan: Plan) -> tuple[results.Figure, ...]:
    """The unguided arm, then every guided one minus it; arms whose encoder is not here are left out
    and named on stderr."""
    dataset = dataset_of_generation(plan.config(0))
    judge = load_judge(dataset)
    if judge is None:
        raise MissingError(
            f"dataset: {dataset} has no judge to score with: train one with python -m cdp"
            " pretrain-encoder"
        )
    real = RealSide(judged(judge, real_images(dataset, "test", plan.real)[0]).features)
    plain = _pooled(plan, "unguided", PRESETS["unguided"].flat)
    figures = list(describe(plain, real))
    for name, flat in plan.arms():
        try:
            load_engine(plan.config(0, **flat))
        except MissingError as error:
            print(f"{name}: left out, {error}", file=sys.stderr)
            continue
        figures += compare(name, _pooled(plan, name, flat), plain, real)
    return tuple(figures)


def _pooled(plan: Plan, name: str, flat: dict[str, object]) -> Arm:
    """One arm over all seeds."""
    parts = []
    for seed in range(plan.seeds):
        parts.append(load_or_make(plan.config(seed, **flat)))
        print(f"{name}: seed {seed} done", file=sys.stderr)
    return Arm.joined(parts)


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line. Raises InputError for a number that is too small."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.study_guidance", description=TITLE)
    parser.add_argument("--losses", nargs="+", choices=LOSSES, default=LOSSES)
    parser.add_argument(
        "--encoders", nargs="+", default=ENCODERS, help="names of encoders (default: %(default)s)"
    )
    parser.add_argument(
        "--strengths",
        nargs="+",
        type=float,
        default=STRENGTHS,
        help="relative strengths (default: %(default)s)",
    )
    parser.add_argument(
        "--count", type=int, default=Plan.count, help="images an arm and seed (default %(default)s)"
    )
    parser.add_argument(
        "--seeds",
        type=int,
        default=Plan.seeds,
        help="how many seeds, from 0 up (default %(default)s)",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="200 images of one seed, to see that it works; the repository keeps its numbers",
    )
    found = parser.parse_args(given)
    if found.count < 20 or found.seeds < 1:
        raise InputError("--count must be 20 or more and --seeds 1 or more")
    return found


def plan_of(given: argparse.Namespace) -> Plan:
    """What the command line asks for."""
    size = (
        {"count": 200, "seeds": 1, "real": 500}
        if given.quick
        else {"count": given.count, "seeds": given.seeds}
    )
    return Plan(tuple(given.losses), tuple(given.encoders), tuple(given.strengths), **size)


def main() -> int:
    """Returns the exit code: 0 done, 2 bad input."""
    try:
        _run(arguments())
    except CdpError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _run(given: argparse.Namespace) -> None:
    plan, before = plan_of(given), load_now()
    figures = study(plan)
    loaded = load_engine(plan.config(0))
    settings = {
        "quick": given.quick,
        "config": plan.config(0).model_dump(mode="json"),
        "seeds": plan.seeds,
        "images_an_arm": plan.count * plan.seeds,
        "real_images": plan.real,
        "model_sha256": loaded.model.sha256,
    }
    where = results.folder(quick=given.quick)
    result = results.Result(
        NAME, TITLE, figures, settings, machine(), (before, load_now()), NOTES, "matrix"
    )
    results.save(result, where)
    print(
        f"{result.title}\n{tables.of_result(result)}\n{tables.stamp(result)}\n->"
        f" {where / f'{NAME}.json'}"
    )
    if not given.quick:
        documents.refresh()


if __name__ == "__main__":
    sys.exit(main())
