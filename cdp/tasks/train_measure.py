"""A training step measured on this machine by small batches and few attack steps, in seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cdp.config.train import TrainConfig
from cdp.data.training import Pool, TrainingData
from cdp.models.classifiers import build_classifier
from cdp.models.precision import autocast, lay_out, pick_device, pick_dtype
from cdp.models.state import frozen
from cdp.robust.training import RobustTrainer
from cdp.robust.validation import BATCH, validate
from cdp.values.types import DatasetInfo

FEW, MORE = 1, 3
"""Attack steps that are timed; what one more costs follows."""
LONG = 0.6
"""Seconds of a step that stand for larger batches too: shorter ones are mostly waiting for threads,
which does not grow with the batch."""
FIRST_BATCH, GROWTH = 2, 4
"""The first batch of a large network that is timed, and its growth until a step is long or the
batch is the one asked for."""
LARGE, SMALL_BATCH = 5_000_000, 256
"""Weights from which a network is large; smaller ones are timed at the batch asked for, up to this
one."""
TORCH_BYTES = {"cpu": 740 << 20, "cuda": 600 << 20}
"""Memory that a process takes before it trains: with torch, and the kernels it makes at the first
step; on a GPU the GPU's."""
BESIDE = 2.0
"""Peak of a batch over what autograd saves for it: gradients of activations and room to work.
Measured on the small network."""
AGREE, PATIENCE = 1.2, 3.0
"""The second best timing over the best where they agree, and seconds to wait for that."""
STATES = 4
"""Numbers kept for each weight: itself, gradient, momentum, average."""


@dataclass(frozen=True)
class StepCost:
    """What training costs here. seconds_fixed + seconds_attack * attack steps: of one optimiser
    step at batch ``batch``; validation: seconds an image and attack step (the two predictions are
    worth one); bytes_fixed: of weights and all that goes with them; bytes_training,
    bytes_validation: that one image of a batch adds while it is differentiated; device: in words;
    settled: whether timings agreed, which they do not on a busy machine."""

    batch: int
    seconds_fixed: float
    seconds_attack: float
    validation: float
    bytes_fixed: int
    bytes_training: float
    bytes_validation: float
    device: str
    settled: bool = True


def device_name(device: torch.device) -> str:
    """The GPU's name, else "CPU" with its number of threads."""
    return (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"CPU, {torch.get_num_threads()} threads"
    )


class _Watch:
    """Times work until two timings agree. settled: whether they always did."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.settled = device, True

    def best(self, work: Callable[[], object]) -> float:
        """Seconds of the fastest time after one that warms up, as a machine may be busy."""
        began, timings = time.perf_counter(), [self._once(work)]
        if timings[0] >= PATIENCE:
            return min(timings[0], self._once(work))  # a large network
        timings = sorted(self._once(work) for _ in range(2))
        while timings[1] > AGREE * timings[0] and time.perf_counter() - began < PATIENCE:
            timings = sorted([*timings, self._once(work)])
        self.settled &= timings[1] <= AGREE * timings[0]
        return timings[0]

    def _once(self, work: Callable[[], object]) -> float:
        self._wait()
        began = time.perf_counter()
        work()
        self._wait()
        return time.perf_counter() - began

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def measure(config: TrainConfig, info: DatasetInfo) -> StepCost:
    """Train for some steps on noise. The caller's random streams and files are left alone."""
    device = pick_device()
    watch = _Watch(device)
    net = lay_out(
        build_classifier(config.architecture, classes=len(info.classes), shape=info.shape, seed=0),
        device,
    )
    weights = sum(parameter.numel() for parameter in net.parameters())
    batch = min(FIRST_BATCH if weights >= LARGE else SMALL_BATCH, config.batch)
    few = watch.best(_step(net, config, info, batch, FEW))
    while few < LONG and batch < config.batch and weights >= LARGE:
        batch = min(GROWTH * batch, config.batch)
        few = watch.best(_step(net, config, info, batch, FEW))
    attack = max(
        (watch.best(_step(net, config, info, batch, MORE)) - few) / (MORE - FEW), 0.02 * few
    )
    images = min(batch, BATCH) if weights >= LARGE else BATCH
    checked = watch.best(_validation(net, config, info, images)) / images / (FEW + 1)
    bytes_training, bytes_validation = _bytes_an_image(net, config, info)
    return StepCost(
        batch,
        max(few - FEW * attack, 0.0),
        attack,
        checked,
        STATES * 4 * weights + TORCH_BYTES.get(device.type, 0),
        bytes_training,
        bytes_validation,
        device_name(device),
        watch.settled,
    )


def _noise(info: DatasetInfo, count: int) -> tuple[np.ndarray, np.ndarray]:
    channels, height, width = info.shape
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, height, width, channels), np.uint8), np.arange(count) % len(
        info.classes
    )


def _step(
    net: nn.Module, config: TrainConfig, info: DatasetInfo, batch: int, attack_steps: int
) -> Callable[[], object]:
    """One optimiser step of a training on noise."""
    image, label = _noise(info, max(batch, 8))
    change: dict[str, Any] = {
        "batch": batch,
        "attack_steps": attack_steps,
        "synthetic": (),
        "steps": 10,
        "epochs": None,
        "compile": False,
        "warm_up": 0.0,
    }
    data = TrainingData(Pool([(image, label)]), None, image, label, len(info.classes))
    return RobustTrainer(net, data, config.model_copy(update=change), epsilon=0.01).advance


def _validation(
    net: nn.Module, config: TrainConfig, info: DatasetInfo, count: int
) -> Callable[[], object]:
    """One validation of that many images, with few attack steps."""
    image, label = _noise(info, count)
    return lambda: validate(net, image, label, epsilon=0.01, norm=config.norm, steps=FEW)


def _bytes_an_image(net: nn.Module, config: TrainConfig, info: DatasetInfo) -> tuple[float, float]:
    """What one image keeps for the backward pass, of a training and of a validation batch."""
    device = next(net.parameters()).device
    dtype = pick_dtype(config.precision, device)
    passes = 1 if config.method == "pgd-at" else 2
    net.train()
    training = passes * _saved_an_image(net, info, device, dtype)
    with frozen(net):
        return training, _saved_an_image(net, info, device, torch.float32)


def _saved_an_image(
    net: nn.Module, info: DatasetInfo, device: torch.device, dtype: torch.dtype
) -> float:
    """Bytes that one image more takes, by what autograd saves for it."""
    few, more = 2, 4
    return (
        BESIDE
        * (_saved(net, info, device, dtype, more) - _saved(net, info, device, dtype, few))
        / (more - few)
    )


def _saved(
    net: nn.Module, info: DatasetInfo, device: torch.device, dtype: torch.dtype, count: int
) -> int:
    saved: list[Tensor] = []  # held until the end, so that no address is used twice

    def pack(value: Tensor) -> Tensor:
        saved.append(value)
        return value

    x = torch.rand(count, *info.shape, device=device).requires_grad_(True)
    with (
        torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value),
        autocast(device, dtype),
        torch.enable_grad(),
    ):
        net(x)
    return sum(
        {
            value.untyped_storage().data_ptr(): value.untyped_storage().nbytes() for value in saved
        }.values()
    )
