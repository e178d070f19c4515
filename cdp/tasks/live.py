"""A generation to watch: guided and unguided from the same noise, judged step by step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cdp.config.generate import GenerateConfig
from cdp.embedding.classes import between_within_ratio
from cdp.embedding.rows import UndefinedError
from cdp.models.encoders import Encoder
from cdp.tasks.batches import (
    batch_count,
    batch_rows,
    labels_of,
    sample_batch,
    sample_batch_pair,
    wanted_classes,
)
from cdp.tasks.judge import baseline, load_judge, verdict
from cdp.tasks.loaded import features_of, load_engine, to_uint8
from cdp.values.types import Frame, LiveResult
from cdp.work.session import Session


@dataclass
class SampledArm:
    """One arm so far: the finished batches, and the estimate of the batch under way."""

    done: list[np.ndarray]
    now: np.ndarray | None = None

    def images(self, finished: int) -> np.ndarray:
        """The finished images; where there are none, the estimates of the first batch."""
        return np.concatenate(self.done) if finished or self.now is None else self.now


def live(
    config: GenerateConfig, session: Session | None = None, *, compare: bool = True
) -> Iterator[Frame | LiveResult]:
    """Generate ``config.count`` images in memory; one Frame a step, and a LiveResult last, also
    when stopped.

    compare: also sample the unguided arm from the same noise. The session is asked to stop after
    every step. Raises InputError for a config that does not fit its model.
    """
    started = time.monotonic()
    loaded = load_engine(config)
    judge, two_arms = load_judge(loaded.dataset), compare and loaded.encoder is not None
    guided, plain = SampledArm([]), SampledArm([])
    total, finished = batch_count(config) * config.sampler.steps, 0
    for index in range(batch_count(config)):
        rows = batch_rows(config, index)
        wanted = wanted_classes(config, rows, loaded)
        steps = (
            sample_batch_pair(config, index)
            if two_arms
            else ((step, step) for step in sample_batch(config, index))
        )
        for step, control in steps:
            last = step.i == step.total
            guided.now = to_uint8(step.x if last else step.x0)
            plain.now = (
                guided.now if control is step else to_uint8(control.x if last else control.x0)
            )
            if last:
                guided.done.append(guided.now)
                plain.done.append(plain.now)
                finished = rows.stop
            nudge, apart = step.nudge, _separation(judge, guided.now, wanted)
            theirs = apart if control is step else _separation(judge, plain.now, wanted)
            yield Frame(
                i=index * step.total + step.i,
                total=total,
                t_fraction=step.t_fraction,
                guided=guided.now,
                unguided=plain.now if two_arms else None,
                loss=None if nudge is None else float(nudge.loss.mean()),
                ratio=None if nudge is None else float(nudge.ratio.mean()),
                strength=None if nudge is None else nudge.strength,
                separation=apart,
                separation_unguided=theirs if two_arms else None,
                offset=rows.start,
            )
            stopped = session is not None and session.stop_requested()
            if stopped:
                break
        if stopped:
            break
    images = guided.images(finished)
    rows = range(len(images))
    unguided = plain.images(finished) if two_arms else None
    judged = verdict(loaded.dataset, wanted_classes(config, rows, loaded), images, unguided)
    yield LiveResult(
        labels_of(config, rows, loaded),
        images,
        unguided,
        judged.guided,
        judged.unguided,
        judged.difference,
        finished == config.count,
        time.monotonic() - started,
        finished,
        judged.guided_view,
        judged.unguided_view,
    )


def warm(config: GenerateConfig) -> None:
    """Load everything a generation of this kind needs, down to the figures at its end."""
    baseline(load_engine(config).dataset)


def _separation(
    judge: Encoder | None, images: np.ndarray, wanted: np.ndarray | None
) -> float | None:
    """Between/within scatter in the judge's features; None where it is undefined."""
    if judge is None or wanted is None:
        return None
    try:
        return between_within_ratio(features_of(judge.net, images).cpu().numpy(), wanted)
    except UndefinedError:
        return None
