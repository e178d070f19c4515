"""The accuracies that are known of a training: by its evaluations, and by its own validation
images, each with how it was measured."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from cdp import paths
from cdp.config.choices import suite_rank
from cdp.config.evaluate import RUN
from cdp.config.train import TrainConfig
from cdp.data.catalog import CATALOG
from cdp.errors import InputError
from cdp.files.atomic import read_json
from cdp.results.table.reached import Reached
from cdp.statistics.shares import share_interval
from cdp.values.evaluation import EvalReport
from cdp.values.evaluation_files import REPORT, read_report
from cdp.values.types import Interval
from cdp.work.records import CONFIG, Run, read_run

VALIDATION = "validation"


@dataclass(frozen=True)
class Setting:
    """How an accuracy was measured; equal for accuracies that can be compared.

    suite: as in a report, or VALIDATION; attack: in words; epsilon: None unknown; which: weights,
    "best", "last" or "given"; rows: which images, by the hash of a report.
    """

    suite: str
    attack: str
    norm: str
    epsilon: float | None
    n: int
    part: str
    rows: str
    which: str

    def __str__(self) -> str:
        budget = "" if self.epsilon is None else f" {self.epsilon:.4g}"
        weights = ", last weights" if self.which == "last" else ""
        return f"{self.attack}, {self.norm}{budget}, {self.n:,} images of {self.part}{weights}"

    @property
    def strength(self) -> tuple[int, bool, int]:
        """More is to be preferred: the stronger attack, then the best epoch's weights, then more
        images."""
        return (
            -2 if self.suite == VALIDATION else suite_rank(self.suite),
            self.which != "last",
            self.n,
        )


@dataclass(frozen=True)
class Number:
    """Clean and robust accuracy of one training with Wilson's intervals. evaluation: id, "" for
    validation; report: its figures.

    epoch: of the weights, 0 unknown; created: unix time of the evaluation, 0 for validation.
    """

    setting: Setting
    label: str
    robust: Interval | None
    clean: Interval | None
    evaluation: str = ""
    report: EvalReport | None = None
    folder: Path | None = None
    epoch: int = 0
    created: float = 0.0


Numbers = Mapping[Setting, Number]


def numbers_of(
    runs: Collection[Run], reached: Mapping[str, Reached]
) -> tuple[dict[str, Numbers], list[str]]:
    """For each run id all that is known of it, the newest where a setting was evaluated twice; and
    what could not be used. reached: by run id."""
    found: dict[str, dict[Setting, Number]] = {run.id: {} for run in runs}
    notes = []
    for folder, run_id in _evaluations(found.keys()):
        try:
            number = _evaluated(folder)
        except InputError as error:
            notes.append(f"Evaluation {folder.name} of run {run_id} is left out: {error}.")
            continue
        if number is not None:
            before = found[run_id].get(number.setting)
            if before is None or (number.created, number.evaluation) > (
                before.created,
                before.evaluation,
            ):
                found[run_id][number.setting] = number
    for run in runs:
        number = _validated(run, reached[run.id])
        if number is not None:
            found[run.id][number.setting] = number
    return dict(found), notes


def _evaluations(run_ids: Collection[str]) -> list[tuple[Path, str]]:
    """Folders of the evaluations of these runs, and whose each is. One small file is read of every
    run there is, no more."""
    try:
        folders = [
            Path(entry.path)
            for entry in os.scandir(paths.runs_dir())
            if entry.is_dir() and not entry.name.startswith(".")
        ]
    except FileNotFoundError:
        return []
    found = []
    for folder in sorted(folders):
        try:
            written = read_json(folder / CONFIG) or {}
        except OSError:
            continue
        config = written.get("config")
        model = (
            config.get("model")
            if written.get("kind") == "evaluate" and isinstance(config, dict)
            else None
        )
        if isinstance(model, str) and model.startswith(RUN) and model.removeprefix(RUN) in run_ids:
            found.append((folder, model.removeprefix(RUN)))
    return found


def _evaluated(folder: Path) -> Number | None:
    """What an evaluation came to, None before it is finished. Raises InputError where its report
    cannot be used."""
    run = read_run(folder)
    if run.state != "finished":
        return None
    report = read_report(folder / REPORT)
    main = report.main
    shares = [
        main.clean,
        main.robust,
        *(one.robust for one in main.classes if one.robust is not None),
    ]
    wrong = next(
        (share for share in shares if not 0 <= share.low <= share.value <= share.high <= 1), None
    )
    if wrong is not None or report.n < 1:
        said = (
            f"{wrong.value:g} where an accuracy in 0..1 belongs" if wrong else f"{report.n} images"
        )
        raise InputError(f"{folder / REPORT} holds {said}: evaluate again")
    setting = Setting(
        report.suite,
        report.attack,
        report.norm,
        round(report.epsilon, 9),
        report.n,
        report.part,
        report.rows_sha256,
        main.which,
    )
    return Number(
        setting,
        report.label,
        main.robust,
        main.clean,
        folder.name,
        report,
        folder,
        main.epoch,
        run.created,
    )


def _validated(run: Run, reached: Reached) -> Number | None:
    """The accuracies of the best epoch on the run's own validation images; None before its first
    epoch.

    They are an estimate: the attack is short, and the best epoch was chosen on the same images.
    """
    config = run.config
    if not isinstance(config, TrainConfig) or reached.best_robust is None or not reached.n:
        return None
    attack, n = f"PGD-{config.validation_steps}", reached.n
    setting = Setting(
        VALIDATION,
        attack,
        config.norm,
        _epsilon(config, reached),
        n,
        f"the validation images of {config.dataset}",
        f"{config.dataset}, {config.held_out} held out",
        "best",
    )
    clean = None if reached.best_clean is None else share_interval(reached.best_clean, n, n)
    label = f"validation, {attack}, n = {n:,}: an estimate"
    return Number(
        setting, label, share_interval(reached.best_robust, n, n), clean, epoch=reached.best_epoch
    )


def _epsilon(config: TrainConfig, reached: Reached) -> float | None:
    """The budget trained for and validated with; None where only the data set knew it."""
    info = CATALOG.get(config.dataset)
    for value in (
        reached.epsilon,
        config.epsilon,
        info.conventional(config.norm) if info else None,
    ):
        if value is not None:
            return round(value, 9)
    return None
