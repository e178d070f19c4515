"""An evaluation on disk: report.json and outcomes.npz, written by a worker and read as hostile.
Needs no torch."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from cdp.errors import InputError, MissingError
from cdp.values.evaluation import EvalReport, Outcome, Outcomes

REPORT, OUTCOMES = "report.json", "outcomes.npz"
MAX_REPORT, MAX_OUTCOMES = 16 << 20, 256 << 20

_STRICT = with_config(ConfigDict(allow_inf_nan=False))
_ADAPTER: TypeAdapter[EvalReport] = TypeAdapter(_STRICT(EvalReport))


def report_json(report: EvalReport) -> dict[str, Any]:
    """JSON-ready; the inverse of ``report_from``."""
    found: dict[str, Any] = _ADAPTER.dump_python(report, mode="json")
    return found


def read_report(path: Path) -> EvalReport:
    """The report in a file. Raises MissingError where there is none, InputError where it is not
    one."""
    try:
        if path.stat().st_size > MAX_REPORT:
            raise InputError(
                f"{path} is larger than {MAX_REPORT >> 20} MiB, too large for a report: evaluate"
                " again"
            )
        content = path.read_bytes()
    except OSError as error:
        raise MissingError(f"{path} cannot be read ({error.strerror}): evaluate again") from error
    try:
        report = _ADAPTER.validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise InputError(
            f"{path} is no evaluation report ({where}: {first['msg']}): evaluate again"
        ) from error
    if not report.weights:
        raise InputError(f"{path} is no evaluation report (weights: none): evaluate again")
    return report


def outcomes_bytes(outcomes: Outcomes) -> bytes:
    """outcomes.npz as bytes."""
    arrays = {"rows": outcomes.rows, "label": outcomes.label}
    for which, one in outcomes.of.items():
        arrays |= {
            f"{which}_clean": one.clean,
            f"{which}_attacked": one.attacked,
            f"{which}_broken_by": one.broken_by,
        }
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        allow_pickle=False,
        **{name: value.astype(np.int64) for name, value in arrays.items()},
    )
    return buffer.getvalue()


def read_outcomes(path: Path) -> Outcomes:
    """What became of every image. Raises MissingError or InputError; nothing is unpickled."""
    try:
        if path.stat().st_size > MAX_OUTCOMES:
            raise InputError(f"{path} is larger than {MAX_OUTCOMES >> 20} MiB: evaluate again")
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except OSError as error:
        raise MissingError(f"{path} cannot be read: evaluate again") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is damaged ({str(error)[:80]}): evaluate again") from error
    try:
        names = [name.removesuffix("_broken_by") for name in arrays if name.endswith("_broken_by")]
        found = {
            which: Outcome(
                *(arrays[f"{which}_{part}"] for part in ("clean", "attacked", "broken_by"))
            )
            for which in names
        }
        rows, label = arrays["rows"], arrays["label"]
    except KeyError as error:
        raise InputError(f"{path} lacks {error}: evaluate again") from error
    parts = [
        rows,
        label,
        *(part for one in found.values() for part in (one.clean, one.attacked, one.broken_by)),
    ]
    if not found or any(part.dtype != np.int64 or part.shape != (len(rows),) for part in parts):
        raise InputError(f"{path} holds arrays of other shapes than outcomes have: evaluate again")
    return Outcomes(rows, label, found)
