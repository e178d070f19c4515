"""The parts of ``benchmarks.gpu``: a device against the processor, and how fast it is. The same code
runs everywhere; ``quick`` takes tiny sizes."""

from __future__ import annotations

import argparse
import copy
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.measuring import interleaved, paired_ratio, spread
from benchmarks.results import Figure, Target
from benchmarks.scenes import Options, diffusers_loop, to_bytes
from benchmarks.textbook import published_guidance, trades_step
from cdp.config.generate import FORMER, GenerateConfig
from cdp.config.train import TrainConfig
from cdp.data.registry import load_split
from cdp.data.training import Pool, TrainingData
from cdp.diffusion.sampling import Trajectory, image_seeds
from cdp.guidance.guide import build_guide
from cdp.models.classifiers import build_classifier
from cdp.models.denoiser import Denoiser, build_unet
from cdp.models.encoders import load_encoder
from cdp.models.pipelines import load_pipeline
from cdp.models.precision import lay_out, pick_dtype
from cdp.robust.attacks import madry, pgd
from cdp.robust.autoattack import autoattack_suite
from cdp.robust.recipes import to_tensor
from cdp.robust.suites import run_suite
from cdp.robust.training import RobustTrainer
from cdp.robust.validation import validate
from cdp.tasks.batches import batch_count, batch_rows, generate_batch
from cdp.tasks.loaded import to_uint8
from cdp.tasks.sources import real_images

DATASET, CPU = "fashion-mnist", torch.device("cpu")
SAME = Target("<=", 1.0)


@dataclass(frozen=True)
class Part:
    """measure: (device, quick) -> figures; seconds: it may take."""

    measure: Callable[[torch.device, bool], list[Figure]]
    seconds: float


def sampler(device: torch.device, quick: bool) -> list[Figure]:
    """Images of the same seeds, unguided, in fp32, on both."""
    here, there = (_sampled(where, quick, strength=0.0) for where in (CPU, device))
    return [_pixels("unguided images, device against processor", here, there)]


def guide(device: torch.device, quick: bool) -> list[Figure]:
    """The first change that the guide makes, and the images at the end."""
    nudges = []
    for where in (CPU, device):
        nudge = _trajectory(where, quick, strength=0.1).predict().nudge
        assert nudge is not None  # its window begins at pure noise
        nudges.append(nudge.delta.cpu())
    apart = float((nudges[1] - nudges[0]).norm() / nudges[0].norm())
    here, there = (_sampled(where, quick, strength=0.1) for where in (CPU, device))
    return [
        Figure("first change by the guide, relative", 100 * apart, "%", target=Target("<=", 0.1)),
        _pixels("guided images, device against processor", here, there),
    ]


def attack(device: torch.device, quick: bool) -> list[Figure]:
    """PGD-10 on the same images from the same random start."""
    x, y, epsilon = _test_images(16 if quick else 500)
    right = []
    for where in (CPU, device):
        net = load_encoder("robust", DATASET).net.to(where)
        generator = torch.Generator().manual_seed(0)
        settings = madry(epsilon, 2 if quick else 10, "linf")
        x_adv = pgd(net, x.to(where), y.to(where), generator=generator, **settings)
        with torch.no_grad():
            right.append((net(x_adv).argmax(1).cpu() == y).numpy())
    return [
        Figure("robust accuracy under PGD-10, processor", 100 * float(right[0].mean()), "%"),
        Figure(
            "images whose outcome is another on the device",
            100 * float((right[0] != right[1]).mean()),
            "%",
            n=len(y),
            target=SAME,
        ),
    ]


def training_step(device: torch.device, quick: bool) -> list[Figure]:
    """Weights after three steps of TRADES in fp32 from the same start."""
    weights = []
    for where in (CPU, device):
        config = TrainConfig(steps=3, batch=8 if quick else 128, precision="fp32", warm_up=0.0)
        trainer = _trainer(config, where, _pool(64 if quick else 2000))
        for _ in range(3):
            trainer.advance()
        weights.append(torch.cat([p.detach().cpu().flatten() for p in trainer.net.parameters()]))
    apart = float((weights[1] - weights[0]).norm() / weights[0].norm())
    return [
        Figure("weights after three steps, relative", 100 * apart, "%", target=Target("<=", 0.1))
    ]


def sampling(device: torch.device, quick: bool) -> list[Figure]:
    """The sampler against diffusers' loop and guided against unguided, in turns."""
    options = Options(repeats=5, quick=quick)
    size = {"count": 8, "batch": 8} if quick else {"count": 512, "batch": 512}
    plain, guided = (options.config(name, **size) for name in ("unguided", "default"))
    former = FORMER | options.steps | size | {"precision": "fp32"}
    exact = options.config("unguided", **former)
    published = options.config("paper-cifar10", **size)
    rows = batch_rows(plain, 0)
    seconds = interleaved(
        {
            "unguided": lambda: _synchronised(device, to_bytes(plain)),
            "the same as diffusers": lambda: _synchronised(device, to_bytes(exact)),
            "guided": lambda: _synchronised(device, to_bytes(guided)),
            "diffusers": lambda: _synchronised(device, diffusers_loop(exact, rows)),
            "published setting": lambda: _synchronised(device, to_bytes(published)),
            "plain published loop": lambda: _synchronised(
                device, published_guidance(published, rows)
            ),
        },
        1 if quick else options.repeats,
    )
    return [
        Figure.of_spread(
            "unguided images/s / diffusers' loop, DDIM with 20 steps in fp32",
            paired_ratio(seconds["diffusers"], seconds["unguided"]),
            target=Target(">=", 4.0),
        ),
        Figure.of_spread(
            "the same, both DDIM with 20 steps in fp32",
            paired_ratio(seconds["diffusers"], seconds["the same as diffusers"]),
            target=Target(">=", 1.5),
        ),
        Figure.of_spread(
            "published setting, fp32: ours / the plain loop, images/s",
            paired_ratio(seconds["plain published loop"], seconds["published setting"]),
            target=Target(">=", 3.0),
        ),
        Figure.of_spread(
            "guided default / unguided default, time",
            paired_ratio(seconds["guided"], seconds["unguided"]),
            target=Target("<=", 1.15),
        ),
        Figure.of_spread(
            "unguided", spread([plain.count / s for s in seconds["unguided"]]), "images/s"
        ),
    ]


def trades(device: torch.device, quick: bool) -> list[Figure]:
    """A step of ours against a textbook's on the small network; and AutoAttack's images an hour."""
    config = TrainConfig(steps=10_000, batch=8 if quick else 128, precision="fp32")
    trainer = _trainer(config, device, _pool(64 if quick else 2000))
    net = copy.deepcopy(trainer.net)
    optimiser = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9, nesterov=True)
    x, y, epsilon = _test_images(config.batch)
    x, y, steps = x.to(device), y.to(device), 1 if quick else 20

    def textbook() -> Iterator[object]:
        for _ in range(steps):
            size = {"epsilon": epsilon, "step_size": epsilon / 4, "steps": config.pgd_steps}
            yield trades_step(net, optimiser, x, y, beta=6.0, **size)

    def ours() -> Iterator[object]:
        for _ in range(steps):
            yield trainer.advance()

    seconds = interleaved(
        {
            "textbook": lambda: _synchronised(device, textbook()),
            "ours": lambda: _synchronised(device, ours()),
        },
        1 if quick else 5,
    )
    return [
        Figure.of_spread(
            "a TRADES step, textbook's time / ours, both in fp32",
            paired_ratio(seconds["textbook"], seconds["ours"]),
            target=Target(">=", 1.3),
        ),
        Figure.of_spread("our step", spread([1000 * s / steps for s in seconds["ours"]]), "ms"),
        _autoattack(device, *((2, 1) if quick else (500, 4))),
    ]


def wide_network(device: torch.device, quick: bool) -> list[Figure]:
    """WRN-28-10-Swish at batch 1024: a step of TRADES with PGD-10."""
    batch = 2 if quick else 1024
    config = TrainConfig(
        dataset="cifar-10",
        architecture="wrn-28-10-swish",
        steps=1000,
        batch=batch,
        attack_steps=1 if quick else 10,
        epsilon=8 / 255,
    )
    trainer = _trainer(config, device, _noise(max(batch, 16)))
    done = _seconds(device, lambda: iter([trainer.advance()]), 1 if quick else 4)
    return [
        Figure.of_spread(f"WRN-28-10-Swish, TRADES, batch {batch}, a step", spread(done), "s"),
        Figure.of_spread("the same", spread([batch / s for s in done]), "images/s"),
        *_memory(device),
    ]


def colour_sampling(device: torch.device, quick: bool) -> list[Figure]:
    """20 steps of DDIM on 32 x 32 x 3 by a network of DDPM's size for CIFAR-10, at batch 512."""
    batch, widths = (2, (32, 64)) if quick else (512, (128, 256, 256, 256))
    shape = (3, 32, 32)
    unet = build_unet(shape, patch=1, classes=10, widths=widths, layers=2)
    denoiser = Denoiser(unet, shape=shape, patch=1, classes=10, prediction_type="epsilon").eval()
    lay_out(denoiser.requires_grad_(False), device)
    scheduler = load_pipeline(DATASET).scheduler_config
    rates = {}
    for name, dtype in (("auto", pick_dtype("auto", device)), ("fp32", torch.float32)):

        def sampled(dtype: torch.dtype = dtype) -> Iterator[object]:
            return Trajectory(
                denoiser,
                scheduler,
                labels=torch.arange(batch) % 10,
                seeds=image_seeds(0, range(batch)),
                steps=2 if quick else 20,
                dtype=dtype,
            ).steps()

        rates[name] = spread([batch / s for s in _seconds(device, sampled, 1 if quick else 3)])
    return [
        Figure.of_spread(f"32 x 32 x 3 images, batch {batch}, precision {name}", rate, "images/s")
        for name, rate in rates.items()
    ] + _memory(device)


def comparison(device: torch.device, quick: bool) -> list[Figure]:
    """Real images alone, with unguided and with guided ones: robust accuracy over paired seeds."""
    made, real, steps, seeds = (16, 64, 2, 1) if quick else (5000, 1000, 400, 3)
    options = Options(quick=quick)
    size = {"count": made, "batch": min(made, 512)}
    sets = {name: _generated(options.config(name, **size)) for name in ("unguided", "default")}
    test, began = load_split(DATASET, "test"), time.perf_counter()
    rows, epsilon = np.arange(16 if quick else 2000), test.info.epsilon_linf
    assert epsilon is not None  # of a built-in data set
    arms = {"real alone": None, "with unguided": sets["unguided"], "with guided": sets["default"]}
    robust: dict[str, list[float]] = {name: [] for name in arms}
    for seed in range(seeds):
        for name, synthetic in arms.items():
            config = TrainConfig(
                steps=steps,
                batch=8 if quick else 128,
                seed=seed,
                synthetic=() if synthetic is None else ("made here",),
            )
            trainer = _trainer(config, device, _pool(real), synthetic)
            while trainer.step < trainer.total:
                trainer.advance()
            checked = validate(
                trainer.average,
                test.image[rows],
                test.label[rows],
                epsilon=epsilon,
                norm="linf",
                steps=1 if quick else 20,
            )
            robust[name].append(100 * float(checked.robust.mean()))
    hours = (time.perf_counter() - began) / 3600
    change = np.subtract(robust["with guided"], robust["with unguided"])
    return [
        *(
            Figure.of_spread(f"robust accuracy, {name}", spread(values), "%")
            for name, values in robust.items()
        ),
        Figure.of_spread("with guided minus with unguided", spread(change.tolist()), "points"),
        Figure(f"trainings an hour, {steps} steps", seeds * len(arms) / hours),
    ]


PARTS = {
    "sampler": Part(sampler, 35),
    "guide": Part(guide, 40),
    "attack": Part(attack, 30),
    "training_step": Part(training_step, 30),
    "sampling": Part(sampling, 75),
    "trades": Part(trades, 70),
    "wide_network": Part(wide_network, 60),
    "colour_sampling": Part(colour_sampling, 50),
    "comparison": Part(comparison, 90),
}
"""Parity first, as no speed means anything without it. Together at most eight minutes."""


def _trajectory(where: torch.device, quick: bool, *, strength: float) -> Trajectory:
    """A batch of the shipped model in fp32, guided over the whole way."""
    model, count = load_pipeline(DATASET), 4 if quick else 64
    config = Options(quick=quick).config(
        "default",
        strength=strength,
        window_start=1.0,
        window_stop=0.0,
        positives="same_class",
        negatives="batch",
    )
    encoder = load_encoder(config.guidance.encoder, DATASET).net.to(where)
    return Trajectory(
        lay_out(model.denoiser.eval().requires_grad_(False), where),  # type: ignore[arg-type]
        model.scheduler_config,
        labels=torch.arange(count) % 2,
        seeds=image_seeds(0, range(count)),
        steps=2 if quick else 20,
        guide=build_guide(config.guidance, encoder),
    )


def _sampled(where: torch.device, quick: bool, *, strength: float) -> np.ndarray:
    *_, last = _trajectory(where, quick, strength=strength).steps()
    return to_uint8(last.x)


def _pixels(name: str, here: np.ndarray, there: np.ndarray) -> Figure:
    apart = np.abs(here.astype(np.int16) - there.astype(np.int16))
    return Figure(f"{name}, mean", float(apart.mean()), "of 255", n=len(here), target=SAME)


def _test_images(count: int) -> tuple[Tensor, Tensor, float]:
    test = load_split(DATASET, "test")
    assert test.info.epsilon_linf is not None  # of a built-in data set
    label = torch.from_numpy(np.array(test.label[:count], np.int64))
    return to_tensor(test.image[:count]), label, test.info.epsilon_linf


def _pool(count: int) -> Pool:
    return Pool([real_images(DATASET, "train", count)])


def _noise(count: int) -> Pool:
    """Images of CIFAR-10's shape, which say nothing and cost the same."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    return Pool([(image, rng.integers(0, 10, count))])


def _trainer(
    config: TrainConfig, where: torch.device, real: Pool, synthetic: Pool | None = None
) -> RobustTrainer:
    image, label = real.take(np.arange(min(len(real), 16)))
    height, width, channels = image.shape[1:]
    net = build_classifier(
        config.architecture, classes=10, shape=(channels, height, width), seed=config.seed
    )
    epsilon = config.epsilon or _test_images(1)[2]
    data = TrainingData(real, synthetic, image, label, 10)
    trainer = RobustTrainer(lay_out(net, where), data, config, epsilon=epsilon)
    trainer.net.train()
    return trainer


def _generated(config: GenerateConfig) -> Pool:
    parts = [generate_batch(config, index) for index in range(batch_count(config))]
    image, label = zip(*(part for part in parts if part is not None), strict=True)
    return Pool([(np.concatenate(image), np.concatenate(label))])


def _autoattack(device: torch.device, count: int, stages: int) -> Figure:
    net = load_encoder("robust", DATASET).net.to(device)
    test, epsilon = load_split(DATASET, "test"), _test_images(1)[2]
    began = time.perf_counter()
    for _ in run_suite(
        net,
        test.image[:count],
        test.label[:count],
        autoattack_suite(net, 10, "linf", epsilon, 0)[:stages],
        norm="linf",
        epsilon=epsilon,
        batch=count,
        classes=10,
        should_stop=lambda: False,
    ):
        pass
    rate = 3600 * count / (time.perf_counter() - began)
    return Figure(f"AutoAttack on {count} images, images an hour", rate, n=count)


def _seconds(device: torch.device, run: Callable[[], Iterator[object]], times: int) -> list[float]:
    """Wall seconds of each run but the first, which chooses kernels, where there are more."""
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        list(_synchronised(device, run()))
        seconds.append(time.perf_counter() - began)
    return seconds[1:] or seconds


def _synchronised(device: torch.device, steps: Iterator[Any]) -> Iterator[Any]:
    """The same steps; the clock sees the device's work at their end."""
    yield from steps
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _memory(device: torch.device) -> list[Figure]:
    if device.type != "cuda":
        return []
    return [Figure("peak memory", torch.cuda.max_memory_allocated(device) / 2**30, "GB")]


def main(given: Sequence[str] | None = None) -> None:
    """The process of one part; the last line it prints has its figures as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("device", type=torch.device)
    parser.add_argument("--quick", action="store_true")
    wanted = parser.parse_args(given)
    os.environ["CDP_DEVICE"] = str(wanted.device)
    # Both sides of a comparison have all digits of fp32.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    figures = PARTS[wanted.part].measure(wanted.device, wanted.quick)
    print(json.dumps([asdict(figure) for figure in figures]))


if __name__ == "__main__":
    main()
