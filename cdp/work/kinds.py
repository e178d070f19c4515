"""What a background run can do: one entry a kind, with how its settings are read and what works on
it.

Pages and the launcher read this registry, so nothing heavy is imported before a worker calls
``work``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cdp import paths
from cdp.config.evaluate import EvaluateConfig
from cdp.config.generate import GenerateConfig, flatten, unflatten
from cdp.config.knobs import Frozen, parse
from cdp.config.pretrain import EncoderConfig, PretrainConfig
from cdp.config.train import TrainConfig
from cdp.data.names import valid_name
from cdp.errors import InputError
from cdp.files.atomic import refuse_existing
from cdp.models.places import encoder_folder, model_folder
from cdp.work.progress import Progress

if TYPE_CHECKING:
    from cdp.work.records import Run


class Points(Protocol):
    """The journal as work sees it: adding a point replaces what was there from its step on."""

    def append(self, step: int, values: Mapping[str, float]) -> None: ...

    def cut(self, step: int) -> None: ...


@dataclass(frozen=True)
class Context:
    """What work tells the world while it goes on. on_progress, should_stop: cheap, for every step.

    notice: shows a sentence beside the run, or takes it away (None).
    """

    on_progress: Callable[[Progress], None]
    should_stop: Callable[[], bool]
    journal: Points
    notice: Callable[[str | None], None]


Work = Callable[["Run", Context], dict[str, Any] | None]


@dataclass(frozen=True)
class Kind:
    """One kind of run. title: for people; makes: what it makes outside its own folder, in words.

    read, write: settings from and to JSON; read raises InputError. named: the settings that go with
    a run's name. place: where that goes, None for a kind that keeps all in the run; raises
    InputError where it cannot have that name. names: taken in that place. ready: raises CdpError
    where what the settings name is not here or does not fit. work: does it, and returns the result;
    raises Cancelled where it was stopped, Halted where it ended itself. discard: moves what an
    unfinished run left outside into a folder of the trash.
    """

    name: str
    title: str
    read: Callable[[dict[str, Any]], Frozen]
    write: Callable[[Any], dict[str, Any]]
    work: Work
    makes: str = ""
    place: Callable[[str, Any], Path | None] = lambda name, config: None
    names: Callable[[], set[str]] = set
    named: Callable[[str, Any], Frozen] = lambda name, config: config
    ready: Callable[[Any], object] = lambda config: None
    discard: Callable[[Run, Path], None] = lambda run, target: None

    def check(self, name: str, config: Frozen) -> None:
        """Raises InputError where a run cannot have this name, where what it would make is there
        already, or what it needs is not."""
        place = self.place(valid_name(name), config)
        if place is not None:
            refuse_existing(place)
        self.ready(config)


def kind_of(name: str) -> Kind:
    """The kind of that name. Raises InputError that lists them."""
    if name not in KINDS:
        raise InputError(f"kind {name[:40]!r} is unknown: choose one of {', '.join(KINDS)}")
    return KINDS[name]


def _generate(run: Run, context: Context) -> dict[str, Any]:
    from cdp.work.work_generate import generate

    return generate(run, context)


def _ready_to_generate(config: GenerateConfig) -> None:
    from cdp.tasks.sources import dataset_of_generation, require_aims

    dataset_of_generation(config)
    require_aims(config)


def _train(run: Run, context: Context) -> dict[str, Any]:
    from cdp.work.work_train import train

    return train(run, context)


def _ready_to_train(config: TrainConfig) -> None:
    """Said now, not when the run's turn has come."""
    from cdp.tasks.train_data import prepare

    prepare(config)


def _evaluate(run: Run, context: Context) -> dict[str, Any]:
    from cdp.work.work_evaluate import evaluate

    return evaluate(run, context)


def _ready_to_evaluate(config: EvaluateConfig) -> None:
    from cdp.tasks.evaluate_data import prepare
    from cdp.tasks.evaluate_nets import require_weights

    require_weights(config, prepare(config))


def _pretrain(run: Run, context: Context) -> dict[str, Any]:
    from cdp.work.work_pretrain import pretrain_model

    return pretrain_model(run, context)


def _pretrain_encoder(run: Run, context: Context) -> dict[str, Any]:
    from cdp.work.work_pretrain import pretrain_encoder

    return pretrain_encoder(run, context)


def _ready_to_pretrain(config: PretrainConfig | EncoderConfig) -> None:
    from cdp.tasks.pretrain.data import require_ready

    require_ready(config)


def _discard_set(run: Run, target: Path) -> None:
    from cdp.work.work_generate import discard

    discard(run, target)


def _discard_training(run: Run, target: Path) -> None:
    from cdp.work.work_pretrain import discard

    discard(run, target)


def _reader(model: type[Frozen]) -> Callable[[dict[str, Any]], Frozen]:
    return lambda data: parse(model, data)


def _named(name: str, config: Frozen) -> Frozen:
    """The model takes the run's name."""
    return parse(type(config), config.model_dump() | {"name": name})


def _entries(*roots: Path) -> set[str]:
    return {entry.name for root in roots if root.is_dir() for entry in root.iterdir()}


def _dump(config: Frozen) -> dict[str, Any]:
    return config.model_dump(mode="json")


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "generate",
            "Generation",
            unflatten,
            flatten,
            _generate,
            makes="a set",
            place=lambda name, config: paths.sets_dir() / name,
            names=lambda: _entries(paths.sets_dir()),
            ready=_ready_to_generate,
            discard=_discard_set,
        ),
        Kind(
            "train", "Robust training", _reader(TrainConfig), _dump, _train, ready=_ready_to_train
        ),
        Kind(
            "evaluate",
            "Evaluation",
            _reader(EvaluateConfig),
            _dump,
            _evaluate,
            ready=_ready_to_evaluate,
        ),
        Kind(
            "pretrain",
            "Diffusion model",
            _reader(PretrainConfig),
            _dump,
            _pretrain,
            makes="a model",
            place=lambda name, config: model_folder(config),
            names=lambda: _entries(paths.ASSETS / "models", paths.models_dir()),
            named=_named,
            ready=_ready_to_pretrain,
            discard=_discard_training,
        ),
        Kind(
            "pretrain-encoder",
            "Encoder",
            _reader(EncoderConfig),
            _dump,
            _pretrain_encoder,
            makes="an encoder",
            place=lambda name, config: encoder_folder(config),
            names=lambda: _entries(
                *paths.encoders_dir().glob("*"), *(paths.ASSETS / "encoders").glob("*")
            ),
            named=_named,
            ready=_ready_to_pretrain,
            discard=_discard_training,
        ),
    )
}
"""Every kind of run by its name in config.json."""
