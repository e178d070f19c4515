"""Guided sampling as a generator of steps: live preview, cancel, big runs and tests all drive this
one loop.

The loop keeps the network's own parametrisation and lets the solver see nothing else, so strength 0
and no guide at all are the same computation bit for bit. A guide answers with a change d of the
predicted noise (eps_hat = eps + d, SCIENCE: Contrastive-DP step 2), which is carried into that
parametrisation exactly. Solvers are those of diffusers.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cdp.config.generate import CLAMPING
from cdp.errors import InputError
from cdp.models.denoiser import Denoiser
from cdp.models.precision import autocast
from cdp.values.types import Guide, NoiseState, Nudge, Step

MULTISTEP = ("dpmpp", "unipc")


def image_seeds(seed: int, rows: Sequence[int] | range) -> list[int]:
    """One 63-bit seed an image, a function of (seed, row) alone."""
    return [
        int(np.random.SeedSequence([seed, row]).generate_state(1, np.uint64)[0] >> 1)
        for row in rows
    ]


def build_scheduler(
    name: str, config: Mapping[str, Any], steps: int, clip_sample: str = "model"
) -> Any:
    """A diffusers scheduler with its timesteps set. clip_sample: as in ``Solver``."""
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


def to_eps(out: Tensor, x_t: Tensor, alpha_bar: float, prediction: str) -> Tensor:
    """Network output -> predicted noise. Salimans and Ho 2022: v = sqrt(ab) eps - sqrt(1-ab) x0."""
    if prediction == "epsilon":
        return out
    if prediction == "v_prediction":
        return math.sqrt(alpha_bar) * out + math.sqrt(1 - alpha_bar) * x_t
    return (x_t - math.sqrt(alpha_bar) * out) / math.sqrt(1 - alpha_bar)


def to_x0(out: Tensor, x_t: Tensor, alpha_bar: float, prediction: str) -> Tensor:
    """Network output -> denoised estimate, model range."""
    if prediction == "epsilon":
        return (x_t - math.sqrt(1 - alpha_bar) * out) / math.sqrt(alpha_bar)
    if prediction == "v_prediction":
        return math.sqrt(alpha_bar) * x_t - math.sqrt(1 - alpha_bar) * out
    return out


def steered(out: Tensor, delta: Tensor, alpha_bar: float, prediction: str) -> Tensor:
    """The network output that means eps + delta at the same x_t. [derived]"""
    if prediction == "epsilon":
        return out + delta
    if prediction == "v_prediction":
        return out + delta / math.sqrt(alpha_bar)
    return out - math.sqrt((1 - alpha_bar) / alpha_bar) * delta


@dataclass(frozen=True)
class Autoguidance:
    """A model guided by a worse one of itself (Karras et al. 2024, arXiv 2406.02507): where
    stop <= t/T < start, the noise interval of Kynkaanniemi et al. 2024, the prediction is
    ``e_weak + scale (e - e_weak)``.

    weak: for the same images, classes, noise schedule and prediction type. The formula then is the
    same for the noise, v and the image, as each is an affine function of the noise at one x_t.
    """

    weak: Denoiser
    scale: float
    start: float = 1.0
    stop: float = 0.0

    def acts(self, t_fraction: float) -> bool:
        """Whether the weak model is asked at this noise level."""
        return self.stop <= t_fraction < self.start


@dataclass(frozen=True)
class Prediction:
    """One network call: what it predicts here, and what the guide would change."""

    out: Tensor
    x0: Tensor
    nudge: Nudge | None


class Trajectory:
    """A batch on its way from noise to images. ``predict`` calls the network, ``step`` moves,
    ``steps`` goes all the way; ``fork`` copies the state between."""

    def __init__(
        self,
        denoiser: Denoiser,
        scheduler: Mapping[str, Any],
        *,
        labels: Tensor | None,
        seeds: Sequence[int],
        solver: str = "ddim",
        steps: int = 20,
        eta: float = 0.0,
        guide: Guide | None = None,
        cfg_scale: float = 1.0,
        autoguidance: Autoguidance | None = None,
        clip_sample: str = "model",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """scheduler: the model's scheduler_config; labels: (B,), None for an unconditional model;
        seeds: one an image; solver: ddim, ddpm, dpmpp or unipc; eta: DDIM's; cfg_scale:
        classifier-free guidance, 1 is off; autoguidance: by a weak model, in its place; dtype: of
        the network call, all else is fp32. Raises InputError for labels that do not fit the
        model."""
        self.device = next(denoiser.parameters()).device
        check_labels(denoiser, labels, len(seeds), cfg_scale)
        self.denoiser, self.guide, self.cfg_scale, self.dtype = denoiser, guide, cfg_scale, dtype
        self.autoguidance = autoguidance
        self.labels = None if labels is None else labels.to(self.device)
        self.solver = Solver(
            solver, scheduler, steps=steps, eta=eta, seeds=seeds, clip_sample=clip_sample
        )
        self.x = self.solver.noise(denoiser.shape, self.device)
        self.i = 0

    def steps(self) -> Iterator[Step]:
        """To the end. The last step's ``x`` are the images, up to overshoot."""
        while self.running:
            yield self.step(self.predict())

    @property
    def running(self) -> bool:
        return self.i < len(self.solver.timesteps)

    def fork(self) -> Trajectory:
        """A twin without the guide in the same state, with the same noise to come."""
        twin = object.__new__(Trajectory)
        twin.__dict__.update(self.__dict__)
        twin.solver, twin.guide = self.solver.fork(), None
        return twin

    def _output(self, x: Tensor, t: int) -> Tensor:
        auto = self.autoguidance
        with autocast(self.device, self.dtype):
            if auto is not None and auto.acts(t / self.solver.train_steps):
                weak = auto.weak(x, t, self.labels).float()
                return weak + auto.scale * (self.denoiser(x, t, self.labels).float() - weak)
            if self.cfg_scale == 1:
                return self.denoiser(x, t, self.labels).float()
            # Classifier-free guidance (Ho and Salimans 2022): both halves in one call.
            assert self.labels is not None  # checked on construction
            null = torch.full_like(self.labels, self.denoiser.null_label)
            uncond, cond = (
                self.denoiser(torch.cat([x, x]), t, torch.cat([null, self.labels])).float().chunk(2)
            )
        return uncond + self.cfg_scale * (cond - uncond)

    def predict(self) -> Prediction:
        """Call the network at the current iterate, and the guide where there is one."""
        t = self.solver.timesteps[self.i]
        level, kind = self.solver.alpha_bar(t), self.denoiser.prediction_type
        with torch.no_grad():
            out = self._output(self.x, t)
            x0 = to_x0(out, self.x, level, kind)
            if self.guide is None:
                return Prediction(out, x0, None)
            eps = to_eps(out, self.x, level, kind)
        state = NoiseState(
            x_t=self.x,
            x0=x0,
            eps=eps,
            t=t,
            t_fraction=t / self.solver.train_steps,
            alpha_bar=level,
            index=self.i,
            labels=self.labels,
            predict_x0=lambda x: to_x0(self._output(x, t), x, level, kind),
        )
        return Prediction(out, x0, self.guide(state))

    def step(self, prediction: Prediction) -> Step:
        """Move to the next iterate, steered where the guide asked for it."""
        t = self.solver.timesteps[self.i]
        level, kind = self.solver.alpha_bar(t), self.denoiser.prediction_type
        with torch.no_grad():
            out, x0 = prediction.out, prediction.x0
            if prediction.nudge is not None:
                out = steered(out, prediction.nudge.delta, level, kind)
                x0 = to_x0(out, self.x, level, kind)
            if self.solver.clamps:
                x0 = x0.clamp(-1, 1)
            self.x = self.solver.step(out, t, self.x)
        self.i += 1
        return Step(
            self.i,
            len(self.solver.timesteps),
            t,
            t / self.solver.train_steps,
            self.x,
            x0,
            prediction.nudge,
        )


def sample_pair(guided: Trajectory) -> Iterator[tuple[Step, Step]]:
    """The guided arm and its unguided twin; what they share before guidance is computed once."""
    plain: Trajectory | None = None
    while guided.running:
        prediction = guided.predict()
        control = None
        if plain is not None:
            control = plain.step(plain.predict())
        elif prediction.nudge is not None:
            plain = guided.fork()
            control = plain.step(Prediction(prediction.out, prediction.x0, None))
        step = guided.step(prediction)
        yield step, control or step


def check_labels(denoiser: Denoiser, labels: Tensor | None, count: int, cfg_scale: float) -> None:
    """Raises InputError unless the labels fit the model."""
    if not denoiser.classes:
        if cfg_scale != 1:
            raise InputError(
                "cfg_scale: this model is unconditional, so there is nothing to scale: set it to 1"
            )
        return
    if labels is None or labels.shape != (count,):
        raise InputError(
            f"labels: this model is class-conditional and needs one label for each of {count}"
            " images"
        )
    if count and (int(labels.min()) < 0 or int(labels.max()) >= denoiser.classes):
        raise InputError(
            f"labels: this model knows classes 0 to {denoiser.classes - 1}: leave out others"
        )
