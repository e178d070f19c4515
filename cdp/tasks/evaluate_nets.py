"""The networks of an evaluation: of a card, of a bare file whose shapes tell which network they are of, or the user's own."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from cdp.config_evaluate import EvaluateConfig
from cdp.errors import InputError
from cdp.models.architectures import ARCHITECTURES, build_classifier, build_described
from cdp.models.checkpoints import tensor_shapes
from cdp.models.encoders import CARD, fill
from cdp.models.precision import lay_out
from cdp.tasks.evaluate_data import Prepared, Weights


def network(weights: Weights, config: EvaluateConfig, prepared: Prepared, device: torch.device, own: nn.Module | None) -> nn.Module:
    """One set of weights as a network, in eval mode on ``device``. own: of the user's own code, for weights without a file.

    Raises InputError where the file does not hold the weights of the network that it should.
    """
    net = own if weights.file is None else _load(weights, config, prepared)
    if net is None:
        raise InputError(f"model: {config.model} is your own code: give the network that it makes")
    return lay_out(net, device).eval()


def _load(weights: Weights, config: EvaluateConfig, prepared: Prepared) -> nn.Module:
    file = weights.file
    assert file is not None  # the caller asked
    # Without memory until the file has proved to hold what is announced.
    with torch.device("meta"):
        if weights.card:
            net = build_described(weights.card.get("architecture"), file.parent / CARD)
        else:
            name = config.architecture or _architecture_of(file, prepared)
            net = build_classifier(name, classes=len(prepared.info.classes), shape=prepared.info.shape, seed=0)
    fill(net, file)
    return net


def _architecture_of(file: Path, prepared: Prepared) -> str:
    """Whose weights these are, by their names and shapes. Raises InputError where they are no network's of ours for these images and classes."""
    shapes = tensor_shapes(file)
    for name in ARCHITECTURES:
        try:
            net = build_classifier(name, classes=len(prepared.info.classes), shape=prepared.info.shape, seed=0)
        except InputError:
            continue  # does not take such images
        if all(shapes.get(key) == tuple(value.shape) for key, value in net.named_parameters()):
            return name
    info = prepared.info
    raise InputError(
        f"model: {file} holds the weights of none of {', '.join(ARCHITECTURES)} for {len(info.classes)} classes and images of shape {list(info.shape)}: "
        "set dataset to what it was trained on, or evaluate it as a network of your own code"
    )
