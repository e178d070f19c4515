"""A small data set with two classifiers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from typer.testing import CliRunner

from cdp.cli.main import app
from cdp.data.sets import save_set
from cdp.errors import CdpError
from cdp.models.encoders import save_encoder
from cdp.paths import encoders_dir
from cdp.tasks.loaded import encoder_on_device
from tests.robust import tiny

DATASET, NAMES = "shades", ["dark", "grey", "light"]


def make_world() -> None:
    """Training and test images of 8 x 8 px, a judge of them and another encoder called standard."""
    for name, seed in ((DATASET, 0), (f"{DATASET}-test", 5)):
        save_set(name, *tiny.images(60, seed), {"class_names": NAMES})
    card = {"format": 1, "what": "encoder", "dataset": DATASET, "shape": [1, 8, 8], "classes": 3}
    card |= {"class_names": NAMES}
    for seed, name in enumerate(("judge", "standard")):
        save_encoder(encoders_dir() / DATASET / name, tiny.classifier(seed), card)


def doubtful() -> np.ndarray:
    """Images of every brightness, of many of which a classifier of three is not quite sure;
    (256,8,8,1) uint8."""
    return np.broadcast_to(
        np.arange(256, dtype=np.uint8)[:, None, None, None], (256, 8, 8, 1)
    ).copy()


def seen_by(encoder: str, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) probability of the most probable class, and that class, by the network itself."""
    with torch.no_grad():
        share = (
            encoder_on_device(encoder, DATASET)
            .net(torch.from_numpy(image.copy()).permute(0, 3, 1, 2).float() / 255)
            .softmax(1)
        )
    confidence, predicted = (value.numpy() for value in share.max(1))
    return confidence, predicted


def make_model(folder: Path, pipeline: str = "DDPMPipeline") -> Path:
    """A small U-Net without classes, with random weights, saved by diffusers."""
    torch.manual_seed(0)
    unet = diffusers.UNet2DModel(
        sample_size=8,
        in_channels=1,
        out_channels=1,
        layers_per_block=1,
        block_out_channels=(8, 16),
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    )
    scheduler = {"DDPMPipeline": diffusers.DDPMScheduler, "DDIMPipeline": diffusers.DDIMScheduler}[
        pipeline
    ]
    getattr(diffusers, pipeline)(unet, scheduler(beta_schedule="linear")).save_pretrained(
        folder, safe_serialization=True
    )
    return folder


def cdp(*words: object) -> dict[str, Any]:
    """What a command prints as JSON; its errors are raised."""
    done = CliRunner().invoke(app, [*map(str, words), "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def refusal(*words: object) -> str:
    """What a command is refused with."""
    done = CliRunner().invoke(app, [*map(str, words)])
    assert isinstance(done.exception, CdpError), (done.exception, done.output)
    return str(done.exception)
