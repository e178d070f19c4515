"""The MLflow store that runs are mirrored into, opened so that nobody waits for it long. mlflow
takes two seconds to import and is imported when a store is first asked. Its MlflowClient is used
throughout: the fluent interface is not made for threads."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from filelock import FileLock, Timeout

from cdp import paths
from cdp.errors import CdpError

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENTS = {
    "train": "Robust training",
    "generate": "Generation",
    "pretrain": "Diffusion pretraining",
    "pretrain-encoder": "Encoder pretraining",
}
"""MLflow's experiment by kind of run."""

_BUSY_SECONDS = 2.0
_PREPARE_SECONDS = 120.0
"""Another process may be making the tables: a second where nothing else runs, many on a busy
machine."""
_FIXED = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_UNLESS_SET = {
    # what goes wrong is said in a sentence here, not in tracebacks there
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "4",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
}


class Busy(CdpError):
    """Another program holds the database; it is worth asking again soon."""


class Store:
    """A server or database of the user's own, as MLFLOW_TRACKING_URI says, or SQLite beside the
    runs. The environment is read once."""

    def __init__(self) -> None:
        given, home = os.environ.get("MLFLOW_TRACKING_URI"), paths.home() / "mlflow"
        self.uri = given or f"sqlite:///{quote(str(home / 'mlflow.db'))}"
        self._own = not given
        path = self.uri.removeprefix("sqlite:///")
        self._database = Path(unquote(path.partition("?")[0])) if path != self.uri else None
        remote = self.uri.startswith(("http:", "https:", "databricks", "uc:"))
        # Where artifacts of new experiments go; None leaves it to the server.
        self._artifacts = None if remote else (home / "artifacts").as_uri()
        self._client: MlflowClient | None = None

    @property
    def address(self) -> str:
        """The URI without a password, as it may be printed and kept."""
        if self._database is not None:
            return self.uri
        parts = urlsplit(self.uri)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    @property
    def opened(self) -> bool:
        """Whether it was ever reached."""
        return self._client is not None

    def client(self) -> MlflowClient:
        """The store's client, its tables made or brought up to date. Raises Busy where the database
        is held, as MLflow itself would wait for it 20 seconds at every call; or whatever MLflow
        does where the store cannot be reached."""
        if self._client is None:
            self._client = self._open()
        if self._database is not None:
            _require_free(self._database)
        return self._client

    def experiment(self, kind: str) -> str:
        """The id of this kind's experiment, made where there is none."""
        from mlflow.exceptions import MlflowException

        name, client = EXPERIMENTS.get(kind, kind), self.client()
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            try:
                return client.create_experiment(name, artifact_location=self._artifacts)
            except MlflowException:  # another process was faster
                experiment = client.get_experiment_by_name(name)
                if experiment is None:
                    raise
        if experiment.lifecycle_stage == "deleted":
            raise CdpError(
                f"MLflow's experiment {name!r} was deleted: restore it in MLflow, or delete it for"
                " good with `mlflow gc`"
            )
        return experiment.experiment_id

    def warning(self, error: Exception) -> str:
        """One sentence for why a run could not be mirrored."""
        text = next(iter(str(error).strip().splitlines()), "")
        if isinstance(error, CdpError):
            reason = text
        elif "locked" in text and self._database is not None:
            reason = f"another program holds the tracking database {self._database}: close it"
        elif "API request" in text or "Max retries" in text:
            remedy = "start it, or correct MLFLOW_TRACKING_URI"
            reason = f"the server {self.address} does not answer: {remedy}"
        else:
            hidden = re.sub(r"//[^/@\s]+@", "//", text)[:300]
            reason = f"{type(error).__name__}, {hidden}: look at {self.address}"
        return f"MLflow could not be told of the run, which goes on, and is told later ({reason})"

    def _open(self) -> MlflowClient:
        os.environ.update(_FIXED)
        for name, value in _UNLESS_SET.items():
            os.environ.setdefault(name, value)
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
        from mlflow import MlflowClient  # before the lock is taken: nobody waits for an import

        if self._database is not None:
            self._database.parent.mkdir(parents=True, exist_ok=True)
            lock = self._database.with_name(f".{self._database.name}.lock")
            try:
                with FileLock(lock, timeout=_PREPARE_SECONDS):
                    self._prepare(self._database)
            except Timeout as error:
                raise Busy(
                    f"another process makes the tables of {self._database}, and has not come to an"
                    " end: end it"
                ) from error
        return MlflowClient(self.uri)

    def _prepare(self, database: Path) -> None:
        """Write-ahead log, then tables: once, before anybody reads or writes."""
        from mlflow.exceptions import MlflowException
        from mlflow.store.db.utils import _upgrade_db, create_sqlalchemy_engine
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        _require_free(database)
        with contextlib.closing(sqlite3.connect(database, timeout=_BUSY_SECONDS)) as connection:
            if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                connection.execute("PRAGMA journal_mode=WAL")
        try:
            SqlAlchemyStore(self.uri, self._artifacts)
        except MlflowException as error:
            if not self._own or "out-of-date database schema" not in str(error):
                raise
            _upgrade_db(create_sqlalchemy_engine(self.uri))


def _require_free(database: Path) -> None:
    """Raises Busy where another program keeps the database from being written for two seconds."""
    database.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(database, timeout=_BUSY_SECONDS, isolation_level=None)
    with contextlib.closing(connection):
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) and "busy" not in str(error):
                raise
            raise Busy(
                f"another program holds the tracking database {database}: close it"
            ) from error
