"""The sampler against diffusers' own loop, and its promises on strength 0, seeds and batch size."""

from collections.abc import Iterator

import diffusers
import numpy as np
import pytest
import torch

from cdp.config.generate import Guidance
from cdp.diffusion.sampling import (
    Solver,
    Trajectory,
    image_seeds,
    sample_pair,
    steered,
    to_eps,
    to_x0,
)
from cdp.errors import InputError
from cdp.guidance.guide import build_guide
from cdp.models import noise_schedule as noise
from cdp.models.denoiser import compiled
from cdp.values.types import NoiseState, Nudge, Step
from tests.diffusion.tiny import sample, tiny_denoiser

SOLVERS = ("ddim", "ddpm", "dpmpp", "unipc")
LABELS = torch.tensor([0, 1, 2, 0, 1, 2])
SEEDS = image_seeds(7, range(6))


class ToyEncoder(torch.nn.Module):
    """Linear features, so that guidance needs no trained network."""

    def __init__(self, pixels: int = 64) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.weight = torch.nn.Parameter(
            torch.randn(16, pixels, generator=generator), requires_grad=False
        )

    def features(self, image: torch.Tensor) -> torch.Tensor:
        return image.flatten(1) @ self.weight.T

    def logits_of(self, features: torch.Tensor) -> torch.Tensor:
        return features[:, :3]


def run(**changes: object) -> list[Step]:
    arguments: dict[str, object] = {"labels": LABELS, "seeds": SEEDS, "steps": 5} | changes
    return list(sample(tiny_denoiser(), noise.COSINE, **arguments))  # type: ignore[arg-type]


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_ddim_equals_diffusers_own_pipeline_on_the_same_network_and_noise(prediction: str) -> None:
    net = tiny_denoiser(classes=0, prediction=prediction, patch=1)
    config = {
        "num_train_timesteps": 1000,
        "beta_schedule": "linear",
        "prediction_type": prediction,
        "clip_sample": True,
    }
    scheduler = diffusers.DDIMScheduler.from_config(config)
    pipeline = diffusers.DDIMPipeline(unet=net.unet, scheduler=scheduler)
    pipeline.set_progress_bar_config(disable=True)
    generators = [torch.Generator().manual_seed(seed) for seed in SEEDS]
    theirs = pipeline(
        batch_size=6, generator=generators, num_inference_steps=10, output_type="np"
    ).images
    *_, last = sample(net, config, labels=None, seeds=SEEDS, steps=10)
    ours = ((last.x + 1) / 2).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_clamped_ddpm_equals_diffusers_own_pipeline(prediction: str) -> None:
    net = tiny_denoiser(classes=0, prediction=prediction, patch=1)
    config = {
        "num_train_timesteps": 1000,
        "beta_schedule": "linear",
        "prediction_type": prediction,
        "variance_type": "fixed_small",
    }
    pipeline = diffusers.DDPMPipeline(
        unet=net.unet, scheduler=diffusers.DDPMScheduler.from_config(config | {"clip_sample": True})
    )
    pipeline.set_progress_bar_config(disable=True)
    generators = [torch.Generator().manual_seed(seed) for seed in SEEDS]
    theirs = pipeline(
        batch_size=6, generator=generators, num_inference_steps=20, output_type="np"
    ).images
    steps = list(
        sample(
            net,
            config | {"clip_sample": False},
            labels=None,
            seeds=SEEDS,
            steps=20,
            solver="ddpm",
            clip_sample="on",
        )
    )
    ours = ((steps[-1].x + 1) / 2).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert all(float(step.x0.abs().max()) <= 1 for step in steps)
    *_, free = sample(
        net,
        config | {"clip_sample": True},
        labels=None,
        seeds=SEEDS,
        steps=20,
        solver="ddpm",
        clip_sample="off",
    )
    *_, model = sample(
        net, config | {"clip_sample": False}, labels=None, seeds=SEEDS, steps=20, solver="ddpm"
    )
    torch.testing.assert_close(free.x, model.x, atol=1e-4, rtol=1e-4)
    assert float((free.x - steps[-1].x).abs().max()) > 1e-2


def test_clamped_ddim_goes_on_with_the_noise_that_the_clamped_estimate_implies() -> None:
    net = tiny_denoiser(classes=0, prediction="epsilon", patch=1)
    config = {"beta_schedule": "linear", "prediction_type": "epsilon"}
    levels = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    x = torch.stack(
        [torch.randn(1, 8, 8, generator=torch.Generator().manual_seed(seed)) for seed in SEEDS]
    )
    with torch.no_grad():
        for t in range(900, -1, -100):
            ab, following = levels[t], levels[t - 100] if t else levels[0]
            x0 = ((x - (1 - ab) ** 0.5 * net(x, t, None)) / ab**0.5).clamp(-1, 1)
            e = (x - ab**0.5 * x0) / (1 - ab) ** 0.5
            x = (following**0.5 * x0 + (1 - following) ** 0.5 * e).float() if t else x0.float()
    *_, last = sample(net, config, labels=None, seeds=SEEDS, steps=10, clip_sample="on")
    torch.testing.assert_close(last.x, x, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("solver", ["dpmpp", "unipc"])
def test_solvers_without_a_clamped_estimate_leave_the_setting_aside(solver: str) -> None:
    assert torch.equal(run(solver=solver, clip_sample="on")[-1].x, run(solver=solver)[-1].x)


@pytest.mark.parametrize("solver", SOLVERS)
def test_strength_zero_is_unguided_bit_for_bit(solver: str) -> None:
    guide = build_guide(Guidance(strength=0.0), ToyEncoder())
    plain, zero = run(solver=solver), run(solver=solver, guide=guide)
    silent = run(
        solver=solver,
        guide=lambda state: Nudge(torch.zeros_like(state.eps), torch.zeros(6), torch.zeros(6), 0.0),
    )
    assert torch.equal(plain[-1].x, zero[-1].x)
    assert torch.equal(plain[-1].x, silent[-1].x)


@pytest.mark.parametrize("solver", SOLVERS)
def test_results_do_not_depend_on_batch_size(solver: str) -> None:
    whole = run(solver=solver, eta=1.0)[-1].x
    parts = [
        run(solver=solver, eta=1.0, labels=LABELS[i : i + 2], seeds=SEEDS[i : i + 2])[-1].x
        for i in (0, 2, 4)
    ]
    torch.testing.assert_close(whole, torch.cat(parts), atol=2e-5, rtol=1e-4)


def test_guidance_without_cross_image_terms_does_not_depend_on_batch_size() -> None:
    def guided(rows: slice) -> torch.Tensor:
        guide = build_guide(Guidance(loss="classifier", strength=0.3), ToyEncoder())
        return run(labels=LABELS[rows], seeds=SEEDS[rows], guide=guide)[-1].x

    whole = guided(slice(0, 6))
    torch.testing.assert_close(
        whole, torch.cat([guided(slice(0, 3)), guided(slice(3, 6))]), atol=1e-4, rtol=1e-3
    )
    assert not torch.equal(whole, run()[-1].x)


@pytest.mark.parametrize("loss", ["info_nce", "hard_negative", "supcon", "class_margin"])
def test_guidance_with_cross_image_terms_is_reproducible(loss: str) -> None:
    kind = "same_class" if loss in ("supcon", "class_margin") else "previous"
    guidance = Guidance(
        loss=loss, strength=0.3, window_start=1.0, positives=kind, negatives="batch"
    )  # type: ignore[arg-type]
    first, second = (run(guide=build_guide(guidance, ToyEncoder(), seed=3))[-1].x for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, run()[-1].x)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_pair_equals_both_arms_run_alone(solver: str) -> None:
    def guide() -> object:
        return build_guide(
            Guidance(strength=0.3, positives="same_class", negatives="batch"), ToyEncoder()
        )

    path = Trajectory(
        tiny_denoiser(),
        noise.COSINE,
        labels=LABELS,
        seeds=SEEDS,
        steps=5,
        solver=solver,
        eta=1.0,
        guide=guide(),
    )  # type: ignore[arg-type]
    pairs = list(sample_pair(path))
    assert torch.equal(pairs[-1][0].x, run(solver=solver, eta=1.0, guide=guide())[-1].x)
    assert torch.equal(pairs[-1][1].x, run(solver=solver, eta=1.0)[-1].x)
    assert pairs[0][0] is pairs[0][1], "before guidance sets in, the arms share their steps"


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_a_change_of_the_noise_means_the_same_in_every_parametrisation(prediction: str) -> None:
    generator = torch.Generator().manual_seed(0)
    out, x, delta = (
        torch.randn(4, 1, 3, 3, generator=generator, dtype=torch.float64) for _ in range(3)
    )
    level = 0.37
    moved = steered(out, delta, level, prediction)
    torch.testing.assert_close(
        to_eps(moved, x, level, prediction), to_eps(out, x, level, prediction) + delta
    )
    expected = (x - (1 - level) ** 0.5 * (to_eps(out, x, level, prediction) + delta)) / level**0.5
    torch.testing.assert_close(to_x0(moved, x, level, prediction), expected)


def test_each_image_has_a_seed_of_its_own_that_no_other_setting_changes() -> None:
    seeds = image_seeds(0, range(2000))
    assert len(set(seeds)) == 2000 and seeds[5:9] == image_seeds(0, range(5, 9))
    assert not set(seeds) & set(image_seeds(1, range(2000)))
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_the_guide_sees_the_networks_noise_and_the_image_it_implies() -> None:
    seen: list[NoiseState] = []

    def spy(state: NoiseState) -> None:
        seen.append(state)

    run(guide=spy)
    for state in seen:
        rebuilt = state.alpha_bar**0.5 * state.x0 + (1 - state.alpha_bar) ** 0.5 * state.eps
        torch.testing.assert_close(rebuilt, state.x_t, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(state.predict_x0(state.x_t), state.x0)
    assert [state.t for state in seen] == list(noise.timesteps(noise.COSINE, 5))


def test_steps_come_outside_no_grad_and_can_be_left_midway() -> None:
    steps: Iterator[Step] = sample(
        tiny_denoiser(), noise.COSINE, labels=LABELS, seeds=SEEDS, steps=5
    )
    first = next(steps)
    assert torch.is_grad_enabled() and (first.i, first.total) == (1, 5)


def test_the_classifier_free_scale_mixes_conditional_and_unconditional_predictions() -> None:
    net = tiny_denoiser()
    path = Trajectory(net, noise.COSINE, labels=LABELS, seeds=SEEDS, steps=5, cfg_scale=2.5)
    null = torch.full_like(LABELS, net.null_label)
    with torch.no_grad():
        t = path.solver.timesteps[0]
        cond, uncond = net(path.x, t, LABELS), net(path.x, t, null)
    torch.testing.assert_close(
        path.predict().out, uncond + 2.5 * (cond - uncond), atol=1e-5, rtol=1e-4
    )


def test_a_compiled_network_shares_its_weights_and_samples_the_same_images() -> None:
    net = tiny_denoiser()
    # Tracing without code generation: what is tested is our wiring, not the machine's C++ compiler.
    twin = compiled(net, backend="eager")
    *_, last = sample(twin, noise.COSINE, labels=LABELS, seeds=SEEDS, steps=5)
    torch.testing.assert_close(last.x, run()[-1].x, atol=1e-5, rtol=1e-4)
    assert {p.data_ptr() for p in twin.parameters()} == {p.data_ptr() for p in net.parameters()}


@pytest.mark.parametrize(
    "config",
    [
        noise.COSINE,
        {"beta_schedule": "linear"},
        {"beta_schedule": "scaled_linear", "beta_end": 0.012},
    ],
)
def test_the_plain_number_schedule_is_the_solvers_schedule(config: dict[str, object]) -> None:
    solver = Solver("ddim", config, steps=20, eta=0.0, seeds=[0])
    levels = noise.alpha_bars(config)
    np.testing.assert_allclose(
        [solver.alpha_bar(t) for t in range(1000)], levels, rtol=2e-3, atol=1e-9
    )
    assert solver.timesteps == list(noise.timesteps(config, 20))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"labels": None}, "class-conditional"),
        ({"labels": torch.tensor([0, 1, 3, 0, 1, 2])}, "0 to 2"),
        ({"labels": torch.tensor([0])}, "one label"),
        ({"solver": "euler"}, "ddim"),
        ({"steps": 1001}, "steps"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, object], word: str) -> None:
    with pytest.raises(InputError, match=word):
        run(**changes)
