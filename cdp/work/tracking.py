"""Runs mirrored into MLflow from their journals, by a thread of its own: it never stops or slows a
run.

What could not be told, because a database was locked, a server was down or the process was killed,
is told by the next worker that starts: nothing is lost, since the journal has it all.
"""

from __future__ import annotations

import logging
import os
import platform
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from cdp import paths
from cdp.files.atomic import read_json
from cdp.work.records import Run, get_run
from cdp.work.tracking_mirror import HOME_TAG, HOST_TAG, MIRROR, RUN_TAG, Ending, Mirror, Unwanted
from cdp.work.tracking_store import EXPERIMENTS, Address, Busy, Store, words

FINISH_SECONDS = 8.0
"""The longest that ``Tracker.finish`` takes."""

_AGAIN_SECONDS = 0.5
_MAKE_UP_SECONDS = 20.0
_LAST_SECONDS = 2.0
"""At most this long a run that ends makes up for others."""

_CAUSE_CHARACTERS = 150
"""Of two warnings that begin alike, one is enough; further on there are numbers that change."""

logger = logging.getLogger(__name__)


class Tracker:
    """Tells MLflow of one run while its worker works. Every method returns at once, but ``finish``,
    which waits a little."""

    def __init__(self, run: Run) -> None:
        """run: its folder and id are looked at; journal and settings are read in the thread."""
        self._folder = run.folder
        self._teller = Teller(Address.now(), own=run.folder)
        self._wake = threading.Event()
        self._told = threading.Event()
        self._ending: Ending | None = None
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
        """The run ended; waits until that is told, 8 seconds at most. The next worker tells what
        then is not."""
        if not self._thread.is_alive():
            return
        self._ending = Ending(state, error, result, time.time())
        self._wake.set()
        self._told.wait(FINISH_SECONDS)

    def _serve(self) -> None:
        try:
            mirror = Mirror(self._folder)
            self._teller.attempt(lambda: mirror.announce(self._teller.address.shown))
            self._follow(mirror)
        except Exception:
            logger.exception("MLflow is told no more of this run, which goes on")
        finally:
            self._told.set()

    def _follow(self, mirror: Mirror) -> None:
        made_up = False
        while self._ending is None:
            self._wake.wait()
            self._wake.clear()
            told = self._ending is None and self._teller.tell(mirror, None)
            if told and not made_up:
                made_up = self._teller.make_up(_MAKE_UP_SECONDS, self._wake.is_set)
        end = time.monotonic() + FINISH_SECONDS - 2
        while not self._teller.tell(mirror, self._ending):
            if not self._teller.busy or time.monotonic() > end:
                return
            time.sleep(_AGAIN_SECONDS)
        if not made_up:
            self._teller.make_up(_LAST_SECONDS, lambda: False)


def reconcile(seconds: float = _MAKE_UP_SECONDS) -> None:
    """Bring MLflow in line with the runs here that are over and were not told to the end; takes
    about ``seconds`` at most.

    A Tracker does it in its thread once its own run is told.
    """
    Teller(Address.now()).make_up(seconds, lambda: False)


class Teller:
    """Opens the store when it is first needed, and turns whatever goes wrong into one warning per
    cause."""

    def __init__(self, address: Address, own: Path | None = None) -> None:
        """own: the folder of the run that this process works on, which tells of its end itself."""
        self.address = address
        self.busy = False
        self._own = own
        self._runs = paths.runs_dir()
        self._store: Store | None = None
        self._warned: set[str] = set()

    def attempt(self, action: Callable[[], None]) -> bool:
        """Whether the action succeeded; busy: whether it failed only because somebody else was at
        it."""
        self.busy = False
        try:
            action()
            return True
        except Exception as error:
            self.busy = isinstance(error, Busy)
            said = words(error, self.address)
            if said[:_CAUSE_CHARACTERS] not in self._warned:
                self._warned.add(said[:_CAUSE_CHARACTERS])
                logger.warning("%s", said)
            logger.debug("MLflow could not be told", exc_info=True)
        return False

    def tell(self, mirror: Mirror, ending: Ending | None) -> bool:
        """Bring a run up to date, and say how it ended where it has. False where that failed; it
        was said why."""
        return self.attempt(lambda: self._tell(mirror, ending))

    def make_up(self, seconds: float, should_stop: Callable[[], bool]) -> bool:
        """Tell of the runs that are over and were not told to the end, then close those that were
        deleted here.

        Whether it got through; it looks at ``should_stop`` and the time between two runs.
        """
        end = time.monotonic() + seconds
        for folder in _untold(self._runs):
            if folder == self._own:
                continue
            self.attempt(partial(self._make_up_for, folder))
            if should_stop() or time.monotonic() > end:
                return False
        if self._store is not None:
            self.attempt(self._close_deleted)
        return True

    def _open(self) -> Store:
        if self._store is None:
            self._store = self.address.open()
        self._store.require_free()
        return self._store

    def _tell(self, mirror: Mirror, ending: Ending | None) -> None:
        store = self._open()
        with mirror.alone():
            mirror.begin(store, running=ending is None)
            mirror.log(store)
            if ending is not None:
                mirror.end(store, ending)

    def _make_up_for(self, folder: Path) -> None:
        """Also where the run was never found in MLflow: it is made there then."""
        if not get_run(folder.name).over:
            return
        store, mirror = self._open(), Mirror(folder)
        with mirror.alone():
            run = get_run(folder.name)  # it may have been resumed, and told to the end, meanwhile
            if not run.over or (read_json(folder / MIRROR) or {}).get("complete") is True:
                return
            try:
                mirror.begin(store, running=False)
            except Unwanted:
                mirror.keep(self.address.shown, complete=True)
                return
            mirror.log(store)
            mirror.end(store, _ending(run))

    def _close_deleted(self) -> None:
        """Runs of this home that MLflow believes running, though their folder is gone."""
        store = self._open()
        found = [store.client.get_experiment_by_name(name) for name in EXPERIMENTS.values()]
        ids = [experiment.experiment_id for experiment in found if experiment is not None]
        for run in store.client.search_runs(ids, "attributes.status = 'RUNNING'") if ids else ():
            tags = run.data.tags
            here = (tags.get(HOST_TAG), tags.get(HOME_TAG)) == (
                platform.node(),
                str(self._runs.parent),
            )
            if here and RUN_TAG in tags and not (self._runs / tags[RUN_TAG]).is_dir():
                store.client.set_terminated(run.info.run_id, "KILLED")


def _untold(runs: Path) -> list[Path]:
    """Folders of runs that a tracker began to tell of, and that were not told to the end; oldest
    first."""
    try:
        folders = sorted(
            Path(entry.path)
            for entry in os.scandir(runs)
            if entry.is_dir() and not entry.name.startswith(".")
        )
    except FileNotFoundError:
        return []
    return [
        folder
        for folder in folders
        if (read_json(folder / MIRROR) or {"complete": True}).get("complete") is not True
    ]


def _ending(run: Run) -> Ending:
    """How a run ended that did not tell itself: what its status file says, for an interrupted one
    when it was last alive."""
    status = read_json(run.folder / "status.json") or {}
    when = next(
        (status[key] for key in ("ended", "updated") if isinstance(status.get(key), int | float)),
        time.time(),
    )
    result = status.get("result")
    return Ending(run.state, run.error, result if isinstance(result, dict) else None, when)
