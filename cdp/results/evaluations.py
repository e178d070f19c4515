"""What a worker wrote of an evaluation, read as hostile: report.json and outcomes.npz."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import ValidationError

from cdp.errors import InputError, MissingError
from cdp.files import npy
from cdp.files.reading import read_file
from cdp.values.evaluation import ADAPTER, PARTS, EvalReport, Outcome, Outcomes

MAX_REPORT, MAX_OUTCOMES = 16 << 20, 256 << 20


def read_report(path: Path) -> EvalReport:
    """The report in a file. Raises MissingError where there is none, InputError where it is not
    one."""
    again = "evaluate again"
    content = read_file(path, MAX_REPORT, missing=again, remedy=again)
    try:
        report = ADAPTER.validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise InputError(
            f"{path} is no evaluation report ({where}: {first['msg']}): evaluate again"
        ) from error
    if not report.weights:
        raise InputError(f"{path} is no evaluation report (weights: none): evaluate again")
    return report


def read_outcomes(path: Path) -> Outcomes:
    """What became of every image. Raises MissingError or InputError; nothing is unpickled."""
    try:
        arrays = npy.read_arrays(path, MAX_OUTCOMES)
    except FileNotFoundError as error:
        raise MissingError(f"{path} does not exist: evaluate again") from error
    except InputError as error:
        raise InputError(f"{error}: evaluate again") from error
    names = [name.removesuffix("_broken_by") for name in arrays if name.endswith("_broken_by")]
    try:
        of = {which: [arrays[f"{which}_{part}"] for part in PARTS] for which in names}
        rows, label = arrays["rows"], arrays["label"]
    except KeyError as error:
        raise InputError(f"{path} lacks {error}: evaluate again") from error
    every = [rows, label, *(array for parts in of.values() for array in parts)]
    if not of or any(array.dtype != np.int64 or array.shape != (len(rows),) for array in every):
        raise InputError(f"{path} holds arrays of other shapes than outcomes have: evaluate again")
    return Outcomes(rows, label, {which: Outcome(*parts) for which, parts in of.items()})
