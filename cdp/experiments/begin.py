"""Starting an experiment, or asking more of one: the page and the command line do the same."""

from __future__ import annotations

from typing import Any

from cdp.config.experiment import MAX_SEEDS, ExperimentConfig
from cdp.config.knobs import parse
from cdp.errors import InputError
from cdp.experiments.plan import require_possible, require_ready
from cdp.work.launch import earlier_configs, extend, free_name, launch, resume
from cdp.work.records import RESUMABLE, Run, list_runs, shipped_runs
from cdp.work.registry import TASKS

KIND = "experiment"


def begin(config: ExperimentConfig) -> str:
    """The id of the run of this experiment, which is started, or gone on with, where it is not
    finished. Raises InputError where another experiment has its name."""
    name = config.name or free_name(TASKS[KIND], "experiment")
    for run in experiments():
        if run.name == name and run.config is not None:
            if not _same(run.config, config) and not _extended(run, config):
                raise InputError(
                    f"name: there is another experiment {name!r} with other settings (run {run.id}):"
                    f" choose another name, or give it these settings with python -m cdp experiment"
                    f" extend {name} --file FILE"
                )
            return _gone_on_with(run, config)
        if not config.name and run.config is not None and _same(run.config, config):
            return _gone_on_with(run, config)
    return launch(TASKS[KIND], config, name)


def _gone_on_with(run: Run, config: ExperimentConfig) -> str:
    if run.state in RESUMABLE:
        require_ready(config)
        resume(run.id)
    return run.id


def _extended(run: Run, config: ExperimentConfig) -> bool:
    """Whether the experiment had these settings before it was extended."""
    return any(_same(before, config) for before in earlier_configs(run.folder))


def _same(first: Any, second: ExperimentConfig) -> bool:
    return bool(
        isinstance(first, ExperimentConfig)
        and first.model_dump(exclude={"name"}) == second.model_dump(exclude={"name"})
    )


def experiments(*, shipped: bool = False) -> list[Run]:
    """All of them, newest first. shipped: those of the example study after them."""
    runs = [*list_runs(), *(shipped_runs() if shipped else ())]
    return [run for run in runs if run.kind == KIND]


def more(
    config: ExperimentConfig, *, seeds: int = 0, attack: str = "", hours: float = 0.0
) -> ExperimentConfig:
    """The same experiment with further seeds, another attack, or more hours. Raises InputError."""
    data = config.model_dump(mode="json")
    if hours:
        if config.hours is None:
            raise InputError("hours: this experiment has no limit of hours: leave it out")
        data["hours"] = config.hours + hours
    if len(config.seeds) + seeds > MAX_SEEDS:
        raise InputError(f"seeds: {len(config.seeds) + seeds} are more than {MAX_SEEDS}: add fewer")
    first = max(config.seeds) + 1
    data["seeds"] = [*config.seeds, *range(first, first + seeds)]
    if attack:
        data["evaluate"] = {**config.evaluate, "attack": attack}
    return parse(ExperimentConfig, data)


def extend_run(run_id: str, config: ExperimentConfig) -> None:
    """Give an experiment these settings, also while it is at work, and let it go on. Only what is
    new is computed. Raises CdpError, with nothing changed, where it asks for more images than there
    are; a set that is gone may not be needed any more."""
    require_possible(config)
    extend(TASKS[KIND], run_id, config)
