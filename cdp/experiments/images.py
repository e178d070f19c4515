"""Whether there are as many images as an experiment asks for: said before it starts, by the page and
the command line, rather than by its trainings and evaluations."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from cdp.config.experiment import ExperimentConfig
from cdp.data.registry import split_labels
from cdp.data.sets import open_set
from cdp.data.training import hold_out
from cdp.errors import CdpError, InputError

if TYPE_CHECKING:
    from cdp.experiments.plan import Cell


def require_images(experiment: ExperimentConfig, planned: Iterable[Cell]) -> None:
    """Raises InputError that names the field, how many there are, and what to write. planned: cells
    of every arm; those of one seed are enough. Opens the labels of the data set."""
    held = cache(lambda wanted: _held_out(experiment.dataset, wanted))
    for cell in planned if experiment.stage != "samples" else ():
        asked = cell.training("a-set" if cell.synthetic else "")
        rows, validation = held(asked.held_out)
        real = asked.real
        beside = f"besides {validation:,} for validation"
        if real is not None and real > rows:
            raise InputError(
                f"real: {real:,} real images are asked for, but {experiment.dataset} has {rows:,}"
                f" here {beside}: write {rows:,} or fewer"
            )
        more, left = asked.further_real, rows - (real or 0)
        if more > left:
            remedy = f"write {left:,} or fewer, or lower real" if left else "lower real"
            raise InputError(
                f"arms: more_real of {cell.arm!r} asks for {more:,} further real images, but"
                f" {experiment.dataset} has {left:,} left here besides the {real or 0:,} real ones"
                f" and {validation:,} for validation: {remedy}"
            )
    if experiment.stage == "evaluate":
        _require_tested(experiment)


def _held_out(dataset: str, wanted: int) -> tuple[int, int]:
    """How many training images there are, and how many of validation."""
    rows, validation = hold_out(np.asarray(split_labels(dataset, "train"), np.int64), wanted)
    return len(rows), len(validation)


def _require_tested(experiment: ExperimentConfig) -> None:
    part, count = experiment.evaluate.get("part"), experiment.evaluate.get("count")
    name = str(part or experiment.dataset)
    try:
        here = len(open_set(name)) if part else len(split_labels(name, "test"))
    except CdpError as error:
        raise type(error)(f"evaluate.part: {error}" if part else str(error)) from error
    if isinstance(count, int) and count > here:
        raise InputError(
            f"evaluate.count: {count:,} test images are asked for, but {name} has {here:,} here:"
            f" write {here:,} or fewer"
        )
