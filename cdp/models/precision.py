"""Where a network runs and in which precision, for CPU, CUDA and Apple GPUs."""

from __future__ import annotations

import functools
import os
import platform
import re
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from cdp.errors import InputError
from cdp.files import cache
from cdp.paths import home

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
    """fp32 or bf16; "auto" takes bf16 where it is faster: GPUs, and CPUs as measured."""
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
    """Move a network to its device, in the fast memory format (channels_last on CUDA)."""
    if device.type == "cuda":
        return cast(Any, net).to(device, memory_format=torch.channels_last)
    return net.to(device)


KIND = "precision"
MARGIN = 1.1
"""bf16 costs three digits, so it must be worth them."""
_ROUNDS = 6


@functools.cache
def bf16_is_faster_on_cpu() -> bool:
    """Whether bf16 makes convolutions ``MARGIN`` times as fast here, kept in the cache: a choice
    that changed with the load would change the images of a seed."""
    key = cache.digest(_processor(), torch.__version__)
    ratio = (cache.load_json(KIND, key) or {}).get("ratio")
    if not isinstance(ratio, float):
        ratio = speed_ratio()
        if home().is_dir():  # a command that only looks makes no home
            cache.keep(KIND, key, {"ratio": ratio})
    return ratio >= MARGIN


def speed_ratio() -> float:
    """Time of a small residual block in fp32 over bf16: the best of alternating rounds."""
    with torch.random.fork_rng(devices=[]):
        block = nn.Sequential(
            nn.Conv2d(64, 64, 3, padding=1),
            nn.GroupNorm(16, 64),
            nn.SiLU(),
            nn.Conv2d(64, 64, 3, padding=1),
        )
        x = torch.randn(32, 64, 14, 14)
    best = {True: float("inf"), False: float("inf")}
    for number in range(2 * _ROUNDS):
        bf16 = bool(number % 2)
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            began = time.perf_counter()
            block(x)
            seconds = time.perf_counter() - began
        if number >= 2:  # the first round of each compiles its kernels
            best[bf16] = min(best[bf16], seconds)
    return round(best[False] / best[True], 3)


def _processor() -> str:
    """The processor with the flags that matter, as a home may serve several machines."""
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return platform.processor() or platform.machine()
    text = info.read_text(encoding="utf-8", errors="replace")
    named = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    flags = [flag for flag in ("avx512_bf16", "avx512_fp16", "amx_bf16") if flag in text]
    return " ".join([named[1] if named else platform.machine(), *flags])
