"""What was finished, as it was when it was finished, and what became of it."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from cdp.errors import CdpError
from cdp.work import launch
from cdp.work.records import Run, list_runs

_NO_RESULT = frozenset(
    {"log.txt", "process.json", "mlflow.json", "worker.lock", "resources.jsonl", "status.json"}
)
"""Of a run: what tells about the process, or is read by what it says (``_print_of_run``)."""


def print_of(folder: Path, leave_out: frozenset[str] = frozenset()) -> str:
    """Digest of all files of a folder, by name and content."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in leave_out:
            digest.update(f"{path.relative_to(folder)}\0".encode())
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _print_of_run(run: Run) -> str:
    result = json.dumps(run.result, sort_keys=True)
    return print_of(run.folder, _NO_RESULT) + hashlib.sha256(result.encode()).hexdigest()


@dataclass
class Ledger:
    """sets, finished: digest of every set and finished run, by name and id; promised: sets that a
    page said were saved; seen: every run there was."""

    home: Path
    sets: dict[str, str] = field(default_factory=dict)
    finished: dict[str, str] = field(default_factory=dict)
    promised: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)

    def look(self) -> None:
        """Take down what is new."""
        for folder in self._set_folders():
            if folder.name not in self.sets:
                self.sets[folder.name] = print_of(folder)
        for run in list_runs():
            self.seen.add(run.id)
            if run.state == "finished" and run.id not in self.finished:
                self.finished[run.id] = _print_of_run(run)

    def _set_folders(self) -> list[Path]:
        parent = self.home / "sets"
        folders = parent.iterdir() if parent.is_dir() else ()
        return [path for path in folders if path.is_dir() and not path.name.startswith(".")]

    def lost(self) -> list[str]:
        """What is gone or another than it was, one line each."""
        now = {folder.name: print_of(folder) for folder in self._set_folders()}
        runs = {run.id: run for run in list_runs()}
        lines = [f"set {name} was saved and is gone" for name in sorted(self.promised - set(now))]
        lines += [
            f"set {name} is {'another' if name in now else 'gone'}"
            for name, known in self.sets.items()
            if now.get(name) != known
        ]
        for run_id, known in self.finished.items():
            run = runs.get(run_id)
            if run and run.state != "finished":
                lines.append(f"run {run_id} was finished and is {run.state}")
            elif run and _print_of_run(run) != known:
                lines.append(f"run {run_id} has another result")
        lines += [f"run {run_id} is gone" for run_id in sorted(self.seen - set(runs))]
        return lines


def resume_all() -> int:
    """Let every run go on that failed or was interrupted, as a person would afterwards. Returns how
    many there were."""
    resumed = 0
    for run in list_runs():
        if run.state in ("failed", "interrupted"):
            with contextlib.suppress(CdpError):  # it says so in its state then
                launch.resume(run.id)
                resumed += 1
    return resumed


def unaccounted() -> tuple[list[str], Counter[str]]:
    """Runs that neither finished nor were stopped by somebody, one line each; how many runs there
    are in each state."""
    runs = list_runs()
    lines = [
        f"run {run.id} ({run.kind}) is {run.state}: {run.error or run.problem or 'no reason given'}"
        for run in runs
        if run.state not in ("finished", "stopped")
    ]
    return lines, Counter(run.state for run in runs)
