"""All trainings as rows of the run table, thousands of them at once: settings, what each has
reached, what a person says of it, its evaluation that counts. A run that is over and has not
changed costs a look at its files, no reading. Rows of such runs are kept from one process to the
next, in CDP_HOME/cache/run-table.json, which can be made again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from threading import Lock
from typing import Any

from pydantic import TypeAdapter

import cdp.config
import cdp.results
from cdp import paths
from cdp.config.choices import suite_rank
from cdp.config.evaluate import RUN, EvaluateConfig
from cdp.config.train import TrainConfig
from cdp.data import catalog
from cdp.files.atomic import atomic_file, write_json
from cdp.files.reading import read_bytes, read_json
from cdp.results.labels import LABELS, Labels, read_labels
from cdp.results.reached import (
    BEST_CARD,
    Reached,
    best_card,
    reached_of,
    share,
    trained_budget,
    whole,
)
from cdp.work import journal, launchers, records
from cdp.work.journal import JOURNAL
from cdp.work.launchers import PROCESS
from cdp.work.records import CONFIG, STATUS, STOP, Run, State, read_run, run_folders

Stamp = tuple[int, int, int, int] | None
"""Of a file: times of change, size and inode. Another one whenever the file may hold something
else; None where there is none."""

_YOUNG_NS = 2_000_000_000
"""A file that changed so lately may change again without a new stamp: clocks of file systems tick
slowly."""
_ENOUGH = 50
"""Runs read anew after which it is worth keeping them for the next process."""
ARM = "arm.json"
"""In the folder of a training that an experiment started or took over: what it shares with the
other seeds of its arm, whose sets and real images are their own."""
_FILES = (CONFIG, STATUS, PROCESS, STOP, LABELS, JOURNAL, BEST_CARD, ARM)
"""All that a row follows from, and beside them the code of these packages and modules:"""
_PACKAGES, _MODULES = (cdp.config, cdp.results), (catalog, journal, launchers, records)
_MOST_BYTES = 256 << 20
_LONGEST_LABEL = 200


@dataclass(frozen=True)
class Evaluated:
    """A finished evaluation of the best weights of training ``run`` on test images. label: how its
    number has to be called wherever it stands; robust, clean: shares of n images; created: unix
    time; config: its settings."""

    id: str
    run: str
    label: str
    suite: str
    robust: float
    clean: float | None
    n: int
    created: float
    config: EvaluateConfig

    @property
    def strength(self) -> tuple[int, int, float, str]:
        """More is to be preferred: the stronger suite, then more images, then the newer one."""
        return suite_rank(self.suite), self.n, self.created, self.id


@dataclass(frozen=True)
class Row:
    """One training. created, started, ended: unix times, the last two of its last start.

    settings: JSON-ready, flat, as they were given; {} where they cannot be read, and then ``error``
    says why. resolved: the same with those that were left automatic filled in as far as they are
    known (epsilon, attack_steps, step_size). synthetic_images: in the sets trained on, None
    unknown. group: equal for runs that differ in their seed only. evaluated: by the strongest
    attack, then most images, then newest, at the budget trained for; None without one.
    """

    id: str
    folder: Path
    name: str
    state: State
    created: float
    started: float | None
    ended: float | None
    error: str | None
    notice: str | None
    seed: int | None
    settings: Mapping[str, Any]
    resolved: Mapping[str, Any]
    synthetic_images: int | None
    group: str
    reached: Reached
    labels: Labels
    evaluated: Evaluated | None = None

    @cached_property
    def words(self) -> str:
        """What a search for words looks through, in lower case."""
        value = self.settings.get
        parts = [self.name, self.id, self.state, *self.labels.tags, self.labels.note]
        parts += [value("method") or "", value("architecture") or ""]
        parts += [Path(name).name for name in (value("dataset") or "", *value("synthetic", ()))]
        return " ".join([*parts, f"seed {self.seed}"]).lower()


def row_of(run: Run, labels: Labels, reached: Reached, card: Mapping[str, Any]) -> Row:
    """The line of one training, not evaluated yet. card: of its best weights, {} where there is
    none or it was not needed (``wants_card``)."""
    config = run.config if isinstance(run.config, TrainConfig) else None
    settings: dict[str, Any] = config.model_dump(mode="json") if config else {}
    automatic = _automatic(config, trained_budget(config, reached, card)) if config else {}
    head = (run.id, run.folder, run.name, run.state, run.created, run.started, run.ended)
    said = (
        run.wrong or reached.problem or None,
        run.notice,
        config.seed if config else None,
        settings,
        settings | automatic,
    )
    return Row(*head, *said, _synthetic_images(config, card), group_of(run), reached, labels)


def with_evaluation(row: Row, evaluations: Sequence[Evaluated]) -> Row:
    """The row with the strongest of its evaluations under the threat trained for: figures of
    another would look like those of another run."""
    fitting = [each for each in evaluations if _same_threat(row, each.config)]
    return replace(row, evaluated=max(fitting, key=lambda each: each.strength)) if fitting else row


def wants_card(run: Run, reached: Reached) -> bool:
    """Whether the card of the best weights says something that is known from nowhere else."""
    config = run.config
    return isinstance(config, TrainConfig) and (
        bool(config.synthetic) or trained_budget(config, reached) is None
    )


def evaluated_of(run: Run) -> Evaluated | None:
    """What an evaluation says of a training as a whole; None where it is not finished, is of
    other weights or images, or does not say of how many."""
    config, result = run.config, run.result
    if run.state != "finished" or result is None or not isinstance(config, EvaluateConfig):
        return None
    if not config.model.startswith(RUN) or config.weights == "last" or config.part:
        return None
    robust, label = share(result.get("robust_accuracy")), result.get("label")
    if robust is None or not isinstance(label, str):
        return None
    head = (run.id, config.model.removeprefix(RUN), label[:_LONGEST_LABEL], config.attack)
    clean, n = share(result.get("clean_accuracy")), whole(result.get("n"))
    if not n:
        return None
    return Evaluated(*head, robust, clean, n, run.created, config)


def _same_threat(row: Row, config: EvaluateConfig) -> bool:
    trained, budget = row.resolved.get, row.resolved.get("epsilon")
    if config.norm not in ("trained", trained("norm")):
        return False
    if config.dataset not in ("", trained("dataset")):
        return False
    if config.epsilon is None:
        return True
    return budget is not None and math.isclose(config.epsilon, budget, rel_tol=1e-6)


def _automatic(config: TrainConfig, budget: float | None) -> dict[str, Any]:
    step = config.step_size if budget is None else config.pgd_step_size(budget)
    return {"epsilon": budget, "attack_steps": config.pgd_steps, "step_size": step}


def _synthetic_images(config: TrainConfig | None, card: Mapping[str, Any]) -> int | None:
    if config is not None and not config.sets:
        return 0
    training = card.get("training")
    count = training.get("synthetic_images") if isinstance(training, dict) else None
    return whole(count) if type(count) is int else None


def group_of(run: Run) -> str:
    """A short name for all settings but the seed: equal for trainings that differ in their seed
    only, and for the seeds of an experiment's arm. Any other run, and one without settings, is
    alone."""
    text = run.id
    if isinstance(run.config, TrainConfig):
        text = _arm_of(run.folder) or json.dumps(
            run.config.model_dump(mode="json", exclude={"seed"})
        )
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def join_arm(folder: Path, arm: str) -> None:
    """Write down that the training in ``folder`` is a seed of this arm; the first to say so is
    right."""
    if not (folder / ARM).exists():
        write_json(folder / ARM, {"arm": arm})


def _arm_of(folder: Path) -> str:
    arm = (read_json(folder / ARM) or {}).get("arm")
    return arm[:64] if isinstance(arm, str) else ""


@dataclass(frozen=True)
class Entry:
    """A run as its files were. row: of a training, without its evaluation; evaluated: of an
    evaluation; neither for other kinds. settled: whether it is so as long as the stamps are
    these."""

    stamps: Mapping[str, Stamp]
    row: Row | None = None
    evaluated: Evaluated | None = None
    settled: bool = True


class Index:
    """The run table of this process. Safe to ask from several threads; what one of them read, the
    others need not read again."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._root: Path | None = None
        self._entries: dict[str, Entry] = {}
        self._saved: dict[str, Entry] = {}
        self._complete: dict[str, tuple[Row, tuple[Evaluated, ...], Row]] = {}

    def rows(self) -> list[Row]:
        """All trainings as they are at this moment, archived ones too, newest first. The same
        ``Row`` again where nothing changed."""
        with self._lock:
            self._look()
            evaluations: dict[str, list[Evaluated]] = {}
            for entry in self._entries.values():
                if entry.evaluated is not None:
                    evaluations.setdefault(entry.evaluated.run, []).append(entry.evaluated)
            complete = [
                self._completed(name, entry.row, tuple(evaluations.get(name, ())))
                for name, entry in self._entries.items()
                if entry.row is not None
            ]
            self._save()
        return sorted(complete, key=lambda row: (row.created, row.id), reverse=True)

    def _look(self) -> None:
        """Take in which runs there are, and what they are now."""
        root = paths.runs_dir()
        if root != self._root:
            self._root, self._complete = root, {}
            self._entries = self._saved = load_entries(root)
        before = self._entries
        self._entries = {path.name: _looked(path, before.get(path.name)) for path in run_folders()}

    def _completed(self, name: str, row: Row, evaluations: tuple[Evaluated, ...]) -> Row:
        """The row with the evaluation that counts; the same one as before where neither changed."""
        before = self._complete.get(name)
        if before is None or before[0] is not row or before[1] != evaluations:
            before = self._complete[name] = (row, evaluations, with_evaluation(row, evaluations))
        return before[2]

    def _save(self) -> None:
        settled = {name: entry for name, entry in self._entries.items() if entry.settled}
        new = sum(entry is not self._saved.get(name) for name, entry in settled.items())
        if new >= _ENOUGH and self._root is not None:
            self._saved = settled
            save_entries(self._root, settled)


_INDEX = Index()


def run_rows() -> list[Row]:
    """All trainings as rows, newest first, from the memory of this process."""
    return _INDEX.rows()


def _looked(folder: Path, before: Entry | None) -> Entry:
    """The run in a folder now; the same entry or row again where they did not change."""
    stamps = _stamps(folder)
    if before is not None and before.settled and before.stamps == stamps:
        return before
    run = read_run(folder)
    if run.config is None and not folder.is_dir():
        return Entry(stamps, settled=False)
    row = None
    if run.kind == "train":
        reached = reached_of(run)
        card = best_card(folder) if wants_card(run, reached) else {}
        row = row_of(run, read_labels(folder), reached, card)
        row = before.row if before is not None and before.row == row else row
    # Without a process file a run that was just launched is waited for, so time alone changes its
    # state; that of a damaged one hangs on its process, whatever its status says.
    waits = run.config is None or (run.state == "interrupted" and stamps[PROCESS] is None)
    settled = run.over and not waits and not any(map(_young, stamps.values()))
    return Entry(stamps, row, evaluated_of(run) if run.kind == "evaluate" else None, settled)


def _stamps(folder: Path) -> dict[str, Stamp]:
    """Of all files that a row follows from."""
    try:
        place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return dict.fromkeys(_FILES)
    try:
        return {name: _stamp(name, place) for name in _FILES}
    finally:
        os.close(place)


def _stamp(name: str, place: int) -> Stamp:
    try:
        stat = os.stat(name, dir_fd=place)
    except OSError:
        return None
    return stat.st_ctime_ns, stat.st_mtime_ns, stat.st_size, stat.st_ino


def _young(stamp: Stamp) -> bool:
    return stamp is not None and abs(time.time_ns() - stamp[0]) < _YOUNG_NS


@dataclass(frozen=True)
class _Table:
    source: str
    root: str
    runs: dict[str, Entry]


def load_entries(root: Path) -> dict[str, Entry]:
    """What was kept of the runs in folder ``root``, by id; nothing where it is damaged, or of
    another version or place."""
    try:
        table = _adapter().validate_json(read_bytes(_path(), _MOST_BYTES))
    except (OSError, ValueError):  # ValidationError is one
        return {}
    return table.runs if (table.source, table.root) == (_source(), str(root)) else {}


def save_entries(root: Path, runs: Mapping[str, Entry]) -> None:
    """Keep these in place of all that was kept before. Where nothing can be written, the next
    process reads the runs themselves."""
    content = _adapter().dump_json(_Table(_source(), str(root), dict(runs)))
    with contextlib.suppress(OSError):
        _path().parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(_path()) as file:
            file.write(content)


def _path() -> Path:
    return paths.cache_dir() / "run-table.json"


@cache
def _adapter() -> TypeAdapter[_Table]:
    return TypeAdapter(_Table)


@cache
def _source() -> str:
    """Another text whenever rows may be made in another way."""
    folders = [Path(package.__path__[0]) for package in _PACKAGES]
    files = [file for folder in folders for file in sorted(folder.glob("*.py"))]
    files += [Path(module.__file__) for module in _MODULES if module.__file__]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
