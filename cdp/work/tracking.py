"""Runs mirrored into MLflow from their journals, by a thread of its own: it never stops or slows a
run.

What could not be sent, because a database was locked, a server was down or the process was killed,
is sent by the next worker that starts: nothing is lost, since the journal has it all. MLflow's own
asynchronous logging keeps what waits in memory, and drops what a store refused.

mlflow.json in the run's folder has {"store", "run": MLflow's id, "step": last one logged,
"complete": whether everything was sent}. What was logged already, the store itself is asked.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import logging
import platform
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from cdp import __version__, paths
from cdp.errors import CdpError
from cdp.files.atomic import write_json
from cdp.files.reading import read_json
from cdp.paths import shareable
from cdp.work.journal import JOURNAL, Follower, Point
from cdp.work.records import CONFIG, Run, get_run, run_folders
from cdp.work.tracking_store import EXPERIMENTS, Busy, Store

if TYPE_CHECKING:
    import mlflow.entities

FINISH_SECONDS = 8.0
"""The longest that ``Tracker.finish`` takes."""
MIRROR = "mlflow.json"
RUN_TAG, ORIGIN_TAG = "cdp.run", "cdp.origin"
MLFLOW_STATUS = {"finished": "FINISHED", "failed": "FAILED"}
"""MLflow's word for how a run ended; KILLED for any other end."""

_AGAIN_SECONDS = 0.5
_CATCH_UP_SECONDS = 20.0
_LAST_SECONDS = 2.0
"""At most this long a run that ends catches up for others."""
_LOCK_SECONDS = 3.0
_CAUSE_CHARACTERS = 150
"""Of two warnings that begin alike, one is enough; further on there are numbers that change."""
_BATCH, _BATCH_PARAMS = 1000, 100
_PARAM_CHARACTERS, _KEY_CHARACTERS, _TAG_CHARACTERS = 6000, 250, 5000
"""MLflow's limits; of a tag's value some servers take no more than this."""
_SMALL_BYTES = 1_000_000

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunEnding:
    """How a run ended. time: unix seconds; error: one sentence; result: its final record."""

    state: str
    error: str | None
    result: dict[str, Any] | None
    time: float


class Unwanted(CdpError):
    """The run was deleted in MLflow; it is not mirrored there again."""


class Tracker:
    """Mirrors one run while its worker works. Every method returns at once, but ``finish``, which
    waits a little."""

    def __init__(self, run: Run) -> None:
        """run: its folder and id are looked at; journal and settings are read in the thread."""
        self._folder = run.folder
        self._sender = Sender(own=run.folder)
        self._wake = threading.Event()
        self._sent = threading.Event()
        self._ending: RunEnding | None = None
        self._thread = threading.Thread(target=self._serve, name="tracking", daemon=True)

    def start(self) -> None:
        """The run is about to work: make it, or go on with it, in MLflow."""
        self._wake.set()
        self._thread.start()

    def sync(self) -> None:
        """There are new points in the journal."""
        self._wake.set()

    def finish(
        self, state: str, error: str | None = None, result: dict[str, Any] | None = None
    ) -> None:
        """The run ended; waits until that is sent, 8 seconds at most. The next worker sends what
        then is not."""
        if not self._thread.is_alive():
            return
        self._ending = RunEnding(state, error, result, time.time())
        self._wake.set()
        self._sent.wait(FINISH_SECONDS)

    def _serve(self) -> None:
        try:
            mirror = Mirror(self._folder, self._sender.store)
            # Before anything is sent: that something is to be, should this process not live to.
            self._sender.attempt(mirror.keep)
            self._follow(mirror)
        except Exception:
            logger.exception("MLflow is told no more of this run, which goes on")
        finally:
            self._sent.set()

    def _follow(self, mirror: Mirror) -> None:
        caught_up = False
        while self._ending is None:
            self._wake.wait()
            self._wake.clear()
            sent = self._ending is None and self._sender.attempt(mirror.send)
            if sent and not caught_up:
                caught_up = self._sender.catch_up(_CATCH_UP_SECONDS, self._wake.is_set)
        end = time.monotonic() + FINISH_SECONDS - 2
        while not self._sender.attempt(partial(mirror.send, self._ending)):
            if not self._sender.busy or time.monotonic() > end:
                return
            time.sleep(_AGAIN_SECONDS)
        if not caught_up:
            self._sender.catch_up(_LAST_SECONDS, lambda: False)


class Sender:
    """Turns whatever goes wrong into one warning per cause, and catches up with what was never
    sent."""

    def __init__(self, own: Path | None = None) -> None:
        """own: the folder of the run that this process works on, which sends its end itself."""
        self.store = Store()
        self.busy = False
        self._own = own
        self._runs = paths.runs_dir()
        self._warned: set[str] = set()

    def attempt(self, action: Callable[[], None]) -> bool:
        """Whether the action succeeded; busy: whether it failed only because somebody else was at
        it."""
        self.busy = False
        try:
            action()
        except Exception as error:
            self.busy = isinstance(error, Busy)
            warning = self.store.warning(error)
            if warning[:_CAUSE_CHARACTERS] not in self._warned:
                self._warned.add(warning[:_CAUSE_CHARACTERS])
                logger.warning("%s", warning)
            logger.debug("MLflow could not be told", exc_info=True)
            return False
        return True

    def catch_up(self, seconds: float, should_stop: Callable[[], bool]) -> bool:
        """Send the runs that are over and were not sent to the end, then close those that were
        deleted here. Whether it got through; it looks at ``should_stop`` and the time between two
        runs."""
        end = time.monotonic() + seconds
        for folder in _unsent():
            if folder == self._own:
                continue
            self.attempt(partial(self._send_whole, folder))
            if should_stop() or time.monotonic() > end:
                return False
        if self.store.opened:
            self.attempt(self._close_deleted)
        return True

    def _send_whole(self, folder: Path) -> None:
        """Also where the run was never in MLflow: it is made there then."""
        if get_run(folder.name).over:
            mirror = Mirror(folder, self.store)
            self.store.client()
            with mirror.alone():
                run = get_run(folder.name)  # it may have been resumed, and sent, meanwhile
                if run.over and (read_json(folder / MIRROR) or {}).get("complete") is not True:
                    try:
                        mirror.send_alone(_ending(run))
                    except Unwanted:
                        mirror.keep(complete=True)

    def _close_deleted(self) -> None:
        """Runs of this home that MLflow believes running, though their folder is gone."""
        client, here = self.store.client(), origin_of(self._runs.parent)
        experiments = [client.get_experiment_by_name(name) for name in EXPERIMENTS.values()]
        ids = [each.experiment_id for each in experiments if each is not None]
        for run in client.search_runs(ids, "attributes.status = 'RUNNING'") if ids else ():
            tags = run.data.tags
            ours = RUN_TAG in tags and tags.get(ORIGIN_TAG) == here
            if ours and not (self._runs / tags[RUN_TAG]).is_dir():
                client.set_terminated(run.info.run_id, "KILLED")


def origin_of(home: Path) -> str:
    """What tells this workspace of this machine from others, and says neither's name to whoever
    reads the server."""
    return hashlib.blake2b(f"{platform.node()} {home}".encode(), digest_size=8).hexdigest()


def _unsent() -> list[Path]:
    """Folders of runs that a tracker began to send, and that were not sent to the end; oldest
    first."""
    mirrors = {folder: read_json(folder / MIRROR) for folder in run_folders()}
    return [folder for folder, known in mirrors.items() if known and not known.get("complete")]


def _ending(run: Run) -> RunEnding:
    """How a run ended that did not send it itself, an interrupted one when it was last alive."""
    return RunEnding(run.state, run.error, run.result, run.ended or time.time())


class Mirror:
    """What one run is in MLflow: found or made there, its points logged once, its end said. Used by
    one thread."""

    def __init__(self, folder: Path, store: Store) -> None:
        self._folder, self._store = folder, store
        self._record = read_json(folder / CONFIG) or {}
        self._follower = Follower(folder / JOURNAL)
        self._id: str | None = None
        self._step: int | None = None

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """One process sends a run at a time: its worker, or another that catches up for it. Raises
        Busy."""
        try:
            with FileLock(self._folder / ".mlflow.lock", timeout=_LOCK_SECONDS):
                yield
        except Timeout as error:
            raise Busy(f"another process tells MLflow of {self._folder}: wait for it") from error

    def send(self, ending: RunEnding | None = None) -> None:
        """Bring MLflow up to date, and say how the run ended where it has."""
        self._store.client()  # opened before the lock is taken, as that takes seconds
        with self.alone():
            self.send_alone(ending)

    def send_alone(self, ending: RunEnding | None) -> None:
        """The same for a process that is ``alone`` already."""
        client = self._store.client()
        run_id = self._id = self._id or self._begin(client, running=ending is None)
        self._log(client, run_id)
        if ending is not None:
            self._end(client, run_id, ending)

    def keep(self, *, complete: bool = False) -> None:
        """Write mlflow.json."""
        known = {"store": self._store.address, "run": self._id, "step": self._step}
        write_json(self._folder / MIRROR, {**known, "complete": complete})

    def _begin(self, client: mlflow.MlflowClient, *, running: bool) -> str:
        """Find the run by its tag or make it, with its settings. running: say that it goes on."""
        from mlflow.entities import Param, RunTag, ViewType

        name = str(self._record.get("name", self._folder.name))
        kind = str(self._record.get("kind", "generate"))
        experiment, tag = self._store.experiment(kind), f"tags.`{RUN_TAG}` = '{self._folder.name}'"
        runs = client.search_runs([experiment], tag, ViewType.ALL, max_results=1)
        created = self._record.get("created")
        start = int(1000 * (created if isinstance(created, int | float) else time.time()))
        run = runs[0] if runs else None
        if run is None:
            run = client.create_run(experiment, start, {RUN_TAG: self._folder.name}, name)
        run_id = run.info.run_id
        if run.info.lifecycle_stage == "deleted":
            raise Unwanted(
                f"{self._folder.name} was deleted in MLflow and is told of no more: restore it"
                " there to go on"
            )
        config = self._record.get("config")
        config = config if isinstance(config, dict) else {}
        tags = {
            "cdp.kind": kind,
            "cdp.name": name,
            "cdp.version": __version__,
            "cdp.dataset": config.get("dataset", ""),
            ORIGIN_TAG: origin_of(self._folder.parent.parent),
        } | ({"cdp.state": "running"} if running else {})
        new = [RunTag(key, shareable(str(value))[:_TAG_CHARACTERS]) for key, value in tags.items()]
        client.log_batch(run_id, tags=new)
        # MLflow lets no param change.
        known = run.data.params
        missing = [
            Param(*each) for each in params_of(shareable(config)).items() if each[0] not in known
        ]
        for i in range(0, len(missing), _BATCH_PARAMS):
            client.log_batch(run_id, params=missing[i : i + _BATCH_PARAMS])
        if running and run.info.status != "RUNNING":
            client.update_run(run_id, status="RUNNING")
        self._step = max((metric.step for metric in run.data.to_proto().metrics), default=None)
        self._id = run_id
        self.keep()
        return run_id

    def _log(self, client: mlflow.MlflowClient, run_id: str) -> None:
        """Log the journal's points after the last step that is logged, whole points together;
        points made again after a resume are equal."""
        from mlflow.entities import Metric

        self._follower.update()
        logged = -1 if self._step is None else self._step
        new = [point for point in self._follower.points if point.step > logged]
        batch: list[mlflow.entities.Metric] = []
        for k, point in enumerate(new):
            when = int(1000 * point.time)
            batch += [Metric(_key(n), value, when, point.step) for n, value in point.values.items()]
            if k + 1 == len(new) or len(batch) + len(new[k + 1].values) > _BATCH:
                for i in range(0, len(batch), _BATCH):
                    client.log_batch(run_id, metrics=batch[i : i + _BATCH])
                batch, self._step = [], point.step
        if new:
            self.keep()

    def _end(self, client: mlflow.MlflowClient, run_id: str, ending: RunEnding) -> None:
        """Say how it ended, and leave the small files there. Raises where any of it could not be
        sent."""
        client.set_tag(run_id, "cdp.state", ending.state)
        client.set_tag(run_id, "cdp.error", shareable(ending.error or "")[:_TAG_CHARACTERS])
        status = MLFLOW_STATUS.get(ending.state, "KILLED")
        client.set_terminated(run_id, status, end_time=int(1000 * ending.time))
        client.log_text(run_id, json.dumps(shareable(self._record), indent=1), CONFIG)
        client.log_text(run_id, _table(self._follower.points), "metrics.csv")
        about: dict[str, Any] = {"run": self._folder.name}
        about |= {name: self._record.get(name) for name in ("kind", "name")}
        about |= {"state": ending.state, "error": ending.error}
        summary = shareable(about | (ending.result or {}))
        client.log_text(run_id, json.dumps(summary, indent=1), "summary.json")
        examples = self._folder / "examples.npz"
        if examples.is_file() and examples.stat().st_size < _SMALL_BYTES:
            client.log_artifact(run_id, str(examples))
        self.keep(complete=True)


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


def _table(points: Sequence[Point]) -> str:
    """CSV: step, time and a column for every name, in the order they came."""
    names = dict.fromkeys(name for point in points for name in point.values)
    text = io.StringIO()
    writer = csv.DictWriter(text, ["step", "time", *names], lineterminator="\n")
    writer.writeheader()
    writer.writerows({**point.values, "step": point.step, "time": point.time} for point in points)
    return text.getvalue()
