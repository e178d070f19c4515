"""Which precision is faster on this processor: measured once, then remembered, because no feature
flag tells.

Some processors that list bf16 instructions run slower with them than without (docs/decisions/0008).
"""

from __future__ import annotations

import functools
import platform
import re
import time
from pathlib import Path

import torch
from torch import nn

from cdp.files import cache
from cdp.paths import home

KIND = "precision"
MARGIN = 1.1
"""bf16 costs three digits, so it must be worth them."""
_ROUNDS = 6


@functools.cache
def bf16_is_faster_on_cpu() -> bool:
    """Whether bf16 makes convolutions at least ``MARGIN`` times as fast here. About 0.1 s, once a
    machine and torch version.

    The answer is kept in the cache folder: a choice that changed with the load would change the
    images of a seed.
    """
    key = cache.digest(_processor(), torch.__version__)
    ratio = (cache.load_json(KIND, key) or {}).get("ratio")
    if not isinstance(ratio, float):
        ratio = speed_ratio()
        if home().is_dir():  # a command that only looks makes no home
            cache.keep(KIND, key, {"ratio": ratio})
    return ratio >= MARGIN


def speed_ratio() -> float:
    """Time of a residual block of a small U-Net in fp32 over its time in bf16: the best of some
    alternating rounds."""
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
    """The processor with the flags that matter here: a home on a network drive serves several
    machines."""
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return platform.processor() or platform.machine()
    text = info.read_text(encoding="utf-8", errors="replace")
    named = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    flags = [flag for flag in ("avx512_bf16", "avx512_fp16", "amx_bf16") if flag in text]
    return " ".join([named[1] if named else platform.machine(), *flags])
