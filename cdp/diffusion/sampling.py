"""Guided sampling as a generator of steps: live preview, cancel, big runs and tests all drive this
one loop.

The loop keeps the network's own parametrisation and lets the solver see nothing else, so strength 0
and no guide at all are the same computation bit for bit. A guide answers with a change d of the
predicted noise (eps_hat = eps + d, SCIENCE: Contrastive-DP step 2), which is carried into that
parametrisation exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cdp.diffusion.solvers import Solver
from cdp.errors import InputError
from cdp.models.denoiser import Denoiser
from cdp.models.precision import autocast
from cdp.values.types import Guide, NoiseState, Nudge, Step


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
class Look:
    """One network call: what it predicts at the current iterate, and what the guide would
    change."""

    out: Tensor
    x0: Tensor
    nudge: Nudge | None


class Trajectory:
    """A batch on its way from noise to images. ``look`` predicts, ``take`` moves; ``fork`` copies
    the state between."""

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
        clip_sample: str = "model",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.device = next(denoiser.parameters()).device
        check_labels(denoiser, labels, len(seeds), cfg_scale)
        self.denoiser, self.guide, self.cfg_scale, self.dtype = denoiser, guide, cfg_scale, dtype
        self.labels = None if labels is None else labels.to(self.device)
        self.solver = Solver(
            solver, scheduler, steps=steps, eta=eta, seeds=seeds, clip_sample=clip_sample
        )
        self.x = self.solver.noise(denoiser.shape, self.device)
        self.i = 0

    @property
    def running(self) -> bool:
        return self.i < len(self.solver.timesteps)

    def fork(self) -> Trajectory:
        """An unguided twin in the same state, with the same noise to come."""
        twin = object.__new__(Trajectory)
        twin.__dict__.update(self.__dict__)
        twin.solver, twin.guide = self.solver.fork(), None
        return twin

    def _predict(self, x: Tensor, t: int) -> Tensor:
        with autocast(self.device, self.dtype):
            if self.cfg_scale == 1:
                return self.denoiser(x, t, self.labels).float()
            # Classifier-free guidance (Ho and Salimans 2022): both halves in one call.
            assert self.labels is not None  # checked on construction
            null = torch.full_like(self.labels, self.denoiser.null_label)
            uncond, cond = (
                self.denoiser(torch.cat([x, x]), t, torch.cat([null, self.labels])).float().chunk(2)
            )
        return uncond + self.cfg_scale * (cond - uncond)

    def look(self) -> Look:
        """Call the network at the current iterate, and the guide where there is one."""
        t = self.solver.timesteps[self.i]
        level, kind = self.solver.alpha_bar(t), self.denoiser.prediction_type
        with torch.no_grad():
            out = self._predict(self.x, t)
            x0 = to_x0(out, self.x, level, kind)
            if self.guide is None:
                return Look(out, x0, None)
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
            predict_x0=lambda x: to_x0(self._predict(x, t), x, level, kind),
        )
        return Look(out, x0, self.guide(state))

    def take(self, look: Look) -> Step:
        """Move to the next iterate with the network's output, steered where the guide asked
        for it."""
        t = self.solver.timesteps[self.i]
        level, kind = self.solver.alpha_bar(t), self.denoiser.prediction_type
        with torch.no_grad():
            out, x0 = look.out, look.x0
            if look.nudge is not None:
                out = steered(out, look.nudge.delta, level, kind)
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
            look.nudge,
        )


def sample(
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
    clip_sample: str = "model",
    dtype: torch.dtype = torch.float32,
) -> Iterator[Step]:
    """Sample one batch; the last step's ``x`` are the images, (B,C,H,W) in [-1,1] up to overshoot.

    denoiser: the network; scheduler: the model's scheduler_config; labels: (B,) class numbers, None
    for an unconditional model; seeds: one an image; solver: ddim, ddpm, dpmpp or unipc; eta:
    DDIM's, in [0,1]; guide: steering rule or None; cfg_scale: classifier-free guidance, 1 is off;
    clip_sample: of the image estimate, as in ``Solver``; dtype: precision of the network call, all
    else is fp32.
    Raises InputError for labels that do not fit the model.
    """
    path = Trajectory(
        denoiser,
        scheduler,
        labels=labels,
        seeds=seeds,
        solver=solver,
        steps=steps,
        eta=eta,
        guide=guide,
        cfg_scale=cfg_scale,
        clip_sample=clip_sample,
        dtype=dtype,
    )
    while path.running:
        yield path.take(path.look())


def sample_pair(guided: Trajectory) -> Iterator[tuple[Step, Step]]:
    """The guided arm and its unguided twin from the same noise; what they share before guidance
    sets in is computed once."""
    plain: Trajectory | None = None
    while guided.running:
        look = guided.look()
        control = None
        if plain is not None:
            control = plain.take(plain.look())
        elif look.nudge is not None:
            plain = guided.fork()
            control = plain.take(Look(look.out, look.x0, None))
        step = guided.take(look)
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
