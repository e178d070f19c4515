"""Borrow a network for gradients with respect to its input, and give it back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from torch import nn

Net = TypeVar("Net", bound=nn.Module)


@contextmanager
def frozen(net: Net) -> Iterator[Net]:
    """Eval mode and no parameter gradients inside the block; every mode and flag restored after it,
    also on an exception."""
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
