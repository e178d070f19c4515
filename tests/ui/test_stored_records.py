"""No record on disk takes a list down: whatever one of them holds, every reader gives a value or a
reason, and pages and commands show the reason in its row.

``CDP_FUZZ=3000 pytest tests/ui/test_stored_records.py`` tries more than ``make test`` does."""

from __future__ import annotations

import contextlib
import html
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cdp.config.experiment import ExperimentConfig
from cdp.data import presets
from cdp.data.marks import marks_of
from cdp.data.sets import list_sets, open_set
from cdp.errors import CdpError
from cdp.experiments.begin import experiments
from cdp.experiments.record import line_of
from cdp.experiments.results import result_of
from cdp.models.encoders import encoders_by_dataset, list_encoders
from cdp.models.pipelines import list_models
from cdp.results.compare import compare, comparison_json
from cdp.results.evaluations import read_outcomes, read_report
from cdp.results.history import Histories
from cdp.results.leaderboard import board_json, boards
from cdp.results.reached import from_journal, reached_of, record
from cdp.results.rows import Index
from cdp.results.signs import _parsed, run_signs, set_signs
from cdp.results.table import columns, group_rows, matching, sort_rows, value_text
from cdp.ui.compare.state import SEEDS, STAR, ComparisonPage
from cdp.ui.compare.table import lines_of
from cdp.ui.data.progress import samples
from cdp.ui.evaluate import runs as evaluations
from cdp.ui.experiment.page import _row as experiment_row
from cdp.ui.gallery.entries import ORDERS, GalleryLine, chosen, differing, provenance_rows
from cdp.ui.gallery.parts import facts as set_facts
from cdp.ui.generate.runs import facts as generate_facts
from cdp.ui.kit import choices
from cdp.ui.train.curves import drawn_from, look_of
from cdp.ui.train.examples import read_examples
from cdp.ui.train.look import CurveLook
from cdp.ui.train.runs import RUNS, row_html
from cdp.values.evaluation import OUTCOMES, REPORT
from cdp.values.text import time_text
from cdp.work import clean, unsaved
from cdp.work.records import active_runs, list_runs, log_tail
from cdp.work.resources import RESOURCES, read_resources
from tests.cli import command
from tests.cli.command import cdp
from tests.ui.pages import opened, texts
from tests.ui.spoiled import DEEP, Change, changes, sound_home, spoiled


def _train_list(home: Path) -> None:
    runs = [run for run in list_runs() if run.kind == "train"]
    signs = run_signs(runs)
    for run in runs:
        row_html(run, reached_of(run), signs[run.id]).encode()
        RUNS.group(run)
        [key(run) for key in RUNS.orders.values()]
        log_tail(run)
        read_resources(run.folder / RESOURCES)
        read_examples(run.folder)
    RUNS.together(runs)


def _evaluations(home: Path) -> None:
    for run in list_runs():
        if run.kind == "evaluate":
            evaluations.row_html(run, evaluations.bounds(run), visible=True).encode()


def _curves(home: Path) -> None:
    runs = list_runs()
    for run in runs:
        Histories().of(run.folder)
    drawn_from([run for run in runs if run.kind == "train"], {}, look_of(CurveLook()))


def _table(home: Path) -> None:
    rows = Index().rows()
    for column in columns():
        sort_rows(rows, column.name)
        group_rows(rows, column.name)
        for row in rows:
            value_text(column, row).encode()
    every = tuple(column.name for column in columns() if column.name != STAR)
    state = ComparisonPage(columns=every)
    lines_of(rows, state)
    lines_of(rows, ComparisonPage(columns=every, by=SEEDS))
    matching(rows, "plain created>2026-01 robust>1 -tag:old is:finished")
    for board in boards(rows):
        json.dumps(board_json(board), allow_nan=False)


def _compared(home: Path) -> None:
    ids = [folder.name for folder in (home / "runs").glob("2*")]
    json.dumps(comparison_json(compare(ids)), allow_nan=False)


def _records(home: Path) -> None:
    for run in list_runs():
        json.dumps(record(run), allow_nan=False)
        generate_facts(run.config)
    active_runs()


def _experiments(home: Path) -> None:
    for run in experiments(shipped=True):
        experiment_row(run, visible=False).encode()
        time_text(run.created)
        if isinstance(run.config, ExperimentConfig):
            with contextlib.suppress(CdpError):
                json.dumps(line_of(result_of(run.config, run.folder, run.name)), allow_nan=False)


def _gallery(home: Path) -> None:
    lines = [GalleryLine(entry) for entry in list_sets()]
    for order in ORDERS:
        chosen(lines, text="a", order=order)
    for line in lines:
        set_facts(line).encode()
        assert all(isinstance(text, str) for text in (line.words, line.strength, line.model))
        assert isinstance(line.parents, tuple)
        provenance_rows(line.card)
        differing(lines[0], line)
        marks_of(line.name, line.card)
        with contextlib.suppress(CdpError):
            open_set(line.name)
    set_signs([line.name for line in lines])


def _choices(home: Path) -> None:
    known = choices._read_choices.__wrapped__(str(home), ())
    for lookup in ("datasets", "imported", "explorable", "first_explored", "titles", "aliases"):
        getattr(known, lookup)
    dict(known.attackable, **known.shipped_and_own())
    for dataset in known.encoders:
        known.classifiers(dataset)
    for entries in encoders_by_dataset().values():
        [entry.title for entry in entries]
    list_models()
    list_encoders("fashion-mnist")


def _reports(home: Path) -> None:
    for folder in (home / "runs").glob("2*"):
        with contextlib.suppress(CdpError):
            read_report(folder / REPORT)
        with contextlib.suppress(CdpError):
            read_outcomes(folder / OUTCOMES)
        samples(folder / "samples.npz")


def _rest(home: Path) -> None:
    for past in unsaved.listed():
        time_text(past.made)
        unsaved.load(past.id)
    presets.own_presets()
    clean.removable(list(clean.PARTS))
    _parsed.cache_clear()


def _commands(home: Path) -> None:
    last = sorted((home / "runs").glob("2*"))[-1].name
    for words in (
        ["runs"],
        ["runs", "--json"],
        ["sets"],
        ["sets", "--json"],
        ["leaderboard"],
        ["show", last],
        ["logs", last],
    ):
        done = command.run(*words)
        assert done.returncode in (0, 2), done.stderr
        done.stdout.encode()


READERS: Mapping[str, Callable[[Path], None]] = {
    "trainings": _train_list,
    "evaluations": _evaluations,
    "curves": _curves,
    "table and leaderboard": _table,
    "comparison": _compared,
    "records": _records,
    "experiments": _experiments,
    "gallery": _gallery,
    "choices": _choices,
    "reports": _reports,
    "rest": _rest,
    "commands": _commands,
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    home = tmp_path_factory.mktemp("stored")
    return home, sound_home(home)


@pytest.fixture
def store(
    sound: tuple[Path, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, dict[str, bytes]]:
    monkeypatch.setenv("CDP_HOME", str(sound[0]))
    return sound


@settings(
    max_examples=int(os.environ.get("CDP_FUZZ", "12")),
    derandomize="CDP_FUZZ" not in os.environ,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_no_reader_dies_of_what_is_on_disk(
    data: st.DataObject, store: tuple[Path, dict[str, bytes]]
) -> None:
    home, files = store
    spoilt = data.draw(changes(files))
    with spoiled(home, files, spoilt):
        for read in READERS.values():
            read(home)


RUN = "20261130-023909-3088fd"
"""A training of the workspace that is finished, called plain-s0."""
EVALUATION, EXPERIMENT = "20261130-023948-6178f6", "20261130-160855-47ef5d"
LONG = "4" * 400


def _journal(home: Path, **change: object) -> bytes:
    """The journal of ``RUN`` whose last point is another: a value of None is gone."""
    *lines, last = (home / "runs" / RUN / "metrics.jsonl").read_bytes().splitlines()
    point = json.loads(last)
    for name, value in change.items():
        holder = point if name in point else point["values"]
        holder.pop(name) if value is None else holder.__setitem__(name, value)
    return b"\n".join([*lines, json.dumps(point).encode(), b""])


def _record(home: Path, file: str, **change: object) -> bytes:
    return json.dumps(json.loads((home / "runs" / RUN / file).read_bytes()) | change).encode()


def worst(home: Path) -> dict[str, list[Change]]:
    """Known deaths of lists, by what is wrong."""
    runs = f"runs/{RUN}"
    status = _record(home, "status.json", result=None)
    return {
        "not a regular file": [Change(f"{runs}/metrics.jsonl", "folder")],
        "does not say when the run was created": [
            Change(f"{runs}/config.json", _record(home, "config.json", created=1e17))
        ],
        "is no point": [
            Change(f"{runs}/metrics.jsonl", _journal(home, step=int(LONG))),
            Change(f"{runs}/status.json", status),
        ],
        "plain-s0": [
            Change(f"{runs}/metrics.jsonl", _journal(home, n=None)),
            Change(f"{runs}/status.json", status),
        ],
        "nested too deep": [Change(f"{runs}/status.json", DEEP)],
        "is not a number": [Change(f"{runs}/status.json", b'{"state": NaN}')],
        "over 16 MiB": [Change(f"{runs}/status.json", b" " * (17 << 20))],
        "codec can't decode": [Change(f"{runs}/config.json", b"\xff\xfe{}")],
        "400 digits": [Change(f"{runs}/config.json", b'{"created": %s}' % LONG.encode())],
    }


def test_the_reason_stands_in_the_row_of_pages_and_commands(
    store: tuple[Path, dict[str, bytes]],
) -> None:
    home, files = store
    for reason, spoilt in worst(home).items():
        with spoiled(home, files, spoilt):
            run = next(run for run in list_runs() if run.id == RUN)
            shown = row_html(run, reached_of(run), run_signs([run])[RUN])
            curves = drawn_from([run], {}, look_of(CurveLook()))
            named = cdp("show", RUN), cdp("runs"), f"{shown} {' '.join(curves.notes)}"
            for text in named if "regular" not in reason else named[::2]:
                assert html.escape(reason) in text or reason in text, reason
            for read in READERS.values():
                read(home)


def test_a_journal_that_nobody_may_read_is_told_and_read_once_it_may(
    store: tuple[Path, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root every file can be read, so the system's refusal is played."""
    folder = store[0] / "runs" / RUN
    real = os.open

    def refused(path: Any, *more: Any, **options: Any) -> int:
        if str(path).endswith("metrics.jsonl"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *more, **options)

    histories = Histories()
    with monkeypatch.context() as closed:
        closed.setattr(os, "open", refused)
        assert "Permission denied" in histories.of(folder).problem
        assert "Permission denied" in from_journal(folder / "metrics.jsonl").problem
    now = histories.of(folder)
    assert len(now) and not now.problem


PAGES = {
    "train": "cannot be read",
    "compare": "cannot be read",
    "evaluate": "is no evaluation report",
    "gallery": "cannot be read",
    "experiment": "is damaged",
    "home": "Newest trainings",
}
"""What each of them says of the worst of stores."""


@pytest.mark.parametrize("page", PAGES)
def test_pages_stand_on_the_worst_of_stores(
    page: str, store: tuple[Path, dict[str, bytes]], server: None
) -> None:
    home, files = store
    monsters = {change.file: change for spoilt in worst(home).values() for change in spoilt}
    ids = [folder.name for folder in sorted((home / "runs").glob("2*"))]
    more = [
        Change(f"runs/{ids[0]}/metrics.jsonl", "folder"),
        Change(f"runs/{ids[1]}/config.json", DEEP),
        Change(f"runs/{ids[2]}/status.json", b'{"state": "running", "progress": {"done": 1e999}}'),
        Change(f"runs/{EXPERIMENT}/cells.json", b'{"cells": 3}'),
        Change(f"runs/{EVALUATION}/report.json", b'{"label": NaN}'),
        Change("sets/plain-old/card.json", b"\xff"),
        Change("sets/guided-old/card.json", "link to itself"),
    ]
    spoilt = {change.file: change for change in more if change.file in files} | monsters
    with spoiled(home, files, list(spoilt.values())):
        chosen = {
            "compare": {"runs": ",".join(ids)},
            "train": {"runs": ",".join(ids[:5])},
            "evaluate": {"report": EVALUATION},
            "experiment": {"experiment": EXPERIMENT},
        }
        shown = texts(opened(page, **chosen.get(page, {})))
    assert PAGES[page] in shown
