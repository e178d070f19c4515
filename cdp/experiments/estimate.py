"""Before an experiment starts: what it will take in time and disk, and which differences it can
see."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, replace

from cdp.config.experiment import ExperimentConfig
from cdp.config.generate import GenerateConfig
from cdp.config.knobs import Frozen
from cdp.data.registry import dataset_info
from cdp.errors import CdpError, InputError
from cdp.experiments.cells import read_cells, reported_value
from cdp.experiments.content import Here, generated_content
from cdp.experiments.crew import measured
from cdp.experiments.plan import Cell, cells, is_alone, require_possible
from cdp.experiments.search import trial_count
from cdp.results.cost import Pace
from cdp.statistics.significance import power_of
from cdp.statistics.verdicts import LEAST_A_CLASS
from cdp.values.text import bytes_text, counted, range_text
from cdp.work.slots import core_count

RUN_BYTES = 15_000_000
"""A training of the small network with its checkpoints, and its evaluation."""
SEED_SPREAD, IMAGE_SHARE = 0.01, 0.3
"""Assumed until pairs were measured here: standard deviation of a paired difference over seeds, and
the share of the variance of two accuracies that does not cancel as both are of the same images."""


@dataclass(frozen=True)
class Estimate:
    """seconds, of all children over those at work at a time: from .. to; basis: what they rest on.
    disk: bytes; here: sets, trainings and evaluations that are there already, of ``pieces``.
    visible: the difference, a share, that is found in 80 of 100 cases; spread: what that rests
    on. alone: there is one arm, so nothing is compared; too_few: test images below which there is no
    verdict, 0 where there are enough."""

    seconds: tuple[float, float]
    basis: str
    disk: int
    pieces: int
    here: int
    visible: float | None
    spread: str
    alone: bool = False
    too_few: int = 0

    @property
    def cost_sentence(self) -> str:
        """ "6 to 9 min and 120 MB, from ...; 4 of 30 pieces are here already."."""
        time = range_text(*self.seconds)
        here = f" {self.here} of {counted(self.pieces, 'piece')} of work are here already." * bool(
            self.here
        )
        if self.here == self.pieces:
            return (
                f"Nothing is left to compute: all {counted(self.pieces, 'piece')} of work are here."
            )
        return f"{time[0].upper()}{time[1:]} and {bytes_text(self.disk)}, {self.basis}.{here}"

    @property
    def power_sentence(self) -> str:
        """ "Differences of about 1.4 points can be seen, by ..."."""
        if self.alone:
            return "Nothing will be compared, as there is one arm: add another, now or later."
        if self.too_few:
            return (
                f"No verdict will be given: it takes {self.too_few:,} test images, {LEAST_A_CLASS} a"
                " class."
            )
        if self.visible is None:
            return "One seed sees no difference between arms: take two or more."
        return f"Differences of about {100 * self.visible:.1f} points can be seen ({self.spread})."


def estimate(config: ExperimentConfig) -> Estimate:
    """For the arms that are known beforehand, and of a search for as many as it may try. Needs no
    torch. Raises InputError where an arm cannot be."""
    require_possible(config)
    here, networks = Here(), dict[tuple[str, ...], str]()
    pace = Pace(here.runs)
    low = high = 0.0
    pieces = found = disk = 0
    planned = [replace(cell, arm="") for cell in cells(config)]
    if config.search:
        planned += _trials(config)
    counted_already: set[str] = set()  # what several arms share is made once
    for cell in planned:
        for kind, what, work, is_here in _pieces(config, cell, here, networks):
            if what in counted_already:
                continue
            counted_already.add(what)
            pieces += 1
            if is_here:
                found += 1
                continue
            least, most = pace.of_kind(kind, work)
            low, high = low + least, high + most
            disk += _bytes(config, cell) if kind == "generate" else RUN_BYTES * (kind == "train")
    for model in {cell.pretrain for cell in planned if cell.pretrain is not None}:
        pieces += 1  # which all arms of a seed share
        if here.model(model):
            found += 1
            continue
        least, most = pace.of_kind("pretrain", model)
        low, high, disk = low + least, high + most, disk + RUN_BYTES
    children = _children()
    basis = (
        f"from {counted(pace.runs, 'run')} here"
        if pace.runs
        else "as measured on other machines, as nothing was measured here yet"
    )
    visible, spread = _visible(config, here)
    seconds, alone = (low / children, high / children), is_alone(config)
    few = _too_few(config)
    return Estimate(seconds, basis, disk, pieces, found, visible, spread, alone, few)


def _trials(config: ExperimentConfig) -> list[Cell]:
    """As many cells as the trials of a search may have, at the base settings of its arms."""
    from cdp.experiments.plan import cell_of

    arm, trials = config.arm_of({}), trial_count(config)
    base = [cell_of(config, "", arm, seed) for seed in config.seeds]
    return [replace(cell, arm=f"trial {number}") for number in range(trials) for cell in base]


def _pieces(
    config: ExperimentConfig, cell: Cell, here: Here, networks: dict[tuple[str, ...], str]
) -> Iterable[tuple[str, str, Frozen, bool]]:
    """Kind, what names it, settings and whether it is here, of each piece of work of a cell. networks:
    what is known of them, each of which is read once."""
    name: str | None = cell.saved
    if cell.generate is not None:
        drawn: GenerateConfig | None = cell.generate
        if cell.pretrain is not None:
            model = here.model(cell.pretrain)
            drawn = cell.generate.model_copy(update={"model": model}) if model else None
        try:
            drawn = None if cell.learner else drawn
            content = None if drawn is None else generated_content(drawn, networks)
            name = here.set_of(content) if content else None  # not known before its learner is
        except CdpError:
            name = None
        what = f"{cell.arm} {cell.learner} {cell.pretrain!r} {cell.generate!r}"
        yield "generate", what, cell.generate, name is not None
    if config.stage == "samples":
        return
    known = not cell.synthetic or (bool(name) and not (cell.select or cell.pseudo_label))
    asked = cell.training(name or "a-set" if cell.synthetic else "")
    run = here.training(asked) if known else None
    trained = run is not None and run.state == "finished"
    yield "train", f"train {cell!r}", asked, trained
    if config.stage == "train":
        return
    evaluated = None
    if run is not None and trained:
        evaluated = here.evaluation(cell.evaluation(run.id), run.ended or run.created)
    done = evaluated is not None and evaluated.state == "finished"
    yield "evaluate", f"evaluate {cell!r}", cell.evaluate, done


def _children() -> int:
    """At a time, as far as that was measured."""
    known = measured(core_count())
    return int(min(known, key=lambda name: known[name])) if known else 1


def _bytes(config: ExperimentConfig, cell: Cell) -> int:
    assert cell.generate is not None
    try:
        channels, height, width = dataset_info(config.dataset).shape
    except CdpError:
        channels, height, width = 3, 32, 32
    return cell.generate.count * (channels * height * width + 8)


def _visible(config: ExperimentConfig, here: Here) -> tuple[float | None, str]:
    """The difference that a paired t test over the seeds finds in 80 of 100 cases."""
    seeds = len(config.seeds)
    if seeds < 2:
        return None, ""
    images = (cell.evaluate.images for cell in cells(config, seeds=config.seeds[:1]))
    n = next(images, None) or 10_000
    seen = _seen_differences(here, n)
    if seen:
        spread = (sum(s * s for s in seen) / len(seen)) ** 0.5
        basis = f"80 % power with {seeds} seeds and {n:,} images, by the spread of {counted(len(seen), 'comparison')} here"
    else:
        spread = (SEED_SPREAD**2 + IMAGE_SHARE * 2 * 0.25 / n) ** 0.5
        basis = f"80 % power with {seeds} seeds and {n:,} images, at an assumed spread of {100 * spread:.1f} points between pairs"
    return spread * _effect(seeds), basis


def _too_few(config: ExperimentConfig) -> int:
    """How many test images a verdict takes, where there are fewer."""
    least = LEAST_A_CLASS * len(dataset_info(config.dataset).classes)
    asked = next((cell.evaluate.images for cell in cells(config)), None)
    return least if config.stage == "evaluate" and asked is not None and asked < least else 0


def _effect(seeds: int) -> float:
    """In standard deviations of the paired differences."""
    low, high = 0.0, 100.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if power_of(seeds, middle) < 0.8 else (low, middle)
    return high


def _seen_differences(here: Here, n: int) -> list[float]:
    """Standard deviations of paired differences in earlier experiments with as many images."""
    spreads = []
    for run in here.runs:
        if not isinstance(run.config, ExperimentConfig) or run.config.stage != "evaluate":
            continue
        try:
            states = read_cells(run.folder)
        except InputError:
            continue
        done = {key: state for key, state in states.items() if state.stage == "done"}
        control = run.config.control_name
        for arm in {arm for arm, _ in done} - {control}:
            pairs = []
            for seed in {seed for own, seed in done if own == arm}:
                other = done.get((control, seed))
                values = [reported_value(s, "robust") for s in (done[arm, seed], other) if s]
                if len(values) == 2 and None not in values:
                    pairs.append(float(values[0] or 0) - float(values[1] or 0))
            if len(pairs) >= 3:
                spreads.append(statistics.stdev(pairs))
    return spreads[:50]
