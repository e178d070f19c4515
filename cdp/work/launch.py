"""Starting, stopping, resuming and deleting background runs. They outlive the page, the browser and
the app."""

from __future__ import annotations

import contextlib
import itertools
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from cdp import paths
from cdp.config.knobs import Frozen
from cdp.data.limits import MAX_LENGTH, valid_name
from cdp.data.sets import trash_dir
from cdp.errors import InputError
from cdp.files.atomic import move_folder, new_folder, refuse_existing, write_json
from cdp.files.reading import read_json, read_object
from cdp.work import queue
from cdp.work.launchers import (
    LAUNCHERS,
    LOCAL,
    PROCESS,
    chosen,
    environment,
    launcher_of,
    process_of,
)
from cdp.work.records import (
    CONFIG,
    FORMAT,
    FORWARD,
    RESUMABLE,
    STATUS,
    STOP,
    Run,
    active_runs,
    get_run,
    list_runs,
    read_run,
    require_own,
)
from cdp.work.registry import TASKS, read_config, write_config
from cdp.work.slots import free_slots, in_line, slot_count
from cdp.work.task import Task
from cdp.work.ticket import State, Ticket, before

GRACE_SECONDS = 4.0
"""A run that has not stopped by itself after this long is killed, so that every stop is over within
5 seconds."""

MOVED = "moved.json"
"""In the trash: where what a run left unfinished elsewhere was, and where it lies now."""
CLOSED = "closed"
"""A file of a run at work that takes up no settings any more."""
WORKER = (sys.executable, "-m", "cdp.tasks.worker")
"""The entry above this room that hands the tasks to ``cdp.work.worker``."""
AnyTask = Task[Any, Any]


@dataclass(frozen=True)
class Share:
    """Of the machine. slots: runs that may work at a time; threads: of this one."""

    slots: int
    threads: int


def launch(
    task: AnyTask,
    config: Frozen,
    name: str,
    *,
    command: Sequence[str] = WORKER,
    share: Share | None = None,
) -> str:
    """Start a run in a process of its own; returns its id. name: of the run, and of the set, model
    or encoder it makes. command: what works on a run, given its folder; share: of the machine that
    it takes, also when it is started again. Raises InputError where the name is no name, or taken.
    """
    launcher = chosen()
    with launching():
        run_id = _create(task, config, name, share)
        _start(paths.runs_dir() / run_id, command, launcher)
    return run_id


def create(task: AnyTask, config: Frozen, name: str) -> str:
    """A run that nothing works on yet; returns its id. For a process that will work on it itself
    (``cdp.work.worker.main``). Raises as ``launch``."""
    with launching():
        return _create(task, config, name)


def _create(task: AnyTask, config: Frozen, name: str, share: Share | None = None) -> str:
    config = task.name_config(name, config)
    task.require(name, config)
    _refuse_rival(task, config, name)
    run_id = f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}"
    with new_folder(paths.runs_dir() / run_id) as folder:
        begun: dict[str, Any] = {"format": FORMAT, "kind": task.name, "name": name}
        begun |= {"created": time.time()}
        begun |= {} if share is None else {"share": asdict(share)}
        write_json(folder / CONFIG, begun | {"config": write_config(config)})
        mark_queued(folder)
    return run_id


def free_name(task: AnyTask, wanted: str) -> str:
    """``wanted`` where a run of this task can have it, else with the first of -2, -3, ... that is
    free."""
    taken = {run.name for run in list_runs() if run.kind == task.name} | task.taken()
    numbered = (f"{wanted[: MAX_LENGTH - 7]}-{number}" for number in itertools.count(2))
    return next(
        name for name in itertools.chain([valid_name(wanted)], numbered) if name not in taken
    )


def resume(run_id: str, *, command: Sequence[str] = WORKER) -> None:
    """Start a run again where it was left. Raises InputError unless it failed, was stopped or was
    interrupted."""
    launcher = chosen()
    with launching():
        run = get_run(run_id)
        require_own(run)
        if run.config is None:
            raise InputError(run.error or f"run {run_id} has no settings: delete it")
        if run.state not in RESUMABLE:
            raise InputError(
                f"run {run_id} is {run.state}: only a run that failed, was stopped or was"
                " interrupted can be resumed"
            )
        _restart(run, command, launcher)


def extend(task: AnyTask, run_id: str, config: Frozen, *, command: Sequence[str] = WORKER) -> None:
    """Give a run other settings, for work that finds again what is done: one at work takes them up
    (``settings_since``), one that is over is started again. The settings of before stay beside
    them. Raises InputError where it is stopping, or its work does not take any up."""
    launcher = chosen()
    with launching():
        run = get_run(run_id)
        require_own(run)
        end = time.monotonic() + GRACE_SECONDS
        while not run.over and (run.folder / CLOSED).exists() and time.monotonic() < end:
            time.sleep(0.05)
            run = get_run(run_id)
        closed = task.slot or (run.folder / CLOSED).exists() or run.state == "stopping"
        if not run.over and closed:
            raise InputError(f"run {run_id} is {run.state}: stop it first, or wait for it")
        config = task.name_config(run.name, config)
        task.check(config)
        record = read_object(run.folder / CONFIG, missing="", remedy="start a new run")
        before = itertools.count(1)
        kept = (run.folder / f"config-{number}.json" for number in before)
        write_json(next(path for path in kept if not path.exists()), record)
        write_json(run.folder / CONFIG, record | {"format": FORMAT, "config": write_config(config)})
        if run.over:
            _restart(run, command, launcher, progress=False)


def earlier_configs(folder: Path) -> Iterator[Frozen]:
    """The settings that a run had before it was extended, those that can still be read."""
    for path in sorted(folder.glob("config-*.json")):
        record = read_json(path) or {}
        with contextlib.suppress(InputError, KeyError, TypeError, AttributeError):
            yield read_config(str(record["kind"]), record["config"])


def settings_since(folder: Path, config: Frozen, *, close: bool) -> Frozen | None:
    """The settings that the run in ``folder`` was given since it read ``config``, None where there
    are none. close: then none are taken up any more, as the run is about to end."""
    with launching():
        now = read_run(folder).config
        if now is not None and now != config:
            return now
        if close:
            (folder / CLOSED).touch()
    return None


def _restart(run: Run, command: Sequence[str], launcher: str, *, progress: bool = True) -> None:
    """progress: see ``mark_queued``."""
    mark_queued(run.folder, progress=progress)
    for leftover in (PROCESS, STOP, CLOSED, FORWARD):
        (run.folder / leftover).unlink(missing_ok=True)
    queue.withdraw(run.id)
    _start(run.folder, command, launcher)


def stop(run_id: str) -> None:
    """Ask a run to stop; what it finished is kept. Returns at once; it is over within 5 seconds, or
    killed then."""
    run = get_run(run_id)
    if run.over:
        return
    process = process_of(run.folder)
    (run.folder / STOP).touch()
    if queue.withdraw(run_id):
        status = {"format": FORMAT, "state": "stopped", "ended": time.time()}
        status |= {"progress": _progress(run.folder)}
        with contextlib.suppress(OSError):  # the file that asks for it says so as well
            write_json(run.folder / STATUS, status)
        return
    # Not a daemon: a command line that ends right after this call still sees the stop through.
    threading.Thread(target=_see_through, args=(run.folder, process), name=f"stop-{run_id}").start()


def bring_forward(run_id: str) -> None:
    """Have a run that waits start before all others that do. Raises InputError where it does not
    wait."""
    run = get_run(run_id)
    if run.state != "queued":
        raise InputError(
            f"run {run_id} is {run.state}: only a run that waits can be brought forward"
        )
    write_json(run.folder / FORWARD, {"asked": time.time()})


def delete(run_id: str) -> Path:
    """Move a run that is over, and what it left unfinished elsewhere, to the trash; returns where
    it lies now. A finished set, model or encoder stays. Raises InputError where a process still
    works on the run."""
    with launching():
        run = get_run(run_id)
        require_own(run)
        if not run.over:
            raise InputError(f"run {run_id} is {run.state}: stop it first")
        trash_dir().mkdir(parents=True, exist_ok=True)
        target = trash_dir() / f"run-{run_id}"
        move_folder(run.folder, target)

        def note(place: Path, now: Path) -> None:
            write_json(target / MOVED, {"from": str(place), "to": str(now)})

        if run.state != "finished" and run.config is not None:
            TASKS[run.kind].discard(run.name, run.config, target, note)
    return target


def undelete(run_id: str) -> None:
    """Take a run out of the trash again, with what it left unfinished elsewhere. Raises InputError
    where it is not there any more, or its place is taken."""
    with launching():
        source, folder = trash_dir() / f"run-{run_id}", paths.runs_dir() / run_id
        if source.parent != trash_dir() or not source.is_dir():
            raise InputError(f"run {run_id[:80]!r} is not in the trash any more")
        refuse_existing(folder)
        moved = read_json(source / MOVED) or {}
        now, before = (str(moved.get(name) or "") for name in ("to", "from"))
        if now and before and Path(now).exists() and not Path(before).exists():
            move_folder(Path(now), Path(before))
        (source / MOVED).unlink(missing_ok=True)
        move_folder(source, folder)


@contextlib.contextmanager
def launching() -> Iterator[None]:
    """One at a time: two tabs may press the same button at once."""
    paths.runs_dir().mkdir(parents=True, exist_ok=True)
    with FileLock(paths.runs_dir() / ".launch.lock"):
        yield


def _refuse_rival(task: AnyTask, config: Frozen, name: str) -> None:
    """InputError where another run has the name: an unfinished one that makes the same, or, where
    all is kept in the run, any."""
    place = task.place(name, config)
    for run in list_runs():
        done = place is not None and run.state == "finished"
        if (run.kind, run.name) != (task.name, name) or done:
            continue
        if run.config is None or task.place(name, run.config) == place:
            verb = f"makes {task.makes} called" if task.makes else "is called"
            other = f"choose another name, such as {free_name(task, name)!r}"
            way = f"resume or delete it, or {other}" if run.state != "finished" else other
            raise InputError(f"run {run.id} ({run.state}) {verb} {name!r} already: {way}")


def mark_queued(folder: Path, *, progress: bool = True) -> None:
    """progress: whether how far it came still says how far it is."""
    before = _progress(folder) if progress else None
    status = {"format": FORMAT, "state": "queued", "progress": before, "updated": time.time()}
    write_json(folder / STATUS, status)


def _progress(folder: Path) -> Any:
    return (read_json(folder / STATUS) or {}).get("progress")


def _start(folder: Path, command: Sequence[str], launcher: str) -> None:
    """Start it, or let it wait for its turn."""
    command = (*command, *_options(folder))
    slots = _slots(command) if launcher == LOCAL else 0
    if slots and _waits(read_run(folder), slots):
        queue.put(folder.name, queue.Start(command, environment(), _here(), slots))
        queue.ensure_dispatcher()
    else:
        start_process(folder, command, launcher)


def _here() -> str:
    try:
        return str(Path.cwd())
    except FileNotFoundError:  # deleted below this process
        return str(paths.home())


def start_process(folder: Path, command: Sequence[str], launcher: str = LOCAL) -> None:
    """Start what works on a run."""
    process = LAUNCHERS[launcher].start(folder, command)
    with contextlib.suppress(OSError):  # a local worker says so itself as well
        write_json(
            folder / PROCESS, process if launcher == LOCAL else {"launcher": launcher} | process
        )


def _slots(command: Sequence[str]) -> int:
    """Of how many slots what the command starts may take one; 0 where it says itself that this is
    no number."""
    option = [number for word, number in itertools.pairwise(command) if word == "--slots"]
    try:
        return int(option[-1]) if option else slot_count()
    except (InputError, ValueError):
        return 0


def _waits(run: Run, slots: int) -> bool:
    """Whether a run would wait where its process was started now."""
    if run.kind not in TASKS or not TASKS[run.kind].slot:
        return False
    free = free_slots(slots)
    return not free or sum(other.turn < run.turn for other in in_line()) >= free


def _options(folder: Path) -> list[str]:
    """Of the command that works on a run which takes a share of the machine."""
    share = (read_json(folder / CONFIG) or {}).get("share")
    share = share if isinstance(share, dict) else {}
    counts = {name: share.get(name) for name in ("slots", "threads")}
    return [
        word
        for name, count in counts.items()
        if type(count) is int and count > 0
        for word in (f"--{name}", str(count))
    ]


def _see_through(folder: Path, process: Mapping[str, Any]) -> None:
    """Wait for a run to stop by itself, then end its process; a later one of a resumption is let
    be."""
    end = time.monotonic() + GRACE_SECONDS
    while folder.exists():
        now = process_of(folder)
        later = process and now.get("pid") != process.get("pid")
        if read_run(folder).over or not (folder / STOP).exists() or later:
            return
        process, launcher = now, launcher_of(now)
        if time.monotonic() >= end and launcher is not None and launcher.alive(process):
            launcher.kill(process)
            return
        time.sleep(0.1)


class RunTicket(Ticket):
    """A background run as somebody waits for it, as it was when this was made. ahead: whether others
    that wait come before it."""

    def __init__(self, run: Run, title: str, waiting_for: str | None = None) -> None:
        super().__init__(f"{title} {run.name}")
        self.id, self.run, self._first = run.id, run, waiting_for
        self.ahead = False
        self.asked, self.started, self.finished = run.created, run.started, run.ended
        if run.progress is not None:
            self.share = run.progress.share
        self._take(run)

    @property
    def seconds_left(self) -> float | None:
        """As the run itself says."""
        progress = self.run.progress if self.run.state == "running" else None
        return progress.seconds_left if progress else None

    @property
    def waiting_for(self) -> str | None:
        return self._first

    @property
    def skips(self) -> bool:
        return self.ahead

    def bring_forward(self) -> None:
        bring_forward(self.run.id)

    def cancel(self) -> None:
        """What it finished is kept, and it can be resumed."""
        stop(self.run.id)

    def wait(self, timeout: float | None = None) -> bool:
        end = None if timeout is None else time.monotonic() + timeout
        while not (run := get_run(self.run.id)).over:
            if end is not None and time.monotonic() >= end:
                return False
            time.sleep(0.1)
        self._take(run)
        return True

    def _take(self, run: Run) -> None:
        self.state, self.error, self.result = _STATES[run.state], run.error, run.result
        if run.over:
            self._over.set()


_STATES: dict[str, State] = {
    "queued": "queued",
    "running": "running",
    "stopping": "stopping",
    "finished": "done",
    "stopped": "cancelled",
    "failed": "failed",
    "interrupted": "failed",
}


def tickets() -> list[RunTicket]:
    """Those of the background runs that are not over: those at work, then those that wait, in the
    order of their turns."""
    line: list[RunTicket] = []
    taking: list[RunTicket] = []
    for run in active_runs():
        task, takes = TASKS.get(run.kind), _takes_turn(run)
        waits = run.state == "queued" and takes
        ticket = RunTicket(run, task.title if task else run.kind, before(taking) if waits else None)
        ticket.ahead = waits and any(other.state == "queued" for other in taking)
        line.append(ticket)
        taking += [ticket] if takes else []
    return line


def _takes_turn(run: Run) -> bool:
    """Whether it works or waits on the device, as an experiment itself does not, and a run of a kind
    that a newer version has may."""
    task = TASKS.get(run.kind)
    return task is None or task.slot


def waits_for(run_id: str) -> str | None:
    """What a run that waits waits for, in words; None where it does not wait, or begins now."""
    return next((ticket.waiting_for for ticket in tickets() if ticket.id == run_id), None)


def would_wait_for() -> str | None:
    """What a run that is started now will wait for, in words; None where it begins at once."""
    taking = [ticket for ticket in tickets() if _takes_turn(ticket.run)]
    with contextlib.suppress(InputError):  # a wrong number of slots is said where a run begins
        return before(taking) if len(taking) >= slot_count() else None
    return None
