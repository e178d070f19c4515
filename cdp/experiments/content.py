"""What is here already: sets, trainings and evaluations by their content, so that nothing is
computed twice, whoever made it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

from cdp.config.evaluate import EvaluateConfig
from cdp.config.experiment import PseudoLabel, Select
from cdp.config.generate import AUTOGUIDANCE, GenerateConfig, flatten, unflatten
from cdp.config.presets import PRESETS
from cdp.config.pretrain import PretrainConfig
from cdp.config.train import TrainConfig
from cdp.data.registry import dataset_info
from cdp.data.sets import is_saved, list_sets, open_set
from cdp.errors import CdpError
from cdp.files.cache import digest
from cdp.models.encoders import encoder_weights
from cdp.models.pipelines import model_folder, model_weights
from cdp.results.reached import best_card
from cdp.tasks.sources import dataset_of_generation
from cdp.work.cost import is_guided
from cdp.work.records import Run, list_runs

_ORDER = ("finished", "running", "queued", "stopping", "stopped", "interrupted", "failed")
"""Of runs with one content the one that is furthest."""
_NO_NUMBER = frozenset({"overfitting"})
"""Settings of a training that change none of its numbers, unless they end it."""


def generated_content(
    config: GenerateConfig, known: dict[tuple[str, ...], str] | None = None
) -> str:
    """Equal exactly for generations that give the same images on one machine. known: what earlier
    calls read of networks, where they may be taken to be the same still. Raises CdpError where a
    network is not here."""
    known = {} if known is None else known

    def once(key: tuple[str, ...], read: Callable[[], str]) -> str:
        if key not in known:
            known[key] = read()
        return known[key]

    def weights(model: str) -> str:
        return once(("model", model), lambda: model_weights(model))

    name, model, sampler = config.guidance.encoder, config.model, config.sampler
    dataset = once(("dataset", model, config.dataset), lambda: dataset_of_generation(config))
    encoder = ""
    if is_guided(config):
        encoder = once(("encoder", name, dataset), lambda: encoder_weights(name, dataset))
    weak = weights(sampler.weak_model) if sampler.autoguided else ""
    return _content(config, dataset, weights(model), encoder, weak)


def _content(config: GenerateConfig, dataset: str, model: str, encoder: str, weak: str) -> str:
    flat = flatten(config) | {"dataset": dataset}
    if not is_guided(config):
        own = (*GenerateConfig.model_fields, *type(config.sampler).model_fields)
        flat |= {name: None for name in flat if name not in own} | PRESETS["unguided"].flat
    # A model is its weights, by whatever name or path it was asked for.
    left = {"model", "encoder", *(["weak_model"] if weak else AUTOGUIDANCE)}
    settings = {name: value for name, value in flat.items() if name not in left}
    return digest("generated", sorted(settings.items()), model, encoder, *([weak] if weak else []))


def card_content(name: str, card: Mapping[str, Any]) -> str:
    """The same for a saved set, by its card; of one that was not generated here what names it."""
    try:
        if card.get("kind") == "generated":
            config = unflatten(card["config"])
            encoder = (card.get("encoder") or {}).get("sha256", "") if is_guided(config) else ""
            weak = card["weak_model"]["sha256"] if config.sampler.autoguided else ""
            model = card["model"]["sha256"]
            return _content(config, card.get("dataset") or "", model, encoder, weak)
    except (CdpError, KeyError, TypeError, AttributeError):
        pass  # a card of an older version: by its name and date
    return digest("saved", name, card.get("created"), card.get("count"))


class Here:
    """What the workspace holds, as it was when this was made."""

    def __init__(self) -> None:
        self.runs = list_runs()
        self._runs = {run.id: run for run in self.runs}

    @cached_property
    def _cards(self) -> dict[str, dict[str, Any]]:
        return {entry.name: entry.card for entry in list_sets() if entry.card is not None}

    @cached_property
    def _by_content(self) -> dict[str, str]:
        # Of several the oldest: listed newest first, so it comes last.
        return {card_content(name, card): name for name, card in self._cards.items()}

    def set_of(self, content: str) -> str | None:
        """The name of a finished set."""
        return self._by_content.get(content)

    def part_of(self, parent: str, wish: Select | PseudoLabel, seed: int) -> str | None:
        """The name of the part of set ``parent`` that ``wish`` asks for."""
        for name, card in self._cards.items():
            if (card.get("parent") or {}).get("name") == parent and _is_part(card, wish, seed):
                return name
        return None

    def run(self, run_id: str) -> Run | None:
        return self._runs.get(run_id)

    def pretraining(self, config: PretrainConfig) -> Run | None:
        """A run that trains this diffusion model, whatever its name, or has trained one that is
        still here."""
        return _furthest(
            run
            for run in self._of("pretrain")
            if isinstance(run.config, PretrainConfig)
            and run.config.model_copy(update={"name": ""}) == config
            and (run.state != "finished" or model_folder(run.config).exists())
        )

    def model(self, config: PretrainConfig) -> str:
        """The name of this diffusion model; "" while it is not trained."""
        run = self.pretraining(config)
        if run is None or run.state != "finished" or not isinstance(run.config, PretrainConfig):
            return ""
        return model_folder(run.config).name

    def generation(self, config: GenerateConfig) -> Run | None:
        """A run that is making this set, or had begun to."""
        wanted = flatten(config)
        return _furthest(
            run
            for run in self._of("generate")
            if run.state != "finished"
            and isinstance(run.config, GenerateConfig)
            and flatten(run.config) == wanted
        )

    def training(self, config: TrainConfig) -> Run | None:
        """A training of the same settings on the same images."""
        wanted = _training_key(config, [self._set_content(name, {}) for name in config.sets])
        born = _born(config.dataset)
        return _furthest(
            run
            for run in self._trainings.get(wanted, ())
            if run.created >= born
            and isinstance(run.config, TrainConfig)
            and (not halted(run) or run.config.overfitting == config.overfitting)
        )

    @cached_property
    def _trainings(self) -> dict[str, list[Run]]:
        found: dict[str, list[Run]] = {}
        for run in self._of("train"):
            if isinstance(run.config, TrainConfig):
                key = _training_key(run.config, self._trained_on(run, run.config))
                found.setdefault(key, []).append(run)
        return found

    def evaluation(self, config: EvaluateConfig, since: float) -> Run | None:
        """One of these settings that began after the training was over. since: unix time."""
        return _furthest(
            run
            for run in self._evaluations.get(config.model, ())
            if run.config == config and run.created >= since
        )

    @cached_property
    def _evaluations(self) -> dict[str, list[Run]]:
        found: dict[str, list[Run]] = {}
        for run in self._of("evaluate"):
            if isinstance(run.config, EvaluateConfig):
                found.setdefault(run.config.model, []).append(run)
        return found

    def _of(self, kind: str) -> Iterator[Run]:
        return (run for run in self.runs if run.kind == kind)

    def _trained_on(self, run: Run, config: TrainConfig) -> list[str]:
        recorded = best_card(run.folder).get("sets") if config.sets else None
        by_name = {
            str(item.get("name")): item
            for item in (recorded if isinstance(recorded, list) else [])
            if isinstance(item, dict)
        }
        return [self._set_content(name, by_name.get(name, {})) for name in config.sets]

    def _set_content(self, name: str, recorded: Mapping[str, Any]) -> str:
        """What is in a set; of one that is another by now, what was recorded of it."""
        card = self._cards.get(name)
        if card is None:
            try:
                card = open_set(name).card
            except CdpError:
                card = {}
        if recorded and recorded.get("created") != str(card.get("created") or ""):
            return digest("gone", name, recorded.get("created"))
        return card_content(name, card)


def halted(run: Run) -> bool:
    """Whether the work ended itself, with a reason."""
    return run.state == "stopped" and bool(run.error)


def _is_part(card: Mapping[str, Any], wish: Select | PseudoLabel, seed: int) -> bool:
    if isinstance(wish, Select):
        chosen = card.get("selection")
        wanted = {"by": wish.by, "keep": wish.keep, "order": wish.order, "seed": seed}
        if wish.by != "random":
            wanted["encoder"] = wish.encoder
        return isinstance(chosen, dict) and all(chosen.get(k) == v for k, v in wanted.items())
    labels = card.get("pseudo_labels")
    return (
        isinstance(labels, dict)
        and labels.get("min_confidence") == wish.min_confidence
        and (not wish.encoder or (labels.get("encoder") or {}).get("name") == wish.encoder)
    )


def _furthest(runs: Iterable[Run]) -> Run | None:
    """Of several the one that is furthest, then the oldest."""
    return min(runs, key=lambda run: (_ORDER.index(run.state), run.created, run.id), default=None)


def _training_key(config: TrainConfig, contents: list[str]) -> str:
    """All that its numbers follow from, with what was left automatic filled in."""
    settings = config.model_dump(mode="json", exclude={*_NO_NUMBER, "synthetic"})
    if not config.synthetic:
        settings.pop("fraction")
    try:
        epsilon = config.budget(dataset_info(config.dataset).conventional(config.norm))
        settings |= {
            "epsilon": epsilon,
            "attack_steps": config.pgd_steps,
            "step_size": config.pgd_step_size(epsilon),
        }
    except CdpError:
        pass  # its data set is gone: by what was asked for
    return digest(sorted(settings.items()), config.further_real, contents)


def _born(dataset: str) -> float:
    """Since when an imported data set has its images; 0 for the others."""
    if not is_saved(dataset):
        return 0.0
    try:
        created = str(open_set(dataset).card.get("created") or "")
        return datetime.fromisoformat(created).timestamp()
    except (CdpError, ValueError):
        return 0.0
