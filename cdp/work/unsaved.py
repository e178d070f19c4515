"""Live generations that are over, as unsaved results in the cache: a reload, a closed tab or a
second one loses nothing. No list of sample sets has them; they go after some days, or earlier where
the cache is over its limit."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from cdp import paths
from cdp.config.generate import GenerateConfig, flatten, unflatten
from cdp.errors import CdpError
from cdp.files import cache, npy
from cdp.files.cache import UNSAVED
from cdp.files.reading import MAX_RECORD, read_bytes
from cdp.values.types import ArmReport, Frame, JudgeView, LiveResult
from cdp.work.records import LATEST
from cdp.work.ticket import State

_HEAD, _BODY = "generation.json", "images.npz"
MOST_BYTES = 4 << 30
_DAMAGED = (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError, CdpError)
_REPORTS = TypeAdapter(tuple[ArmReport, ArmReport | None, ArmReport | None])
_NUMBERS = (
    *("i", "total", "t_fraction", "loss", "ratio", "strength"),
    *("separation", "separation_unguided", "offset"),
)
"""What a frame says beside its images."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Past:
    """A generation that is over. made: unix time of its end."""

    id: str
    config: GenerateConfig
    state: State
    made: float


@dataclass(frozen=True)
class Unsaved(Past):
    """One with its images."""

    frames: tuple[Frame, ...]
    result: LiveResult


def keep(
    job_id: str, config: GenerateConfig, state: State, frames: Sequence[Frame], result: LiveResult
) -> bool:
    """Whether it could be kept: a full disk costs nothing but this."""
    reports = (result.guided_report, result.unguided_report, result.difference)
    head = {
        "config": flatten(config),
        "state": state,
        "made": time.time(),
        "reports": _REPORTS.dump_python(reports, mode="json"),
        "complete": result.complete,
        "seconds": result.seconds,
        "finished": result.finished,
    }
    arrays: dict[str, Any] = {f"result-{name}": getattr(result, name) for name in _IMAGES}
    for name in _VIEWS:
        if view := getattr(result, name):
            arrays |= {f"{name}-predicted": view.predicted, f"{name}-confidence": view.confidence}
    for number, frame in enumerate(frames):
        arrays |= {f"{number}-guided": frame.guided, f"{number}-unguided": frame.unguided}
    steps = [[getattr(frame, name) for name in _NUMBERS] for frame in frames]

    def write(folder: Path) -> None:
        (folder / _HEAD).write_text(json.dumps(head), encoding="utf-8")
        stored = {name: array for name, array in arrays.items() if array is not None}
        text = np.frombuffer(json.dumps(steps).encode(), np.uint8)
        with (folder / _BODY).open("wb") as file:
            np.savez(file, steps=text, **stored)

    try:
        cache.keep_folder(UNSAVED, job_id, write)
    except (OSError, CdpError) as error:
        logger.warning("the generation could not be kept: %s", error)
        return False
    return True


_IMAGES = ("label", "guided", "unguided")
_VIEWS = ("guided_view", "unguided_view")


def load(job_id: str) -> Unsaved | None:
    """The generation of that id; None where none is kept, or it is damaged."""
    folder = cache.load_folder(UNSAVED, job_id) if re.fullmatch("[0-9a-f]{12}", job_id) else None
    if folder is None:
        return None
    try:
        head = json.loads(read_bytes(folder / _HEAD, MAX_RECORD))
        past = _past(job_id, head)
        arrays = npy.read_arrays(folder / _BODY, MOST_BYTES)
        guided, unguided, difference = _REPORTS.validate_python(head["reports"])
        views = {
            name: JudgeView(arrays[f"{name}-predicted"], arrays[f"{name}-confidence"])
            for name in _VIEWS
            if f"{name}-predicted" in arrays
        }
        frames = tuple(
            Frame(
                **dict(zip(_NUMBERS, numbers, strict=True)),
                guided=arrays[f"{number}-guided"],
                unguided=arrays.get(f"{number}-unguided"),
            )
            for number, numbers in enumerate(json.loads(arrays["steps"].tobytes()))
        )
        result = LiveResult(
            label=arrays.get("result-label"),
            guided=arrays["result-guided"],
            unguided=arrays.get("result-unguided"),
            guided_report=guided,
            unguided_report=unguided,
            difference=difference,
            complete=head["complete"],
            seconds=head["seconds"],
            finished=head["finished"],
            **views,
        )
    except _DAMAGED as error:
        logger.warning("%s cannot be read (%s): it counts as not there", folder, error)
        return None
    return Unsaved(past.id, past.config, past.state, past.made, frames, result)


def listed() -> list[Past]:
    """Those that are kept, newest first, without a look at their images."""
    past = []
    for folder in (paths.cache_dir() / UNSAVED).glob("[0-9a-f]*"):
        try:
            head = json.loads(read_bytes(folder / _HEAD, MAX_RECORD))
            past.append(_past(folder.name, head))
        except _DAMAGED:
            continue
    return sorted(past, key=lambda entry: entry.made, reverse=True)


def _past(job_id: str, head: dict[str, Any]) -> Past:
    state: State = "done" if head["state"] == "done" else "cancelled"
    created = float(head["made"])
    if not 0 <= created < LATEST:
        raise ValueError("made is no time")
    return Past(job_id, unflatten(head["config"]), state, created)
