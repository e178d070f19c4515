"""Autoguidance against a plain float64 loop, and its promises: off is off, no call outside the
interval, images that do not depend on their batch."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from cdp.diffusion.sampling import Autoguidance, Trajectory, image_seeds, sample_pair
from cdp.models import noise_schedule as noise
from cdp.models.denoiser import Denoiser, compiled
from cdp.values.types import NoiseState, Nudge, Step
from tests.diffusion.tiny import sample, tiny_denoiser

LABELS = torch.tensor([0, 1, 2, 0, 1, 2])
SEEDS = image_seeds(7, range(6))
PREDICTIONS = ("epsilon", "v_prediction", "sample")


def schedule(prediction: str) -> dict[str, Any]:
    return {
        "num_train_timesteps": 1000,
        "beta_schedule": "linear",
        "prediction_type": prediction,
        "timestep_spacing": "trailing",
        "clip_sample": False,
    }


def weak_denoiser(prediction: str = "v_prediction") -> Denoiser:
    return tiny_denoiser(prediction=prediction, seed=5)


def run(weak: Denoiser | None = None, **changes: Any) -> list[Step]:
    """Steps of the tiny model. scale, start, stop: of autoguidance by ``weak``."""
    window = {name: changes.pop(name) for name in ("scale", "start", "stop") if name in changes}
    auto = None if weak is None else Autoguidance(weak, **{"scale": 2.0, **window})
    given: dict[str, Any] = {"labels": LABELS, "seeds": SEEDS, "steps": 5} | changes
    return list(sample(tiny_denoiser(), noise.COSINE, autoguidance=auto, **given))


def longer(state: NoiseState) -> Nudge:
    """A guide that lengthens the predicted noise by a fifth."""
    ratio = torch.full((len(state.eps),), 0.2)
    return Nudge(0.2 * state.eps, torch.zeros(len(state.eps)), ratio, 0.2)


def noise_of(out: Tensor, x: Tensor, level: float, prediction: str) -> Tensor:
    if prediction == "v_prediction":
        return math.sqrt(level) * out + math.sqrt(1 - level) * x
    if prediction == "sample":
        return (x - math.sqrt(level) * out) / math.sqrt(1 - level)
    return out


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("guided", [False, True], ids=["unguided", "guided"])
def test_images_are_those_of_a_plain_loop_in_float64(prediction: str, guided: bool) -> None:
    strong, weak = tiny_denoiser(prediction=prediction), weak_denoiser(prediction)
    path = Trajectory(
        strong,
        schedule(prediction),
        labels=LABELS,
        seeds=SEEDS,
        steps=10,
        guide=longer if guided else None,
        autoguidance=Autoguidance(weak, 1.7, start=0.8, stop=0.25),
    )
    x = path.x.double()
    *_, last = path.steps()

    nets = [copy.deepcopy(net).double() for net in (strong, weak)]
    levels = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0).tolist()
    times = [999, 899, 799, 699, 599, 499, 399, 299, 199, 99]
    for t, after in zip(times, [*times[1:], -1], strict=True):
        level, next_level = levels[t], levels[after] if after >= 0 else 1.0
        with torch.no_grad():
            e, e_weak = (noise_of(net(x, t, LABELS), x, level, prediction) for net in nets)
        if 0.25 <= t / 1000 < 0.8:
            e = e_weak + 1.7 * (e - e_weak)
        if guided:
            e = 1.2 * e
        x0 = (x - math.sqrt(1 - level) * e) / math.sqrt(level)
        x = math.sqrt(next_level) * x0 + math.sqrt(1 - next_level) * e
    torch.testing.assert_close(last.x.double(), x, atol=2e-4, rtol=2e-4)


@pytest.mark.parametrize(
    ("window", "calls"),
    [
        ({}, 5),
        ({"start": 0.9, "stop": 0.3}, 3),  # of 0.999, 0.799, 0.599, 0.399, 0.199
        ({"start": 0.19}, 0),
        ({"start": 0.5, "stop": 0.4}, 0),
        ({"start": 0.3, "stop": 0.3}, 0),
    ],
)
def test_the_weak_model_is_called_inside_the_interval_alone(
    window: dict[str, float], calls: int
) -> None:
    weak, seen = weak_denoiser(), []
    weak.register_forward_pre_hook(lambda module, given: seen.append(given[1]))
    images = run(weak, **window)[-1].x
    assert len(seen) == calls
    assert torch.equal(images, run()[-1].x) is (calls == 0)


@pytest.mark.parametrize("solver", ["ddim", "ddpm", "dpmpp", "unipc"])
def test_images_do_not_depend_on_their_batch(solver: str) -> None:
    whole = run(weak_denoiser(), solver=solver)[-1].x
    part = run(weak_denoiser(), solver=solver, labels=LABELS[2:4], seeds=SEEDS[2:4])[-1].x
    torch.testing.assert_close(whole[2:4], part, atol=1e-4, rtol=1e-4)


def test_a_guide_sees_the_extrapolated_prediction_also_through_the_network() -> None:
    seen: list[NoiseState] = []
    run(weak_denoiser(), scale=3.0, guide=seen.append)  # which answers None
    for state in seen:
        rebuilt = state.alpha_bar**0.5 * state.x0 + (1 - state.alpha_bar) ** 0.5 * state.eps
        torch.testing.assert_close(rebuilt, state.x_t, atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(state.predict_x0(state.x_t), state.x0)
    alone: list[NoiseState] = []
    run(guide=alone.append)
    assert torch.equal(seen[0].x_t, alone[0].x_t) and not torch.equal(seen[0].x0, alone[0].x0)


def test_the_unguided_twin_of_a_pair_is_autoguided_too() -> None:
    auto = Autoguidance(weak_denoiser(), 2.0)
    given: dict[str, Any] = {"labels": LABELS, "seeds": SEEDS, "steps": 5}
    path = Trajectory(tiny_denoiser(), noise.COSINE, guide=longer, autoguidance=auto, **given)
    *_, (guided, unguided) = sample_pair(path)
    assert torch.equal(unguided.x, run(auto.weak)[-1].x)
    assert torch.equal(guided.x, run(auto.weak, guide=longer)[-1].x)


def test_bf16_and_compiled_networks_give_nearly_the_same_images() -> None:
    plain = run(weak_denoiser())[-1].x
    half = run(weak_denoiser(), dtype=torch.bfloat16)[-1].x
    assert half.dtype == torch.float32
    assert 0 < float((half - plain).abs().mean()) < 0.05
    traced = run(compiled(weak_denoiser(), backend="eager"))[-1].x
    torch.testing.assert_close(traced, plain, atol=1e-5, rtol=1e-4)
