"""An MLflow store for the tests that want one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cdp.work.tracking_store import Store


@pytest.fixture(scope="session")
def mirror_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store. To make its tables takes seconds on a busy machine, so most tests start from
    a copy."""
    home = tmp_path_factory.mktemp("mirror")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("CDP_HOME", str(home))
        Store().client()
    return home / "mlflow" / "mlflow.db"


@pytest.fixture
def mirror_home(cdp_home: Path, mirror_tables: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """CDP_HOME with an empty store, and no other store set."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (cdp_home / "mlflow").mkdir(parents=True)
    with (
        closing(sqlite3.connect(mirror_tables)) as source,
        closing(sqlite3.connect(cdp_home / "mlflow" / "mlflow.db")) as target,
    ):
        source.backup(target)
    return cdp_home
