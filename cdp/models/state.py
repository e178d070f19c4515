"""What a training must save to go on as if never stopped, as flat tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


def flatten_state(
    step: int, net: dict[str, Tensor], ema: dict[str, Tensor], optimiser: Optimizer
) -> dict[str, Tensor]:
    """Keys: ``step``, ``net.*``, ``ema.*``, ``opt.<parameter index>.*``. Copies, on the CPU."""
    state = {"step": torch.tensor(step)}
    state |= {f"net.{k}": v for k, v in net.items()}
    state |= {f"ema.{k}": v for k, v in ema.items()}
    for index, slots in optimiser.state_dict()["state"].items():
        state |= {f"opt.{index}.{k}": torch.as_tensor(v) for k, v in slots.items()}
    return {k: v.detach().cpu().contiguous().clone() for k, v in state.items()}


def part_of(state: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    """The tensors of one part ("net", "ema" or "opt"), without the prefix."""
    prefix = part + "."
    return {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}


def load_optimiser(optimiser: Optimizer, slots_by_key: dict[str, Tensor]) -> None:
    """Give an optimiser back its slots; keys are ``<parameter index>.<slot>``."""
    slots: dict[int, dict[str, Tensor]] = {}
    for key, value in slots_by_key.items():
        index, name = key.split(".", 1)
        slots.setdefault(int(index), {})[name] = value
    optimiser.load_state_dict(
        {"state": slots, "param_groups": optimiser.state_dict()["param_groups"]}
    )


def arithmetic() -> dict[str, object]:
    """How this process trains classifiers, for a card: with another number of threads or another
    layout a seed gives other last bits."""
    return {"threads": torch.get_num_threads(), "layout": "channels last"}


def young_decay(decay: float, step: int) -> float:
    """The decay after ``step`` steps: a young average forgets its random start fast."""
    return min(decay, (1 + step) / (10 + step))


def update_average(ema: dict[str, Tensor], net: nn.Module, *, decay: float) -> None:
    """One step of the weight average, in place; decay 0 copies.

    Only parameters are averaged. Buffers, BatchNorm's running statistics above all, are copied, as
    in the published recipe.
    """
    parameters = dict(net.named_parameters(remove_duplicate=False)) if decay else {}
    with torch.no_grad():
        if parameters:
            torch._foreach_lerp_(
                [ema[name] for name in parameters], list(parameters.values()), 1 - decay
            )
        for name, value in net.state_dict().items():
            if name not in parameters:
                ema[name].copy_(value)


Net = TypeVar("Net", bound=nn.Module)


@contextmanager
def frozen(net: Net) -> Iterator[Net]:
    """Eval mode and no parameter gradients inside; every mode and flag restored after."""
    modes = [(module, module.training) for module in net.modules()]
    flags = [(parameter, parameter.requires_grad) for parameter in net.parameters()]
    net.eval().requires_grad_(False)
    try:
        yield net
    finally:
        for module, training in modes:
            module.training = training
        for parameter, flag in flags:
            parameter.requires_grad_(flag)
