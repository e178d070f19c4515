"""What one run is in MLflow: found or made there, its points logged once, its end told.

mlflow.json in the run's folder keeps {"store", "run": MLflow's id, "step": last one logged,
"complete": whether everything was told}. It only saves a search: what was logged already, the store
itself is asked.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import platform
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from cdp import __version__
from cdp.errors import CdpError
from cdp.files.atomic import read_json, write_json
from cdp.work.journal import JOURNAL, Follower, Point
from cdp.work.tracking_store import Busy, Store

if TYPE_CHECKING:
    import mlflow.entities

MIRROR = "mlflow.json"
RUN_TAG, HOST_TAG, HOME_TAG = "cdp.run", "cdp.host", "cdp.home"
STATUS = {"finished": "FINISHED", "failed": "FAILED", "stopped": "KILLED", "interrupted": "KILLED"}
"""MLflow's word for how a run ended."""

_BATCH = 1000
_BATCH_PARAMS = 100
_PARAM_CHARACTERS = 6000
_KEY_CHARACTERS = 250
_TAG_CHARACTERS = 5000
"""MLflow's limits; of a tag's value some servers take no more than this."""
_SMALL_BYTES = 1_000_000
_LOCK_SECONDS = 3.0


class Unwanted(CdpError):
    """The run was deleted in MLflow; it is not told there again."""


@dataclass(frozen=True)
class Ending:
    """How a run ended. time: unix seconds; error: one sentence; result: its final record."""

    state: str
    error: str | None
    result: dict[str, Any] | None
    time: float


class Mirror:
    """One run's folder and what MLflow knows of it. Used by one thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._record = read_json(folder / "config.json") or {}
        self._follower = Follower(folder / JOURNAL)
        self._id: str | None = None
        self._step: int | None = None

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """One process tells of a run at a time: its worker, or another that makes up for it. Raises
        Busy."""
        try:
            with FileLock(self._folder / ".mlflow.lock", timeout=_LOCK_SECONDS):
                yield
        except Timeout as error:
            raise Busy(f"another process tells MLflow of {self._folder}: wait for it") from error

    def keep(self, store: str, *, complete: bool) -> None:
        """Write mlflow.json."""
        write_json(
            self._folder / MIRROR,
            {"store": store, "run": self._id, "step": self._step, "complete": complete},
        )

    def announce(self, store: str) -> None:
        """Before anything is told: that something is to be, should this process not live to do it.
        An id stays."""
        kept = read_json(self._folder / MIRROR) or {}
        same = kept.get("store") == store
        told = (
            {"run": kept.get("run"), "step": kept.get("step")}
            if same
            else {"run": None, "step": None}
        )
        write_json(self._folder / MIRROR, {"store": store, **told, "complete": False})

    def begin(self, store: Store, *, running: bool) -> None:
        """Find the run in the store or make it, with its settings. running: say that it goes on.
        Repeating it costs nothing."""
        if self._id is not None:
            return
        experiment = store.experiment(str(self._record.get("kind", "generate")))
        run = self._find(store, experiment) or self._make(store, experiment)
        if run.info.lifecycle_stage == "deleted":
            raise Unwanted(
                f"{self._folder.name} was deleted in MLflow and is told of no more: restore it"
                " there to go on"
            )
        self._tell_settings(store, run)
        if running:
            store.client.set_tag(run.info.run_id, "cdp.state", "running")
            if run.info.status != "RUNNING":
                store.client.update_run(run.info.run_id, status="RUNNING")
        self._step = max((metric.step for metric in run.data.to_proto().metrics), default=None)
        self._id = run.info.run_id
        self.keep(store.address.shown, complete=False)

    def log(self, store: Store) -> None:
        """Log the journal's points after the last step that is logged; points made again after a
        resume are equal."""
        from mlflow.entities import Metric

        self._follower.update()
        new = [
            point
            for point in self._follower.points
            if self._step is None or point.step > self._step
        ]
        for points in _batches(new):
            metrics = [
                Metric(_key(name), value, int(1000 * p.time), p.step)
                for p in points
                for name, value in p.values.items()
            ]
            for i in range(0, len(metrics), _BATCH):
                store.client.log_batch(self._run, metrics=metrics[i : i + _BATCH])
            self._step = points[-1].step
        if new:
            self.keep(store.address.shown, complete=False)

    def end(self, store: Store, ending: Ending) -> None:
        """Tell how it ended, and leave the small files there. Raises where any of it could not be
        told."""
        client = store.client
        client.set_tag(self._run, "cdp.state", ending.state)
        client.set_tag(self._run, "cdp.error", (ending.error or "")[:_TAG_CHARACTERS])
        client.set_terminated(
            self._run, STATUS.get(ending.state, "KILLED"), end_time=int(1000 * ending.time)
        )
        client.log_artifact(self._run, str(self._folder / "config.json"))
        client.log_text(self._run, _table(self._follower.points), "metrics.csv")
        about = {
            "run": self._folder.name,
            "kind": self._record.get("kind"),
            "name": self._record.get("name"),
        }
        record = about | {"state": ending.state, "error": ending.error} | (ending.result or {})
        client.log_text(self._run, json.dumps(record, indent=1), "summary.json")
        examples = self._folder / "examples.npz"
        if examples.is_file() and examples.stat().st_size < _SMALL_BYTES:
            client.log_artifact(self._run, str(examples))
        self.keep(store.address.shown, complete=True)

    @property
    def _run(self) -> str:
        if self._id is None:
            raise CdpError(f"{self._folder.name} is not known to MLflow yet: begin it before")
        return self._id

    def _find(self, store: Store, experiment: str) -> mlflow.entities.Run | None:
        """By the id that was kept, else by the tag: the process may have been killed between making
        the run and keeping its id."""
        from mlflow.exceptions import MlflowException

        kept = read_json(self._folder / MIRROR) or {}
        if kept.get("store") == store.address.shown and isinstance(kept.get("run"), str):
            try:
                return store.client.get_run(kept["run"])
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
        found = store.client.search_runs(
            [experiment], f"tags.`{RUN_TAG}` = '{self._folder.name}'", max_results=1
        )
        return found[0] if found else None

    def _make(self, store: Store, experiment: str) -> mlflow.entities.Run:
        created = self._record.get("created")
        start = int(1000 * (created if isinstance(created, int | float) else time.time()))
        return store.client.create_run(
            experiment,
            start,
            {RUN_TAG: self._folder.name},
            str(self._record.get("name", self._folder.name)),
        )

    def _tell_settings(self, store: Store, run: mlflow.entities.Run) -> None:
        """Params and tags, as far as they are not there; MLflow lets no param change."""
        from mlflow.entities import Param, RunTag

        config = self._record.get("config")
        config = config if isinstance(config, dict) else {}
        params = [
            Param(key, value)
            for key, value in params_of(config).items()
            if key not in run.data.params
        ]
        tags = {
            RUN_TAG: self._folder.name,
            "cdp.kind": self._record.get("kind", "generate"),
            "cdp.name": self._record.get("name", self._folder.name),
            "cdp.version": __version__,
            "cdp.dataset": config.get("dataset", ""),
            HOST_TAG: platform.node(),
            HOME_TAG: self._folder.parent.parent,
        }
        for i in range(0, max(1, len(params)), _BATCH_PARAMS):
            new = [RunTag(key, str(value)[:_TAG_CHARACTERS]) for key, value in tags.items()]
            store.client.log_batch(run.info.run_id, params=params[i : i + _BATCH_PARAMS], tags=new)


def params_of(config: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Settings as MLflow's params: groups joined by dots, lists as JSON, all cut to what MLflow
    takes."""
    params: dict[str, str] = {}
    for name, value in config.items():
        if isinstance(value, dict):
            params |= params_of(value, f"{prefix}{name}.")
        else:
            text = json.dumps(value) if isinstance(value, list | tuple) else str(value)
            params[_key(f"{prefix}{name}")] = text[:_PARAM_CHARACTERS]
    return params


def _key(name: str) -> str:
    """A name with the characters that MLflow allows in one."""
    return re.sub(r"[^\w\-. :/]", "_", name)[:_KEY_CHARACTERS]


def _batches(points: Sequence[Point]) -> Iterator[list[Point]]:
    """Whole points, as many together as fit one call."""
    batch: list[Point] = []
    size = 0
    for point in points:
        if batch and size + len(point.values) > _BATCH:
            yield batch
            batch, size = [], 0
        batch.append(point)
        size += len(point.values)
    if batch:
        yield batch


def _table(points: Sequence[Point]) -> str:
    """CSV: step, time and a column for every name, in the order they came."""
    names = list(dict.fromkeys(name for point in points for name in point.values))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["step", "time", *names])
    writer.writerows(
        [point.step, point.time, *(point.values.get(name, "") for name in names)]
        for point in points
    )
    return text.getvalue()
