"""diffusers' schedulers behind one call, with the noise of every image drawn from that image's own
stream."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cdp.config.generate import CLAMPING
from cdp.errors import InputError

MULTISTEP = ("dpmpp", "unipc")


def image_seeds(seed: int, rows: Sequence[int] | range) -> list[int]:
    """One 63-bit seed an image, a function of (seed, row) alone: the same whatever the batch size
    or worker count."""
    return [
        int(np.random.SeedSequence([seed, row]).generate_state(1, np.uint64)[0] >> 1)
        for row in rows
    ]


def build_scheduler(
    name: str, config: Mapping[str, Any], steps: int, clip_sample: str = "model"
) -> Any:
    """A diffusers scheduler with its timesteps set. config: the model's own scheduler_config.json;
    clip_sample: as in ``Solver``."""
    import diffusers

    kinds: dict[str, tuple[Any, dict[str, Any]]] = {
        "ddim": (diffusers.DDIMScheduler, {}),
        "ddpm": (diffusers.DDPMScheduler, {"variance_type": "fixed_small"}),
        "dpmpp": (
            diffusers.DPMSolverMultistepScheduler,
            {"algorithm_type": "dpmsolver++", "solver_order": 2},
        ),
        "unipc": (diffusers.UniPCMultistepScheduler, {"solver_order": 2}),
    }
    if name not in kinds:
        raise InputError(f"solver {name!r} is unknown: choose one of {', '.join(kinds)}")
    kind, extra = kinds[name]
    if name == "dpmpp" and config.get("beta_schedule") == "squaredcos_cap_v2":
        # The cosine schedule ends at almost no signal, where the half-log-SNR runs off; diffusers'
        # documented remedy.
        extra = extra | {"lambda_min_clipped": -5.1}
    if clip_sample != "model" and name in CLAMPING:
        extra = extra | {
            "clip_sample": clip_sample == "on",
            "clip_sample_range": 1.0,
            "thresholding": False,
        }
    known = {key: value for key, value in config.items() if not key.startswith("_")}
    scheduler = kind.from_config(known, **extra)
    try:
        scheduler.set_timesteps(steps)
    except ValueError as error:
        raise InputError(
            f"steps: {steps} is more than the model's {scheduler.config.num_train_timesteps}"
            " training timesteps"
        ) from error
    return scheduler


class Solver:
    """One trajectory's solver: a scheduler, and one noise stream an image. Not to be shared between
    trajectories.

    clip_sample: whether DDIM and DDPM clamp their estimate of the image to [-1,1] at every step and
    go on with the noise that the clamped one implies ("on"), or take it as it is ("off"); "model"
    does what the model's settings say, as diffusers does.
    """

    def __init__(
        self,
        name: str,
        config: Mapping[str, Any],
        *,
        steps: int,
        eta: float,
        seeds: Sequence[int],
        clip_sample: str = "model",
    ) -> None:
        self.name, self.eta = name, eta
        self.clamps = clip_sample == "on" and name in CLAMPING
        self.scheduler = build_scheduler(name, config, steps, clip_sample)
        if name == "ddim" and eta > 0:
            # With eta 1, 1 - alpha_bar(s) - sigma^2 is almost 0 near pure noise; in fp32 it can
            # fall below, and its root is NaN.
            self.scheduler.alphas_cumprod = self.scheduler.alphas_cumprod.double()
        if clip_sample != "model" and name in CLAMPING:
            # In fp32 the product of a thousand factors is off by 1e-5, which clamped estimates show
            # as 1e-4 in the images. Left as diffusers has it where nothing is said of clamping, so
            # that sets made before can be made again to the last bit.
            self.scheduler.alphas_cumprod = torch.cumprod(1 - self.scheduler.betas.double(), dim=0)
        self.timesteps: list[int] = [int(t) for t in self.scheduler.timesteps]
        self.train_steps: int = int(self.scheduler.config.num_train_timesteps)
        self._alpha_bar: list[float] = self.scheduler.alphas_cumprod.tolist()
        # On the CPU whatever the device, so that the same seed gives the same noise everywhere.
        self._streams = [torch.Generator().manual_seed(seed) for seed in seeds]

    def alpha_bar(self, t: int) -> float:
        """Cumulative alpha-bar at training timestep t."""
        return self._alpha_bar[t]

    def noise(self, shape: tuple[int, ...], device: torch.device) -> Tensor:
        """Standard normal (B, *shape), row i from stream i."""
        return torch.stack([torch.randn(shape, generator=stream) for stream in self._streams]).to(
            device
        )

    def step(self, out: Tensor, t: int, x: Tensor) -> Tensor:
        """From the network's (possibly steered) output at t to the next iterate."""
        if self.name == "ddim":
            fresh = self.noise(tuple(x.shape[1:]), x.device) if self.eta > 0 else None
            moved = self.scheduler.step(
                out,
                t,
                x,
                eta=self.eta,
                use_clipped_model_output=self.clamps,
                variance_noise=fresh,
                return_dict=False,
            )
        elif self.name == "ddpm":
            moved = self.scheduler.step(out, t, x, generator=self._streams, return_dict=False)
        else:
            moved = self.scheduler.step(out, t, x, return_dict=False)
        return moved[0]

    def fork(self) -> Solver:
        """An independent copy in the same state: both continue with the same noise."""
        twin = copy.copy(self)
        twin.scheduler = copy.deepcopy(self.scheduler)
        twin._streams = [stream.clone_state() for stream in self._streams]
        return twin
