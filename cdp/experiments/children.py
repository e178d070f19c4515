"""The children of an experiment: ordinary runs that are found, started, started again after a kill,
and stopped with it."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from filelock import FileLock

from cdp import paths
from cdp.config.knobs import Frozen
from cdp.errors import InputError, MissingError
from cdp.experiments.cells import read_cells
from cdp.experiments.content import Here, halted
from cdp.experiments.crew import Crew, crew
from cdp.values.experiment import CellState
from cdp.work.launch import free_name, launch, resume, stop
from cdp.work.records import Run, get_run
from cdp.work.registry import TASKS

TRIES = 25
"""Times a child is started again after its process was killed."""


class CellFailedError(Exception):
    """A cell cannot be finished; the others can."""


@dataclass(frozen=True)
class Work:
    """What a child does for a cell. find: the run that does it, or has done it; name: of a new
    one."""

    kind: Literal["pretrain", "generate", "train", "evaluate"]
    config: Frozen
    find: Callable[[], Run | None]
    name: str


class Children:
    """Those of one sitting. here: what there is, as of the last look; mine: ids of runs at work that
    this experiment started; stopped: with it, not by hand."""

    def __init__(self, experiment: str, team: Crew | None, stopped: Iterable[str]) -> None:
        """experiment: id of its run; team: who works, measured where it is None."""
        self.experiment, self.team = experiment, team
        self.mine: set[str] = set()
        self.stopped = set(stopped)
        self._since, self._free = time.time(), 0
        self._tries: Counter[str] = Counter()
        self.look()

    def look(self) -> None:
        """See what there is now."""
        self.here, self.seen = Here(), time.monotonic()

    @property
    def crew(self) -> Crew:
        """Who works on the children. Decided once, when the first is started: another number of
        threads may give other last bits."""
        if self.team is None:
            self.team = crew()
        return self.team

    def count_room(self) -> None:
        """How many may be started in this turn: the first cells go first, so what ends within it
        leaves room for the next one only."""
        self._free = 1 if self.team is None else self.team.children - self._busy()

    def run_of(self, work: Work, last: str) -> Run | None:
        """The run that does this, or has done it, which is started where there is none; None where
        there is no room. last: id of the one that was seen at it. Raises CellFailedError where it
        never will be done."""
        run = self._current(last, work.kind) or work.find()
        if run is None:
            return self._start(work) if self._free > 0 else None
        if run.over and run.state != "finished":
            self._again(run)
        return run

    def _start(self, work: Work) -> Run:
        """A new run at work, unless another experiment has just begun the same."""
        with FileLock(paths.runs_dir() / ".experiments.lock"):
            self.look()
            if (begun := work.find()) is not None:
                return begun
            task = TASKS[work.kind]
            name = free_name(task, work.name)
            run_id = launch(task, work.config, name, command=self.crew.command)
        self.mine.add(run_id)
        self._free -= 1
        self.look()
        return get_run(run_id)

    def _current(self, run_id: str, kind: str) -> Run | None:
        """The run that was last seen at this work; None where it is gone."""
        if not run_id:
            return None
        try:
            run = get_run(run_id)
        except MissingError:
            self.look()
            return None
        return run if run.kind == kind else None

    def _again(self, run: Run) -> None:
        """Start again what was killed, or stopped before this sitting. Raises CellFailedError for
        what ended itself, failed, or was stopped by hand."""
        if halted(run):
            raise CellFailedError(f"run {run.id} ended itself: {run.error}")
        lately = (run.ended or 0.0) >= self._since and run.id not in self.stopped
        if run.state == "stopped" and lately and run.id not in self.shared():
            raise CellFailedError(
                f"run {run.id} was stopped by hand: resume the experiment to go on with it"
            )
        if run.state == "failed" and lately:
            raise CellFailedError(f"run {run.id} failed: {run.error or 'its log says why'}")
        if self._free < 1:
            return
        self._tries[run.id] += 1
        if self._tries[run.id] > TRIES:
            raise CellFailedError(
                f"run {run.id} was killed {TRIES} times: its log says by what, often too little"
                " memory"
            )
        try:
            resume(run.id, command=self.crew.command)
        except InputError:
            return  # somebody else was faster
        self.mine.add(run.id)
        self._free -= 1

    def _busy(self) -> int:
        """Children of ours at work."""
        active = 0
        for run_id in list(self.mine):
            try:
                over = get_run(run_id).over
            except MissingError:
                over = True
            if over:
                self.mine.discard(run_id)
            active += not over
        return active

    def shared(self) -> set[str]:
        """Runs that other experiments at work wait for as well."""
        return {
            state.run
            for run in self.here.runs
            if run.kind == "experiment" and run.id != self.experiment and not run.over
            for state in _cells(run)
            if state.run
        }

    def end(self, run_id: str) -> None:
        """Stop a child, unless another experiment waits for it."""
        if run_id in self.shared():
            return
        self.stopped.add(run_id)
        with contextlib.suppress(MissingError):
            stop(run_id)


def _cells(run: Run) -> Iterable[CellState]:
    try:
        return read_cells(run.folder).values()
    except (InputError, OSError):
        return ()
