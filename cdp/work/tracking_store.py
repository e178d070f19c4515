"""The MLflow store that runs are mirrored into, opened so that nobody waits for it long.

mlflow takes two seconds to import and is imported by ``Address.open`` only. Its MlflowClient is
used throughout: the fluent interface is not made for threads.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self
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
    # what goes wrong is told in words here, not in tracebacks there
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "4",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
}


class Busy(CdpError):
    """Another program holds the database; it is worth asking again soon."""


@dataclass(frozen=True)
class Address:
    """Where runs are told: a server or database of the user's own, or SQLite beside the runs. Read
    off the environment once."""

    uri: str
    home: Path
    own: bool

    @classmethod
    def now(cls) -> Self:
        """As MLFLOW_TRACKING_URI and CDP_HOME say."""
        given, home = os.environ.get("MLFLOW_TRACKING_URI"), paths.home() / "mlflow"
        return cls(given or f"sqlite:///{quote(str(home / 'mlflow.db'))}", home, own=not given)

    @property
    def shown(self) -> str:
        """The URI without a password, as it may be printed and kept."""
        if self.database is not None:
            return self.uri
        parts = urlsplit(self.uri)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    @property
    def database(self) -> Path | None:
        """The file of an SQLite database; None where it is none."""
        path = self.uri.removeprefix("sqlite:///")
        return Path(unquote(path.partition("?")[0])) if path != self.uri else None

    @property
    def artifacts(self) -> str | None:
        """Where artifacts of new experiments go; None leaves it to the server."""
        remote = self.uri.startswith(("http:", "https:", "databricks", "uc:"))
        return None if remote else (self.home / "artifacts").as_uri()

    def open(self) -> Store:
        """The store, its tables made or brought up to date. Raises Busy, or whatever MLflow does
        where it cannot be reached."""
        os.environ.update(_FIXED)
        for name, value in _UNLESS_SET.items():
            os.environ.setdefault(name, value)
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
        # Imported before the lock is taken, so that nobody waits for an import.
        from mlflow import MlflowClient
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        if self.database is not None:
            with _alone(self.database):
                self._prepare(self.database, lambda: SqlAlchemyStore(self.uri, self.artifacts))
        return Store(self, MlflowClient(self.uri))

    def _prepare(self, database: Path, make_tables: Callable[[], object]) -> None:
        """Write-ahead log, then tables: once, before anybody reads or writes."""
        require_free(database)
        connection = sqlite3.connect(database, timeout=_BUSY_SECONDS)
        with contextlib.closing(connection):
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            if mode != "wal":
                connection.execute("PRAGMA journal_mode=WAL")

        from mlflow.exceptions import MlflowException

        try:
            make_tables()
        except MlflowException as error:
            if not self.own or "out-of-date database schema" not in str(error):
                raise
            from mlflow.store.db.utils import _upgrade_db, create_sqlalchemy_engine

            _upgrade_db(create_sqlalchemy_engine(self.uri))


@dataclass(frozen=True)
class Store:
    """An open store."""

    address: Address
    client: MlflowClient

    def require_free(self) -> None:
        """Raises Busy where the database is held: MLflow itself would wait for it 20 seconds at
        every call."""
        if self.address.database is not None:
            require_free(self.address.database)

    def experiment(self, kind: str) -> str:
        """The id of this kind's experiment, made where there is none."""
        from mlflow.exceptions import MlflowException

        name = EXPERIMENTS.get(kind, kind)
        found = self.client.get_experiment_by_name(name)
        if found is None:
            try:
                return self.client.create_experiment(name, artifact_location=self.address.artifacts)
            except MlflowException:  # another process was faster
                found = self.client.get_experiment_by_name(name)
                if found is None:
                    raise
        if found.lifecycle_stage == "deleted":
            raise CdpError(
                f"MLflow's experiment {name!r} was deleted: restore it in MLflow, or delete it for"
                " good with `mlflow gc`"
            )
        return found.experiment_id


def require_free(database: Path) -> None:
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


@contextlib.contextmanager
def _alone(database: Path) -> Iterator[None]:
    """One process at a time makes or changes the tables."""
    database.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(database.with_name(f".{database.name}.lock"), timeout=_PREPARE_SECONDS):
            yield
    except Timeout as error:
        raise Busy(
            f"another process makes the tables of {database}, and has not come to an end: end it"
        ) from error


def words(error: Exception, address: Address) -> str:
    """One sentence for why MLflow could not be told."""
    text = next(iter(str(error).strip().splitlines()), "")
    if isinstance(error, CdpError):
        reason = text
    elif "locked" in text and address.database is not None:
        reason = f"another program holds the tracking database {address.database}: close it"
    elif "API request" in text or "Max retries" in text:
        reason = (
            f"the server {address.shown} does not answer: start it, or correct MLFLOW_TRACKING_URI"
        )
    else:
        hidden = re.sub(r"//[^/@\s]+@", "//", text)[:300]
        reason = f"{type(error).__name__}, {hidden}: look at {address.shown}"
    return f"MLflow could not be told of the run, which goes on, and is told later ({reason})"
