"""Where a network runs and in which precision, decided in one place for CPU, CUDA and Apple
GPUs."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import torch
from torch import nn

from cdp.errors import InputError
from cdp.models.measured import bf16_is_faster_on_cpu

PRECISIONS = ("auto", "fp32", "bf16")


def pick_device(name: str | None = None) -> torch.device:
    """The device named, else the environment's CDP_DEVICE, else "auto": CUDA where there is one,
    otherwise the CPU.

    Raises InputError for a device that is not here.
    """
    name = name or os.environ.get("CDP_DEVICE") or "auto"
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"device {name!r} cannot be used here: choose auto, cpu, or a device of this machine"
        ) from error
    return device


def pick_dtype(precision: str, device: torch.device) -> torch.dtype:
    """fp32 or bf16. "auto" takes bf16 where it is faster: natively on GPUs, and on the CPUs where
    that was measured."""
    if precision not in PRECISIONS:
        raise InputError(
            f"precision {precision!r} is unknown: choose one of {', '.join(PRECISIONS)}"
        )
    if precision != "auto":
        return torch.bfloat16 if precision == "bf16" else torch.float32
    if device.type == "cuda":
        pays = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        pays = (
            device.type == "cpu"
            and torch.ops.mkldnn._is_mkldnn_bf16_supported()
            and bf16_is_faster_on_cpu()
        )
    return torch.bfloat16 if pays else torch.float32


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[None]:
    """Mixed precision for the block, or nothing at all in fp32."""
    if dtype == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype=dtype)


def lay_out(net: nn.Module, device: torch.device) -> nn.Module:
    """Move a network to its device, with the memory format that is fast there (measured:
    channels_last only on CUDA)."""
    if device.type == "cuda":
        return cast(Any, net).to(device, memory_format=torch.channels_last)
    return net.to(device)
