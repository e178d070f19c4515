"""What each lever is worth on its own: precision of the network and of the guide, and images
sampled together."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch

from benchmarks.measuring import interleaved, paired_ratio, spread
from benchmarks.results import Figure
from benchmarks.scenes import COMPILES, FULL_WINDOW, Options
from cdp.config.generate import GenerateConfig
from cdp.robust.recipes import to_tensor
from cdp.tasks.batches import sample_batch
from cdp.tasks.loaded import load_engine
from cdp.tasks.sources import dataset_of_generation, real_images

NAME, TITLE = "levers", "What each lever is worth"
BATCHES = (16, 32, 64, 128)


def measure(options: Options) -> tuple[list[Figure], dict[str, object]]:
    """Speed-up by precision and by batch; settings."""
    base = options.config("unguided")
    figures = [
        *_precision(options),
        *_encoder_precision(options),
        *_compiled(options),
        *_batches(options),
    ]
    return figures, {"config": base.model_dump(mode="json")}


def _precision(options: Options) -> list[Figure]:
    """bf16 over fp32 for whole batches, unguided and guided."""
    figures = []
    for name, preset, flat in (
        ("unguided", "unguided", {}),
        ("guided, full window", "default", FULL_WINDOW),
    ):
        configs = {p: options.config(preset, **flat, precision=p) for p in ("fp32", "bf16")}
        seconds = interleaved(
            {p: partial(sample_batch, config, 0) for p, config in configs.items()}, options.rounds
        )
        figures.append(
            Figure.of_spread(
                f"bf16, times as fast as fp32: {name}",
                paired_ratio(seconds["fp32"], seconds["bf16"]),
            )
        )
    return figures


def _encoder_precision(options: Options) -> list[Figure]:
    """The guide's encoder alone, forward and back to the image, bf16 over fp32."""
    config = options.config()
    encoder = load_engine(config).encoder
    assert encoder is not None  # the default preset guides
    image = to_tensor(real_images(dataset_of_generation(config), "test", config.count)[0])

    def there_and_back(dtype: torch.dtype) -> Iterator[object]:
        for _ in range(config.sampler.steps):
            x = image.clone().requires_grad_()
            with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
                features = encoder.net.features(x)
            yield torch.autograd.grad(features.float().square().sum(), x)

    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16}
    seconds = interleaved(
        {name: partial(there_and_back, dtype) for name, dtype in dtypes.items()}, options.rounds
    )
    return [
        Figure.of_spread(
            "bf16, times as fast as fp32: encoder forward and back",
            paired_ratio(seconds["fp32"], seconds["bf16"]),
        )
    ]


def _compiled(options: Options) -> list[Figure]:
    """torch.compile over eager, compiling left out; nothing where there is no C++ compiler to
    compile with."""
    if options.quick or not COMPILES:
        return []
    eager, compiled = options.config("unguided"), options.config("unguided", compile=True)
    seconds = interleaved(
        {"eager": partial(sample_batch, eager, 0), "compiled": partial(sample_batch, compiled, 0)},
        options.rounds,
    )
    return [
        Figure.of_spread(
            "torch.compile, times as fast as eager: unguided",
            paired_ratio(seconds["eager"], seconds["compiled"]),
        )
    ]


def _batches(options: Options) -> list[Figure]:
    """Images per second by images sampled together, and the ratio to the default batch."""
    sizes = (8, 16) if options.quick else BATCHES
    count = max(sizes)
    seconds = interleaved(
        {str(size): partial(_all, options, count, size) for size in sizes},
        max(2, options.rounds // 2),
    )
    rates = {size: spread([count / s for s in seconds[str(size)]]) for size in sizes}
    return [
        Figure.of_spread(f"unguided, batch {size}", rate, "images/s")
        for size, rate in rates.items()
    ]


def _all(options: Options, count: int, batch: int) -> Iterator[object]:
    """``count`` images in batches of ``batch``."""
    config: GenerateConfig = options.config("unguided", count=count, batch=batch)
    for index in range(count // batch):
        yield from sample_batch(config, index)
