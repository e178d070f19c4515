"""The study: ``python -m scripts.study`` runs the experiments of ``studies/`` one after the other,
in a workspace of their own, and writes docs/study.md and the records that are shipped.

It may be stopped at any time: started again it goes on, and computes nothing twice. ``--quick`` runs
the one experiment of ``studies/quick`` and prints its verdict; ``--report`` runs nothing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cdp import paths
from cdp.config.experiment import ExperimentConfig
from cdp.data.samples import CARD, IMAGE, LABEL
from cdp.data.sets import is_saved, open_set
from cdp.errors import CdpError
from cdp.experiments.begin import experiments
from cdp.experiments.cells import CELLS
from cdp.experiments.files import read_experiment
from cdp.experiments.plan import cells as planned
from cdp.experiments.record import line_of
from cdp.experiments.results import result_of
from cdp.experiments.search import STUDY as SEARCH
from cdp.files.atomic import write_json
from cdp.files.reading import read_json
from cdp.paths import ROOT
from cdp.results.reached import BEST_CARD
from cdp.results.rows import ARM, join_arm
from cdp.values.evaluation import OUTCOMES, REPORT
from cdp.values.experiment import CellState
from cdp.values.text import counted
from cdp.work.journal import JOURNAL
from cdp.work.records import CONFIG, STATUS, Run, get_run
from scripts.study_analysis import equal_counts, place_sentences, places

STUDIES = ROOT / "studies"
DOCUMENT = ROOT / "docs" / "study.md"
SHEET = 64
"""Images of a set that are shipped, under the first seed; of others one."""
FILES = (CONFIG, STATUS, JOURNAL, CELLS, SEARCH, REPORT, OUTCOMES, BEST_CARD, ARM)
"""Of a run that are shipped: settings, result, curve, and the outcome of every image."""


DIGITS, WEAK = "digits", "weak"
"""The second data set, and a diffusion model that was trained less than the shipped one."""
Step = tuple[bool, tuple[str, ...]]
"""Whether it is done already, and a module with its arguments that does it."""
ENCODERS = {
    "robust": ("--kind", "robust", "--epsilon", "0.2"),
    "standard": ("--kind", "standard"),
    "judge": ("--kind", "standard", "--seed", "1"),
}
"""Of the digits, by name."""
EXAMPLES = frozenset(
    {"headroom-long", "pair", "pair-autoattack", "dose", "main", "main-autoattack"}
)
"""Experiments of which every run is shipped, so that the app can show them; of the others the
outcome alone."""


@dataclass(frozen=True)
class Study:
    """One experiment of the study. question: the first line of its file; run: None where it is not
    finished in this workspace; outcome: what it came to, None where that is not known."""

    path: Path
    question: str
    config: ExperimentConfig
    run: Run | None
    outcome: Mapping[str, Any] | None


def main() -> int:
    """0 where everything that was asked for is finished."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="of the experiments; without, all in order")
    parser.add_argument("--home", type=Path, help="the workspace (default: workspace/study)")
    parser.add_argument("--quick", action="store_true", help="the experiment of 20 minutes alone")
    parser.add_argument("--report", action="store_true", help="run nothing, write what is there")
    given = parser.parse_args()
    os.environ["CDP_HOME"] = str(given.home or ROOT / "workspace" / "study")
    folder = STUDIES / "quick" if given.quick else STUDIES
    known = [read_study(path) for path in sorted(folder.glob("*.yaml"))]
    chosen = [study for study in known if not given.names or study.config.name in given.names]
    failed = False
    for study in chosen if not given.report else ():
        sys.stdout.write(f"{study.config.name}: {study.question}\n")
        sys.stdout.flush()
        failed |= not (prepared(study.config) and run(study))
        if not given.quick:
            write(known)
    if given.report:
        write(known)
    return 1 if failed else 0


def run(study: Study) -> bool:
    """Run it to its verdict; whether it got there."""
    return python("cdp", "experiment", "run", str(study.path))


def prepared(config: ExperimentConfig) -> bool:
    """Whether that is here which its arms take and nothing ships, after it was made."""
    steps: list[Step] = []
    if any((arm.generate or {}).get("weak_model") == WEAK for _, arm in config.all_arms()):
        steps.append(pretraining("fashion-mnist", WEAK, 1000, "--widths", "32,64"))
    if config.dataset == DIGITS:
        files = paths.home() / "digits"
        steps += [
            (is_saved(DIGITS), ("scripts.digits", str(files))),
            (is_saved(DIGITS), ("cdp", "import", str(files / "digits.npz"), "--name", DIGITS)),
            pretraining(DIGITS, DIGITS, 10_000),
        ]
        for name, more in ENCODERS.items():
            command = ("cdp", "pretrain-encoder", "--dataset", DIGITS, "--name", name, *more)
            steps.append(((paths.encoders_dir() / DIGITS / name).exists(), command))
    return all(done or python(*command) for done, command in steps)


def pretraining(dataset: str, name: str, steps: int, *more: str) -> Step:
    """A diffusion model under this name. more: options of the command."""
    command = ("cdp", "pretrain", "--dataset", dataset, "--name", name, "--steps", f"{steps}")
    return (paths.models_dir() / name).exists(), (*command, *more)


def python(module: str, *words: str) -> bool:
    """Run a module at low priority; whether it ended well."""
    low = ["nice", "-n", "19"] if shutil.which("nice") else []
    command = [*low, sys.executable, "-m", module, *words]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def read_study(path: Path) -> Study:
    """The experiment of a file of ``studies/``, as it is in this workspace, or else was shipped."""
    config = read_experiment(path)
    first = path.read_text(encoding="utf-8").splitlines()[0]
    over = (run for run in experiments() if run.state == "finished")
    run = next((run for run in over if run.config == config), None)
    outcome = outcome_of(config, run) if run else read_json(outcome_file(config.name))
    return Study(path, first.removeprefix("#").strip(), config, run, outcome)


def outcome_file(name: str) -> Path:
    return paths.example_dir() / "outcomes" / f"{name}.json"


def outcome_of(config: ExperimentConfig, run: Run) -> dict[str, Any]:
    """What the command line says of it, the mean seconds that images and training of each arm took,
    and what the study asks besides."""
    result = result_of(config, run.folder, run.name)
    spent = {
        arm.name: {
            "make": mean(made(cell) for cell in result.cells if cell.arm == arm.name),
            "train": mean(trained(cell) for cell in result.cells if cell.arm == arm.name),
        }
        for arm in result.arms
    }
    placed = places(config, result) if config.name in EXAMPLES else []
    more = [*equal_counts(config, result), *place_sentences(placed)]
    return line_of(result) | {"seconds": spent, "places": placed, "sentences": more}


def write(known: Iterable[Study]) -> None:
    """The records of all that is there, and the document."""
    studies = [read_study(study.path) for study in known]
    export(studies)
    DOCUMENT.write_text(document(studies), encoding="utf-8")


def export(studies: Iterable[Study]) -> None:
    """Write what each came to, and of ``EXAMPLES`` the records of all runs, without weights and
    with ``SHEET`` images a set, into a folder that is laid out as a workspace."""
    target = paths.example_dir()
    for study in studies:
        if study.outcome is not None:
            outcome_file(study.config.name).parent.mkdir(parents=True, exist_ok=True)
            write_json(outcome_file(study.config.name), dict(study.outcome))
        if study.run is None or study.config.name not in EXAMPLES:
            continue
        copy_run(study.run, target)
        cells = result_of(study.config, study.run.folder, study.run.name).cells
        first = min((cell.seed for cell in cells), default=0)
        groups = {(plan.arm, plan.seed): plan.group() for plan in planned(study.config)}
        for cell in cells:
            for run_id in (cell.train, cell.evaluate):
                if run_id:
                    copy_run(get_run(run_id), target)
            if cell.train and (group := groups.get((cell.arm, cell.seed))):
                join_arm(target / "runs" / cell.train, group)
            if cell.set and is_saved(cell.set):
                copy_sheet(cell.set, target / "sets" / cell.set, SHEET if cell.seed == first else 1)


def copy_run(run: Run, target: Path) -> None:
    """Its files of ``FILES``."""
    for name in FILES:
        source = run.folder / name
        if source.is_file():
            copy = target / "runs" / run.id / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)


def copy_sheet(name: str, target: Path, most: int) -> None:
    """The first images of a set, and its card, which says so."""
    source = open_set(name)
    count = min(most, len(source))
    target.mkdir(parents=True, exist_ok=True)
    np.save(target / IMAGE, np.asarray(source.image[:count]), allow_pickle=False)
    if source.label is not None:
        np.save(target / LABEL, np.asarray(source.label[:count]), allow_pickle=False)
    about = f"the first {count} of {counted(len(source), 'image')} of {name}"
    write_json(target / CARD, dict(source.card) | {"count": count, "source": about})


def document(studies: Iterable[Study]) -> str:
    """docs/study.md."""
    known = list(studies)
    lines = [HEAD.strip(), "", "| experiment | question | verdict |", "| --- | --- | --- |"]
    for study in known:
        verdict = study.outcome["verdict"] if study.outcome else "not finished yet"
        lines.append(f"| {study.config.name} | {study.question} | {verdict} |")
    for study in known:
        if study.outcome:
            lines += ["", *section(study, study.outcome)]
    return "\n".join([*lines, "", TAIL.strip(), ""])


def section(study: Study, outcome: Mapping[str, Any]) -> Iterator[str]:
    """One experiment: verdict, arms, what its images cost."""
    yield f"## {study.config.name}"
    yield ""
    yield study.question
    yield ""
    yield f"**{outcome['verdict']}**"
    yield ""
    yield "| arm | seeds | robust | clean | difference | agreement | Frechet | to make | to train |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for arm in outcome["arms"]:
        spent = outcome["seconds"][arm["name"]]
        row = [
            arm["name"],
            str(len(arm["seeds"])),
            percent(arm["robust"]),
            percent(arm["clean"]),
            points(arm["difference"]),
            percent(arm.get("agreement")),
            number(arm.get("frechet")),
            *("" if spent[of] is None else f"{spent[of]:.0f} s" for of in ("make", "train")),
        ]
        yield f"| {' | '.join(row)} |"
    if outcome["places"]:
        yield ""
        yield "| arm | separation c | angle | robust by the model | robust |"
        yield "| --- | --- | --- | --- | --- |"
    for place in outcome["places"]:
        model = "" if place["model"] is None else f"{100 * place['model']:.1f} %"
        where = f"{place['separation']:.2f} | {place['angle']:.0f} degrees"
        yield f"| {place['arm']} | {where} | {model} | {100 * place['robust']:.1f} % |"
    sentences = [proxy["sentence"] for proxy in outcome["proxies"]]
    for text in [*outcome["sentences"], *sentences, *outcome["notes"]]:
        yield ""
        yield text


def percent(figure: dict[str, Any] | None) -> str:
    if figure is None:
        return ""
    value, low, high = (100 * figure[name] for name in ("value", "low", "high"))
    return f"{value:.1f} % ({low:.1f}..{high:.1f})"


def points(figure: dict[str, Any] | None) -> str:
    if figure is None:
        return ""
    value, low, high = (100 * figure[name] for name in ("value", "low", "high"))
    return f"{value:+.1f} ({low:+.1f}..{high:+.1f})"


def number(figure: dict[str, Any] | None) -> str:
    return "" if figure is None else f"{figure['value']:.1f}"


def mean(values: Iterable[float | None]) -> float | None:
    """Of those that are known; None where none is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def maker(name: str) -> Run | None:
    """The run that made a set, or the set that this is a part of; None where it is gone."""
    try:
        card = open_set(name).card
        parent = card.get("parent")
        if isinstance(parent, dict):
            card = open_set(str(parent.get("name"))).card
        return get_run(str(card.get("run")))
    except CdpError:
        return None


def made(cell: CellState) -> float | None:
    """Seconds that its images took."""
    run = maker(cell.set) if cell.set else None
    return run.progress.seconds if run and run.progress else None


def trained(cell: CellState) -> float | None:
    """Seconds that its training took."""
    progress = get_run(cell.train).progress if cell.train else None
    return progress.seconds if progress else None


HEAD = """
# The study: does contrastive guidance pay, per generated image?

Written by `python -m scripts.study --report` from the records of the experiments in `studies/`.
Every number can be taken again: `make study` runs what is missing, in order, at low priority, and
may be stopped at any time; `make study-quick` asks the question at small size in about 20 minutes
on two cores. To ask it of other data or networks copy a file of `studies/`, change it, and give it
to the page *Experiment* or to `python -m cdp experiment run`.

Arms are compared with their control over paired seeds at equal optimiser steps; intervals are of
95 %, differences are in points and corrected for the number of arms (see
[Experiments](experiments.md)). Seconds are of cores that did other work as well, more of it for
some arms than for others, so they compare no arms.
"""
TAIL = """
What each experiment came to lies in `assets/study/outcomes`. Of headroom-long, pair, dose and the
main comparison, as far as they are finished, all records lie beside them: settings, curves,
reports, the outcome of every test image, and the first 64 images of every set, without the weights.
Home shows one of them, and the page *Experiment* lists them as examples, which are read only.
"""

if __name__ == "__main__":
    sys.exit(main())
