"""The networks of an evaluation: of a card, of a bare file whose shapes tell which network they are
of, or the user's own."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from cdp.config.choices import ARCHITECTURES
from cdp.config.evaluate import EvaluateConfig
from cdp.errors import InputError
from cdp.models.classifiers import Classifier, build_classifier, build_described
from cdp.models.encoders import CARD, fill, match_weights
from cdp.models.precision import lay_out
from cdp.tasks.evaluate_data import Prepared, Weights


def network(
    weights: Weights,
    config: EvaluateConfig,
    prepared: Prepared,
    device: torch.device,
    own: nn.Module | None,
) -> tuple[nn.Module, str]:
    """One set of weights as a network, in eval mode on ``device``, and what has to be said of its
    file, "" for nothing.

    own: of the user's own code, for weights without a file. Raises InputError where the file does
    not hold the weights of the network that it should.
    """
    if weights.file is None:
        if own is None:
            raise InputError(
                f"model: {config.model} is your own code: give the network that it makes"
            )
        return lay_out(own, device).eval(), ""
    net = _empty(weights, weights.file, config, prepared)
    note = fill(net, weights.file)
    return lay_out(net, device).eval(), note


def require_weights(config: EvaluateConfig, prepared: Prepared) -> None:
    """Raises InputError where a file does not hold the weights of the network that it should, by
    headers alone: said before anything is queued."""
    for weights in prepared.weights:
        if weights.file is not None:
            net = _empty(weights, weights.file, config, prepared)
            problem = match_weights(net, weights.file).problem
            if problem:
                whose = CARD if weights.card else f"network {config.architecture}"
                raise InputError(
                    f"model: {weights.file} does not fit its {whose}: {problem}: use the weights"
                    " that belong to it"
                )


def _empty(weights: Weights, file: Path, config: EvaluateConfig, prepared: Prepared) -> Classifier:
    """The network whose weights the file should hold, without memory until it has proved to hold
    them."""
    with torch.device("meta"):
        if weights.card:
            return build_described(weights.card.get("architecture"), file.parent / CARD)
        return (
            _built(config.architecture, prepared)
            if config.architecture
            else _whose_weights(file, prepared)
        )


def _built(name: str, prepared: Prepared) -> Classifier:
    return build_classifier(
        name, classes=len(prepared.info.classes), shape=prepared.info.shape, seed=0
    )


def _whose_weights(file: Path, prepared: Prepared) -> Classifier:
    """The network whose weights these are, by names and shapes. Raises InputError where they are no
    network's of ours for these images and classes, with what the file has and what the closest of
    ours wants."""
    problems: dict[str, tuple[int, str]] = {}
    for name in ARCHITECTURES:
        try:
            net = _built(name, prepared)
        except InputError as error:  # does not take such images
            problems[name] = -1, str(error)
            continue
        found = match_weights(net, file)
        if not found.problem:
            return net
        problems[name] = found.present, found.problem
    info = prepared.info
    closest = max(problems, key=lambda name: problems[name][0])
    raise InputError(
        f"model: {file} holds the weights of none of {', '.join(ARCHITECTURES)} for"
        f" {len(info.classes)} classes and images of shape {list(info.shape)} (as {closest},"
        f" {problems[closest][1]}): set dataset to what it was trained on, or evaluate it as a"
        " network of your own code"
    )
