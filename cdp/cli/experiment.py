"""experiment: from a YAML file to a verdict."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cdp.cli.options import AsJson, AsJsonAtEnd, argument, option
from cdp.cli.output import aligned, print_json, say
from cdp.cli.runs import Wait, find, only, require_finished, waited
from cdp.config.experiment import ExperimentConfig
from cdp.errors import InputError, MissingError
from cdp.values.experiment import SHARES
from cdp.values.text import points_with_bounds, share_with_bounds
from cdp.values.types import Interval

if TYPE_CHECKING:
    from cdp.values.experiment import ArmResult, ExperimentResult
    from cdp.work.records import Run

NAME = "experiment"
app = typer.Typer(
    help="Compare arms over paired seeds: from a question to a verdict.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
File = Annotated[
    Path, argument("FILE", "A YAML or JSON file; docs/experiments.md says what may stand in it.")
]
Which = Annotated[
    str,
    argument("EXPERIMENT", "An experiment by name, or by its run's id or the beginning of that."),
]


@app.command()
def run(
    file: File,
    background: Annotated[
        bool,
        option("Return at once; the experiment goes on and is listed by runs.", "--background"),
    ] = False,
    as_json: AsJsonAtEnd = False,
) -> None:
    """Run the experiment of a file to its verdict.

    The same file again gives the same answer at once: what is there is not made again. Ctrl-C ends
    the waiting, not the experiment.
    """
    from cdp.experiments.begin import begin
    from cdp.experiments.files import read_experiment
    from cdp.experiments.plan import ALONE, is_alone

    config = read_experiment(file)
    run_id = begin(config)
    if is_alone(config):
        say(f"note: {ALONE}")
    if background:
        _say_started(run_id, as_json=as_json)
    else:
        _conclude(run_id, as_json=as_json)


@app.command()
def show(experiment: Which, as_json: AsJson = False) -> None:
    """Tell what an experiment has come to, also one of the example study."""
    _print(_find(experiment), as_json=as_json)


@app.command()
def stop(experiment: Which, as_json: AsJson = False) -> None:
    """Stop an experiment and the runs that it had started. What is done is kept."""
    from cdp.cli import runs

    runs.stop(_find_own(experiment).id, as_json)


@app.command()
def resume(experiment: Which, wait: Wait = False, as_json: AsJson = False) -> None:
    """Let an experiment that was stopped, killed or failed go on."""
    from cdp.work import launch

    found = _find_own(experiment)
    launch.resume(found.id)
    if wait:
        _conclude(found.id, as_json=as_json)
    else:
        _say_started(found.id, as_json=as_json)


@app.command()
def extend(
    experiment: Which,
    file: Annotated[
        Path | None, option("A file with more seeds, arms, images or a stronger attack.")
    ] = None,
    seeds: Annotated[int, option("So many further seeds.", min=0, max=50)] = 0,
    attack: Annotated[str, option("Evaluate with this suite as well.")] = "",
    hours: Annotated[float, option("So many further hours, where it has a limit.", min=0)] = 0.0,
    background: Annotated[bool, option("Return at once.", "--background")] = False,
    as_json: AsJsonAtEnd = False,
) -> None:
    """Ask more of an experiment: only what is new is computed."""
    from cdp.experiments.begin import extend_run, more
    from cdp.experiments.files import read_experiment

    found = _find_own(experiment)
    if file is not None and (seeds or attack or hours):
        raise InputError("file: give a file, or --seeds, --attack and --hours, not both")
    if file is not None:
        config = read_experiment(file)
    elif seeds or attack or hours:
        config = more(_config(found), seeds=seeds, attack=attack, hours=hours)
    else:
        raise InputError(
            "seeds: say what to add: --seeds N, --attack SUITE, --hours H or --file FILE"
        )
    extend_run(found.id, config)
    if background:
        _say_started(found.id, as_json=as_json)
    else:
        _conclude(found.id, as_json=as_json)


def _find(text: str) -> Run:
    """The experiment meant, the user's own before one of the example study. Raises MissingError
    that lists the names where there is none."""
    from cdp.experiments.begin import experiments

    everything = experiments(shipped=True)
    named = [run for run in everything if run.name == text]
    own = [run for run in named if not run.shipped]
    begun = [run for run in everything if text and run.id.startswith(text)]
    found = only(text, own, named, begun)
    if found is not None:
        return found
    with suppress(MissingError):
        run = find(text)
        raise InputError(f"run {run.id} is no experiment but of kind {run.kind}")
    known = ", ".join(dict.fromkeys(run.name for run in everything)) or "none yet"
    raise MissingError(f"experiment {text[:80]!r} is unknown: there are {known}")


def _find_own(text: str) -> Run:
    """Likewise. Raises InputError for one that is read only."""
    from cdp.work.records import require_own

    run = _find(text)
    require_own(run)
    return run


def _config(run: Run) -> ExperimentConfig:
    if not isinstance(run.config, ExperimentConfig):
        raise InputError(run.error or f"run {run.id} has no settings")
    return run.config


def _say_started(run_id: str, *, as_json: bool) -> None:
    from cdp.work.records import get_run

    run = get_run(run_id)
    if as_json:
        print_json({"run": run.id, "name": run.name, "state": run.state})
    else:
        print(f"{run.id}: {run.name} is {run.state}")
        say(f"see it with: python -m cdp experiment show {run.name}")


def _conclude(run_id: str, *, as_json: bool) -> None:
    """Wait for the end, and print what it came to."""
    run = waited(run_id, "parts")
    _print(run, as_json=as_json)
    require_finished(run)


def _print(run: Run, *, as_json: bool) -> None:
    from cdp.experiments.record import line_of
    from cdp.experiments.results import result_of

    result = result_of(_config(run), run.folder, run.name)
    if as_json:
        print_json({"run": run.id, "state": run.state, **line_of(result)})
        return
    print(result.verdict or f"{run.name}: no pair of arms is finished yet ({run.state})")
    if result.basis:
        print(result.basis)
    rows = [_row(arm, result) for arm in result.arms]
    print(
        aligned(
            [("ARM", "SEEDS", "STEPS", *(o.upper() for o in _shown(result)), "DIFFERENCE"), *rows]
        )
    )
    for sentence in (*(proxy.sentence for proxy in result.proxies), *result.notes):
        say(f"note: {sentence}")


def _shown(result: ExperimentResult) -> list[str]:
    return list(dict.fromkeys([*result.objective, "clean"]))


def _row(arm: ArmResult, result: ExperimentResult) -> tuple[str, ...]:
    tested: Any = arm.difference.difference if arm.difference else None
    return (
        arm.name,
        str(len(arm.seeds)),
        "" if arm.steps is None else f"{arm.steps:,}",
        *(_figure(arm.figures.get(name), name) for name in _shown(result)),
        "control"
        if arm.name == result.control
        else ""
        if tested is None
        else _difference(tested, str(arm.difference.metric) if arm.difference else ""),
    )


def _difference(difference: Interval, figure: str) -> str:
    if figure in SHARES:
        return points_with_bounds(difference)
    bounds = f" ({difference.low:+.3g} to {difference.high:+.3g})" if difference.wide else ""
    return f"{difference.value:+.3g}{bounds}"


def _figure(figure: Interval | None, name: str) -> str:
    if figure is None:
        return ""
    if name not in SHARES:
        return f"{figure.value:.4g}"
    return share_with_bounds(figure)
