"""The arms of a comparison and their numbers: trainings by id, joined where they differ in their
seed only; every accuracy that is known of them with how it was measured; what they were trained on;
and what became of every image."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cdp import paths
from cdp.config.choices import suite_rank
from cdp.config.evaluate import RUN, EvaluateConfig
from cdp.config.train import TrainConfig
from cdp.data.samples import CARD, read_card
from cdp.data.sets import is_saved, trash_dir
from cdp.errors import InputError, MissingError
from cdp.files.reading import read_json
from cdp.results.evaluations import read_outcomes, read_report
from cdp.results.reached import Reached, best_card, trained_budget
from cdp.results.rows import group_of
from cdp.statistics.shares import share_interval
from cdp.statistics.significance import mean_interval
from cdp.values.comparison import Compute, Metric
from cdp.values.evaluation import OUTCOMES, REPORT, EvalReport
from cdp.values.naming import common_name, told_apart
from cdp.values.text import counted
from cdp.values.types import Interval
from cdp.work.records import CONFIG, Run, get_run, read_run, run_folders

VALIDATION = "validation"
_LONGEST_ID = 200
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Setting:
    """How an accuracy was measured; equal for accuracies that can be compared. suite: as in a
    report, or VALIDATION; attack: in words; epsilon: None unknown; which: weights, "best", "last"
    or "given"; rows: which images, by the hash of a report."""

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
        images = f"{counted(self.n, 'image')} of {self.part}"
        weights = ", last weights" if self.which == "last" else ""
        return f"{self.attack}, {self.norm}{budget}, {images}{weights}"

    @property
    def strength(self) -> tuple[int, bool, int]:
        """More is to be preferred: the stronger attack, then the best epoch's weights, then more
        images."""
        rank = -2 if self.suite == VALIDATION else suite_rank(self.suite)
        return rank, self.which != "last", self.n


@dataclass(frozen=True)
class Number:
    """Clean and robust accuracy of one training with Wilson's intervals. evaluation: id, "" for
    validation; report: its figures. epoch: of the weights, 0 unknown; created: unix time of the
    evaluation, 0 for validation."""

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


@dataclass(frozen=True)
class RunGroup:
    """Runs that become one arm, no seed twice. settings: JSON-ready, those of all of them, without
    the seed; config: of the first."""

    name: str
    runs: tuple[Run, ...]
    config: TrainConfig
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class MeasuredGroup(RunGroup):
    """An arm with the numbers chosen for it. setting: None where it has none; numbers: one a run,
    None where not measured in this setting; spent: the compute of each run, None unknown."""

    setting: Setting | None
    numbers: tuple[Number | None, ...]
    spent: tuple[Compute | None, ...]

    @property
    def measured(self) -> list[Number]:
        """The numbers that there are."""
        return [number for number in self.numbers if number is not None]

    @property
    def by_seed(self) -> dict[int, Number]:
        """Those by seed."""
        pairs = zip(self.runs, self.numbers, strict=True)
        return {config_of(run).seed: number for run, number in pairs if number is not None}

    def shares(self, metric: Metric) -> dict[int, Interval]:
        """Accuracies by seed with the interval of the images, of the seeds that have one."""
        shares = {
            seed: number.robust if metric == "robust" else number.clean
            for seed, number in self.by_seed.items()
        }
        return {seed: share for seed, share in shares.items() if share is not None}

    def values(self, metric: Metric) -> dict[int, float]:
        """The same without intervals."""
        return {seed: share.value for seed, share in self.shares(metric).items()}

    def interval(self, metric: Metric) -> Interval | None:
        """Mean over seeds with Student's t interval, cut to 0..1; of a single seed Wilson's, of its
        images."""
        shares = self.shares(metric)
        if len(shares) < 2:
            return next(iter(shares.values()), None)
        mean = mean_interval([share.value for share in shares.values()])
        return replace(mean, low=max(0.0, mean.low), high=min(1.0, mean.high))

    @property
    def interval_text(self) -> str:
        """Which interval of robust accuracy that is; "" where there is none."""
        shares = list((self.shares("robust") or self.shares("clean")).values())
        if len(shares) > 1:
            freedom = ", 1 degree of freedom" * (len(shares) == 2)
            return f"95 % t interval over {len(shares)} seeds{freedom}"
        return "".join(f"95 % Wilson interval of {s.n:,} images, one seed" for s in shares)


def config_of(run: Run) -> TrainConfig:
    """The settings of a training that ``select_runs`` gave."""
    assert isinstance(run.config, TrainConfig)
    return run.config


def groups_of(runs: Sequence[Run]) -> dict[str, str]:
    """For each run id what it shares with the other seeds of the same settings. A seed counts once:
    its second run stands alone."""
    groups: dict[str, str] = {}
    taken: set[tuple[str, int]] = set()
    for run in runs:
        groups[run.id] = run.id
        if isinstance(run.config, TrainConfig):
            seed = (group_of(run), run.config.seed)
            groups[run.id] = run.id if seed in taken else seed[0]
            taken.add(seed)
    return groups


def select_runs(ids: Iterable[str]) -> tuple[list[Run], list[str]]:
    """The trainings of these ids, each once and in their order; and what is not among them, one
    sentence each."""
    runs, missing = [], []
    for run_id in dict.fromkeys(ids):
        try:
            run = get_run(run_id) if len(run_id) <= _LONGEST_ID else None
        except MissingError:
            run = None
        if run is None:
            missing.append(f"Run {run_id[:80]!r} is not here: {_remedy(run_id)}.")
        elif reason := _unfit(run):
            missing.append(reason)
        else:
            runs.append(run)
    return runs, missing


def _remedy(run_id: str) -> str:
    place = trash_dir() / f"run-{run_id}"
    if run_id and "/" not in run_id and len(run_id) <= _LONGEST_ID and place.is_dir():
        return f"it was deleted; moving {place} to {paths.runs_dir() / run_id} restores it"
    return "it was deleted, or is of another workspace; leave it out of the comparison"


def _unfit(run: Run) -> str:
    """Why a run cannot be compared, "" where it can."""
    name = f"Run {run.name[:80]} ({run.id})"
    if run.config is None:
        return f"{name} cannot be read: {run.error}."
    if isinstance(run.config, TrainConfig):
        return ""
    of = run.config.model if isinstance(run.config, EvaluateConfig) else ""
    other = of.removeprefix(RUN) if of.startswith(RUN) else "a training"
    return f"{name} is no training but of kind {run.kind}: compare {other} in its place."


def grouped(runs: Sequence[Run], *, groups: bool) -> tuple[list[RunGroup], list[str]]:
    """The arms in the order of their first run, each with a name of its own, and notes on runs that
    stand alone beside their like. groups: False gives every run its own arm."""
    of = groups_of(runs) if groups else {run.id: run.id for run in runs}
    parts: dict[str, list[Run]] = {}
    for run in runs:
        parts.setdefault(of[run.id], []).append(run)
    together = list(parts.values())
    names = [p[0].name if len(p) == 1 else common_name([run.name for run in p]) for p in together]
    names = told_apart(names, [part[0].id for part in together])
    arms = []
    for name, part in zip(names, together, strict=True):
        config = config_of(part[0])
        settings = config.model_dump(mode="json", exclude={"seed"})
        arms.append(RunGroup(name, tuple(part), config, settings))
    return arms, [_alone(run, runs) for run in runs if groups and of[run.id] == run.id]


def _alone(run: Run, runs: Sequence[Run]) -> str:
    """What is said of a second run of the same settings and seed."""
    alike = (other for other in runs if group_of(other) == group_of(run) and other.id != run.id)
    seed = config_of(run).seed
    twin = next(other for other in alike if config_of(other).seed == seed)
    return (
        f"{run.name} ({run.id}) has the settings and the seed {seed} of {twin.name}"
        f" ({twin.id}), so it stands as an arm of its own."
    )


def numbers_of(
    runs: Collection[Run], reached: Mapping[str, Reached]
) -> tuple[dict[str, Numbers], list[str]]:
    """For each run id all that is known of it, the newest where a setting was evaluated twice; and
    what could not be used. reached: by run id."""
    numbers: dict[str, dict[Setting, Number]] = {run.id: {} for run in runs}
    notes = []
    for folder, run_id in _evaluations(numbers.keys()):
        try:
            number = _evaluated(folder)
        except InputError as error:
            notes.append(f"Evaluation {folder.name} of run {run_id} is left out: {error}.")
            continue
        if number is not None:
            before = numbers[run_id].get(number.setting, number)
            newest = max(before, number, key=lambda each: (each.created, each.evaluation))
            numbers[run_id][number.setting] = newest
    for run in runs:
        number = _validated(config_of(run), reached[run.id])
        if number is not None:
            numbers[run.id][number.setting] = number
    return dict(numbers), notes


def _evaluations(run_ids: Collection[str]) -> list[tuple[Path, str]]:
    """Folders of the evaluations of these runs, and whose each is. One small file is read of every
    run there is, no more."""
    evaluations = []
    for folder in run_folders(shipped=True):
        written = read_json(folder / CONFIG) or {}
        config = written.get("config") if written.get("kind") == "evaluate" else None
        model = config.get("model") if isinstance(config, dict) else None
        if isinstance(model, str) and model.startswith(RUN) and model[len(RUN) :] in run_ids:
            evaluations.append((folder, model[len(RUN) :]))
    return evaluations


def _evaluated(folder: Path) -> Number | None:
    """What an evaluation came to, None before it is finished. Raises InputError where its report
    cannot be used."""
    run = read_run(folder)
    if run.state != "finished":
        return None
    report = read_report(folder / REPORT)
    main = report.main
    shares = [main.clean, main.robust, *(each.robust for each in main.classes)]
    for share in shares:
        if share is not None and not 0 <= share.low <= share.value <= share.high <= 1:
            wrong = f"{share.value:g} where an accuracy in 0..1 belongs"
            raise InputError(f"{folder / REPORT} holds {wrong}: evaluate again")
    if report.n < 1:
        raise InputError(f"{folder / REPORT} holds {report.n} images: evaluate again")
    attack = (report.suite, report.attack, report.norm, round(report.epsilon, 9))
    setting = Setting(*attack, report.n, report.part, report.rows_sha256, main.which)
    figures = (setting, report.label, main.robust, main.clean)
    return Number(*figures, folder.name, report, folder, main.epoch, run.created)


def _validated(config: TrainConfig, reached: Reached) -> Number | None:
    """The accuracies of the best epoch on the run's own validation images; None before its first
    epoch. They are an estimate: the attack is short, and the best epoch was chosen on the same
    images."""
    if reached.best_robust is None or not reached.n:
        return None
    attack, n, budget = f"PGD-{config.validation_steps}", reached.n, trained_budget(config, reached)
    part = f"the validation images of {config.dataset}"
    rows = f"{config.dataset}, {config.held_out} held out"
    budget = None if budget is None else round(budget, 9)
    setting = Setting(VALIDATION, attack, config.norm, budget, n, part, rows, "best")
    robust = share_interval(reached.best_robust, n, n)
    clean = None if reached.best_clean is None else share_interval(reached.best_clean, n, n)
    label = f"validation, {attack}, n = {n:,}: an estimate"
    return Number(setting, label, robust, clean, epoch=reached.best_epoch)


@dataclass(frozen=True)
class SetMark:
    """One synthetic set as it was when a training began. images, created, card_sha256: 0 and ""
    where unknown."""

    images: int
    created: str
    card_sha256: str

    @property
    def identity(self) -> tuple[int, str]:
        """Equal for the same set. The hash of its card changes with every tag, so it decides only
        where there is no date."""
        return self.images, self.created or self.card_sha256

    def __str__(self) -> str:
        created, card = self.created or "no date", self.card_sha256[:12] or "unknown"
        return f"{counted(self.images, 'image')}, {created}, card {card}"


@dataclass(frozen=True)
class TrainedOn:
    """images: synthetic ones to draw from, None unknown; counts: by name of the set, None unknown;
    marks: of sets as they were trained on."""

    images: int | None
    counts: Mapping[str, int | None]
    marks: Mapping[str, SetMark]


def trained_on(run: Run) -> TrainedOn:
    """Which synthetic images a training drew from: by the card of its best classifier, else by the
    sets as they are now."""
    config = config_of(run)
    if not config.sets:
        return TrainedOn(0, {}, {})
    card = best_card(run.folder)
    sets, training = card.get("sets"), card.get("training")
    marks: dict[str, SetMark] = {}
    for each in sets if isinstance(sets, list) else []:
        if isinstance(each, dict) and isinstance(each.get("name"), str):
            images = _count(each.get("images"))
            created, sha = str(each.get("created") or ""), str(each.get("card_sha256") or "")
            if images is not None:
                marks[each["name"]] = SetMark(images, created[:40], sha[:64])
    counts = {name: marks[name].images if name in marks else _on_disk(name) for name in config.sets}
    total = _count(training.get("synthetic_images")) if isinstance(training, dict) else None
    if total is None:
        known = [count for count in counts.values() if count is not None]
        total = sum(known) if len(known) == len(counts) else None
        total = total if config.synthetic_per_batch else 0
    return TrainedOn(total, counts, marks)


def _on_disk(name: str) -> int | None:
    try:
        folder = paths.sets_dir() / name if is_saved(name) else Path(name).expanduser()
        return int(read_card(folder)["count"]) if (folder / CARD).exists() else None
    except (InputError, OSError, RuntimeError):  # the last: "~somebody" without a home
        return None


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 1 << 53 else None


@dataclass(frozen=True)
class Images:
    """Per image, (n,): rows, label int64; clean, robust bool, right without and under every
    attack."""

    rows: np.ndarray
    label: np.ndarray
    clean: np.ndarray
    robust: np.ndarray

    def right(self, metric: Metric) -> np.ndarray:
        """(n,) bool."""
        return self.robust if metric == "robust" else self.clean

    def same_images(self, other: Images) -> bool:
        """Whether image i of both is the same one."""
        return np.array_equal(self.rows, other.rows) and np.array_equal(self.label, other.label)


class OutcomeReader:
    """Outcomes of evaluations, each file read once, and only believed where it fits its report.
    notes: what could not be used, one sentence each."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._read: dict[str, Images | None] = {}

    def of(self, number: Number) -> Images | None:
        """The images behind a number; None for validation, and where they are gone or damaged."""
        if number.evaluation not in self._read:
            try:
                images = _images(number)
            except InputError as error:
                images, name = None, number.evaluation
                self.notes.append(f"Images of evaluation {name} are left out: {error}.")
            self._read[number.evaluation] = images
        return self._read[number.evaluation]


def _images(number: Number) -> Images | None:
    """Raises InputError where the file is not that of the report."""
    if number.folder is None or number.report is None:
        return None
    path = number.folder / OUTCOMES
    outcomes, main = read_outcomes(path), number.report.main
    outcome = outcomes.of.get(main.which)
    if outcome is None or len(outcomes.rows) != number.setting.n:
        raise InputError(f"{path} does not belong to its report: evaluate again")
    clean = outcome.clean == outcomes.label
    for right, share in ((clean, main.clean), (outcome.robust, main.robust)):
        if not abs(float(right.mean()) - share.value) <= _ROUNDING:
            raise InputError(
                f"{path} does not belong to its report (other accuracies): evaluate again"
            )
    return Images(outcomes.rows, outcomes.label, clean, outcome.robust)
