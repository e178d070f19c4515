"""The three questions that the page offers, as experiments; what a link to the page carries; what
an arm is, in words. Pure."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from typing import Any

from cdp.config.choices import LOSSES
from cdp.config.experiment import COMPUTE, OWN, UNGUIDED, ArmConfig, ExperimentConfig
from cdp.config.fields import config_of, flat_of
from cdp.config.generate import GenerateConfig, Guidance
from cdp.config.knobs import parse
from cdp.config.train import TrainConfig
from cdp.errors import InputError
from cdp.experiments.files import experiment_of, plain, yaml_of
from cdp.experiments.plan import cell_of
from cdp.values.text import counted, number_text

WORTH, GRID, SEARCH = "worth", "grid", "search"
DOORS: Mapping[str, tuple[str, str]] = {
    WORTH: (
        "Is my setting worth it?",
        "Real images only, unguided, guided as on Generate, and as many more real ones.",
    ),
    GRID: (
        "Which strength and temperature?",
        "One arm for every pair of values, beside unguided images.",
    ),
    SEARCH: (
        "Find the best",
        "A search over ranges; weak settings end early.",
    ),
}
"""Title and what it compares, by door."""
REAL, COUNT, SEEDS = 1000, 500, 3
"""Of the first door, which should be over in ten minutes on two cores."""
QUICK = {
    "train": {"preset": "quick", "steps": 200, "attack_steps": 3},
    "evaluate": {"attack": "pgd", "steps": 20, "restarts": 1, "count": 500},
}
STRENGTHS, TEMPERATURES = [0.05, 0.1, 0.2, 0.4], [0.05, 0.2]
TRIALS = 12
KEPT = ("name", "dataset", "real", "seeds", "generate", "train", "evaluate")
"""What stays where another question is chosen."""
LONGEST_LINK, LONGEST_TEXT = 6000, 1 << 17
"""Letters of a link, and of the YAML in it."""


def door_of(config: ExperimentConfig) -> str:
    """The question that an experiment is nearest to."""
    return SEARCH if config.search else GRID if config.grid else WORTH


def begun(door: str, guided: GenerateConfig | None = None, dataset: str = "") -> ExperimentConfig:
    """A question with quick settings. guided: those of Generate, the default preset where there are
    none; dataset: its real images."""
    shared = {"count": COUNT} | _sampling(guided)
    return behind(
        door,
        {"real": REAL, "seeds": SEEDS, "generate": shared, **QUICK}
        | ({"dataset": dataset} if dataset else {}),
        guided,
    )


def behind(
    door: str, shared: Mapping[str, Any], guided: GenerateConfig | None = None
) -> ExperimentConfig:
    """The experiment of a question. shared: settings of ``KEPT``."""
    data = {name: shared[name] for name in KEPT if name in shared}
    count = int(data.get("generate", {}).get("count", COUNT))
    data["generate"] = {"count": count} | dict(data.get("generate", {}))
    if door == WORTH:
        data["arms"] = {
            "real only": {},
            UNGUIDED: {"generate": {"preset": UNGUIDED}},
            "guided": {"generate": {"preset": "default"} | _guidance(guided)},
            "more real": {"more_real": count},
        }
    else:
        data["arms"] = {"real only": {}}
        data["generate"] |= {
            name: value
            for name, value in _guidance(guided).items()
            if name not in ("strength", "temperature")
        }
    if door == GRID:
        data["grid"] = {
            "generate.strength": list(STRENGTHS),
            "generate.temperature": list(TEMPERATURES),
        }
    if door == SEARCH:
        data["search"] = {
            "generate.strength": {"low": 0.01, "high": 1.0, "log": True},
            "generate.temperature": {"low": 0.02, "high": 1.0, "log": True},
        }
        data["trials"], data["prune"] = TRIALS, True
    return parse(ExperimentConfig, data)


def _sampling(config: GenerateConfig | None) -> dict[str, Any]:
    """Model and solver of settings, as far as they are not the usual ones."""
    if config is None:
        return {}
    usual = flat_of(GenerateConfig())
    left = {*Guidance.model_fields, "dataset", "count", "seed"}
    flat = flat_of(config)
    return {name: v for name, v in flat.items() if name not in left and v != usual[name]}


def _guidance(config: GenerateConfig | None) -> dict[str, Any]:
    if config is None or config.guidance.loss == "none":
        return {}
    usual = flat_of(GenerateConfig())
    return {
        name: value
        for name, value in flat_of(config).items()
        if name in Guidance.model_fields and value != usual[name]
    }


def with_set(name: str, dataset: str, count: int) -> ExperimentConfig:
    """A saved set beside real images alone and as many more real ones."""
    data: dict[str, Any] = {"real": REAL, "seeds": SEEDS, **QUICK}
    data |= {"dataset": dataset} if dataset else {}
    data["arms"] = {"real only": {}, name[:80]: {"set": name}, "more real": {"more_real": count}}
    return parse(ExperimentConfig, data | {"control": "real only"})


def of_trainings(trained: Mapping[str, Mapping[str, Any]]) -> ExperimentConfig | None:
    """Trainings as arms, over seeds and at equal compute; None where they make no such comparison,
    as data sets, real images or lengths differ, or an arm mixes several sets. trained: the settings
    of each by name."""
    try:
        configs = [config_of(TrainConfig, settings) for settings in trained.values()]
    except InputError:
        return None  # of another version
    usual = flat_of(TrainConfig())
    same = ("dataset", "real", *COMPUTE)
    if len(configs) < 2 or any(len(config.sets) > 1 for config in configs):
        return None
    if len({tuple(getattr(config, name) for name in same) for config in configs}) > 1:
        return None
    flats = [
        {name: v for name, v in flat_of(config).items() if name not in OWN["train"]}
        for config in configs
    ]
    shared = {
        name: value
        for name, value in flats[0].items()
        if all(flat[name] == value for flat in flats)
    }
    said = {n: v for n, v in shared.items() if v != usual[n] or n == "overfitting"}
    said |= {n: shared[n] for n in ("steps", "epochs") if shared[n] is not None}
    arms: dict[str, Any] = {}
    for title, config, flat in zip(trained, configs, flats, strict=True):
        own = {name: value for name, value in flat.items() if name not in shared}
        arm: dict[str, Any] = {"train": own} if own else {}
        arm |= {"set": config.sets[0]} if config.sets else {}
        arm |= {"more_real": config.further_real} if config.further_real else {}
        arms[title[:80]] = arm
    data: dict[str, Any] = {"dataset": configs[0].dataset, "real": configs[0].real, "seeds": SEEDS}
    data |= {"train": {"preset": "standard"} | said, "evaluate": QUICK["evaluate"], "arms": arms}
    try:
        return parse(ExperimentConfig, data | {"control": next(iter(arms))})
    except InputError:
        return None


def changed(config: ExperimentConfig, changes: Mapping[str, Any]) -> ExperimentConfig:
    """The same with other values of fields. Raises InputError where they do not fit."""
    return parse(ExperimentConfig, plain(config) | dict(changes))


def count_of(config: ExperimentConfig) -> int | None:
    """Synthetic images a seed, None where arms differ in it or none are made."""
    made = [arm.generate for _, arm in config.all_arms() if arm.generate is not None]
    made += [config.generate] if config.search else []
    counts = {own.get("count", config.generate.get("count")) for own in made}
    count = counts.pop() if len(counts) == 1 else None
    return count if isinstance(count, int) else None


def with_count(config: ExperimentConfig, count: int) -> ExperimentConfig:
    """The same with so many synthetic images, and as many real ones in their place."""
    data = plain(config)
    data["generate"] = dict(config.generate) | {"count": count}
    for arm in data.get("arms", {}).values():
        if arm.get("generate"):
            arm["generate"].pop("count", None)
        if arm.get("more_real"):
            arm["more_real"] = count
    return parse(ExperimentConfig, data)


def arm_words(config: ExperimentConfig, name: str, arm: ArmConfig) -> str:
    """What an arm trains on: "1,000 real and 500 generated images, SupCon, strength 0.1"."""
    real = "all" if config.real is None else f"{config.real:,}"
    if arm.more_real is not None:
        more = f"{real} real images and {arm.more_real:,} more of them"
        return f"{more}: what as many synthetic ones could be worth at best"
    if arm.set:
        return f"{real} real images and the set {arm.set}{_part(arm)}"
    if arm.generate is None:
        return f"{real} real images alone"
    generate = cell_of(config, name, arm, config.seeds[0]).generate
    assert generate is not None
    made = f"{real} real and {generate.count:,} generated images{_part(arm)}"
    guidance, sampler = generate.guidance, generate.sampler
    if sampler.autoguided:
        made += f", autoguidance {number_text(sampler.autoguidance_scale)} by {sampler.weak_model}"
    if guidance.loss == "none":
        return f"{made}, unguided"
    loss = LOSSES[guidance.loss].title.split(" (")[0]
    words = f"{made}, guided: {loss}"
    if guidance.strength_mode == "relative":
        words += f", strength {number_text(guidance.strength)}"
    if "temperature" in LOSSES[guidance.loss].settings:
        words += f", temperature {number_text(guidance.temperature)}"
    return words + (f", by the network of {arm.learner}" if arm.learner else "")


def _part(arm: ArmConfig) -> str:
    labelled = ", labelled by a classifier" if arm.pseudo_label else ""
    return labelled + (
        f", {counted(arm.select.keep, 'image')} of them by {arm.select.by}" if arm.select else ""
    )


def worth_link(guided: GenerateConfig, dataset: str) -> str:
    """What a link to the first question carries, for these settings of Generate; "" where they are
    none of an experiment."""
    try:
        return packed(begun(WORTH, guided, dataset))
    except InputError:
        return ""


def packed(config: ExperimentConfig) -> str:
    """What a link carries; "" where it would be too long for one."""
    text = base64.urlsafe_b64encode(zlib.compress(yaml_of(config).encode(), 9)).decode()
    return text.rstrip("=") if len(text) <= LONGEST_LINK else ""


def unpacked(text: str) -> ExperimentConfig:
    """The experiment of a link, packed or as plain YAML. Raises InputError."""
    if len(text) > LONGEST_LINK:
        raise InputError(f"yaml: over {LONGEST_LINK:,} letters are too long for a link")
    if ":" in text:
        return experiment_of(text, "the link")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(data, LONGEST_TEXT).decode()
        complete = unpacker.eof
    except (binascii.Error, zlib.error, ValueError) as error:
        raise InputError("the link is damaged: copy it again") from error
    if not complete:
        raise InputError("the link is damaged or too large: copy it again")
    return experiment_of(content, "the link")
