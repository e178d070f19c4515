"""The weak model of autoguidance from the settings to the set: what fits, what is off, what the card
and the content say, what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cdp import paths
from cdp.config.generate import AUTOGUIDANCE, GenerateConfig, flatten, unflatten
from cdp.errors import Cancelled, CdpError, InputError
from cdp.experiments.content import card_content, generated_content
from cdp.models.denoiser import Denoiser, build_unet
from cdp.models.noise_schedule import COSINE
from cdp.models.pipelines import load_pipeline, model_weights, save_pipeline
from cdp.tasks import loaded
from cdp.tasks.batches import generate_batch, sample_batch_pair
from cdp.tasks.generate import generate_set
from cdp.tasks.loaded import to_uint8
from cdp.tasks.sources import require_generation
from cdp.work.cost import (
    Tick,
    generation_seconds,
    learn_generation,
    network_calls,
    sorts_of_steps,
)
from cdp.work.session import Session

SHIPPED = paths.ASSETS / "models" / "fashion-mnist"


def save(
    name: str,
    seed: int = 0,
    *,
    shape: tuple[int, int, int] = (1, 28, 28),
    names: list[str] | None = None,
    **schedule: Any,
) -> Path:
    """A small network with random weights that says it is of Fashion-MNIST."""
    card = load_pipeline(SHIPPED).card
    names = card["class_names"] if names is None else names
    card = card | {"shape": list(shape), "classes": len(names), "class_names": names}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        unet = build_unet(shape, patch=2, classes=len(names), widths=(32, 32), layers=1)
    save_pipeline(paths.models_dir() / name, unet, COSINE | schedule, card)
    return paths.models_dir() / name


def small(**flat: Any) -> GenerateConfig:
    """At all noise levels, where nothing else is said."""
    plain = {"count": 6, "batch": 6, "steps": 4, "precision": "fp32", "loss": "none"}
    levels = {"autoguidance_start": 1.0, "autoguidance_stop": 0.0}
    return unflatten(plain | levels | flat)


def images(config: GenerateConfig) -> np.ndarray:
    batch = generate_batch(config, 0)
    assert batch is not None
    return batch[0]


@pytest.fixture(autouse=True)
def nothing_loaded() -> None:
    """A name stands for other weights in each test."""
    loaded._model.cache_clear()


def test_a_model_that_does_not_fit_is_refused_with_the_reason() -> None:
    backwards = load_pipeline(SHIPPED).card["class_names"][::-1]
    save("larger", shape=(1, 32, 32))
    save("backwards", names=backwards)
    save("fewer", names=backwards[:3])
    save("without", names=[])
    save("noise", prediction_type="epsilon")
    save("linear", beta_schedule="linear")
    reasons = {
        "larger": "its images have shape",
        "backwards": "its classes are numbered otherwise",
        "fewer": "its classes are not those of fashion-mnist",
        "without": "its images have no labels",
        "noise": "it predicts epsilon, the model v_prediction",
        "linear": "its noise schedule is another one",
        "fashion-mnist": "is the model itself",
        "missing": "there is no diffusion model named 'missing'",
    }
    for name, reason in reasons.items():
        config = small(weak_model=name)
        with pytest.raises(CdpError, match=f"weak_model: .*{reason}"):
            require_generation(config)
        with pytest.raises(CdpError, match="weak_model"):
            loaded.load_engine(config)
        require_generation(small(weak_model=name, autoguidance_scale=1))


def test_a_weak_model_with_classes_is_refused_for_a_model_without() -> None:
    save("strong", names=[])
    save("weak")
    with pytest.raises(InputError, match="it knows 10 classes, the model 0"):
        require_generation(small(model="strong", weak_model="weak"))


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(InputError, match="takes the place of classifier-free guidance"):
        small(weak_model="weak", cfg_scale=1.5)
    small(weak_model="weak", cfg_scale=1.5, autoguidance_scale=1)
    with pytest.raises(InputError, match="must not be above"):
        small(weak_model="weak", autoguidance_start=0.2, autoguidance_stop=0.4)


@pytest.mark.parametrize(
    "off",
    [
        {"autoguidance_scale": 1.0},
        {"autoguidance_start": 0.5, "autoguidance_stop": 0.5},
        {"autoguidance_start": 0.2},
    ],
    ids=["scale 1", "no interval", "no step in the interval"],
)
def test_where_nothing_is_asked_images_are_those_without_a_weak_model(
    off: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    save("weak")
    calls: list[int] = []
    whole = Denoiser.forward

    def counted(net: Denoiser, *given: Any) -> torch.Tensor:
        calls.append(1)
        return whole(net, *given)

    monkeypatch.setattr(Denoiser, "forward", counted)
    plain = images(small())
    assert len(calls) == 4
    np.testing.assert_array_equal(images(small(weak_model="weak", **off)), plain)
    assert len(calls) == 8
    assert not np.array_equal(images(small(weak_model="weak")), plain)
    assert len(calls) == 16


def test_the_set_says_which_weights_made_it_and_is_found_again_by_them(tmp_path: Path) -> None:
    weak = save("weak")
    config = small(weak_model="weak", autoguidance_scale=1.5)
    samples = generate_set(config, tmp_path / "made")
    assert samples.card["weak_model"] == {"name": "weak", "sha256": model_weights(weak)}
    assert samples.card["config"]["autoguidance_scale"] == 1.5
    assert card_content("made", samples.card) == generated_content(config)
    by_path = small(weak_model=str(weak), autoguidance_scale=1.5)
    assert generated_content(by_path) == generated_content(config)
    others = [
        small(),
        small(weak_model="weak", autoguidance_scale=2),
        small(weak_model="weak", autoguidance_scale=1.5, autoguidance_stop=0.3),
    ]
    assert len({generated_content(other) for other in (config, *others)}) == 4
    for off in ({"autoguidance_scale": 1}, {"autoguidance_start": 0}):
        assert generated_content(small(weak_model="weak", **off)) == generated_content(small())
    assert generate_set(small(), tmp_path / "plain").card["weak_model"] is None
    save("weak", seed=1)
    assert generated_content(config) != card_content("made", samples.card)


def test_a_set_begun_with_another_weak_model_is_not_gone_on_with(tmp_path: Path) -> None:
    save("weak")
    config, stops = small(weak_model="weak", count=12, steps=2), iter([False, False, False, True])
    with pytest.raises(Cancelled):
        generate_set(config, tmp_path / "set", Session(should_stop=lambda: next(stops, True)))
    save("weak", seed=1)
    loaded._model.cache_clear()
    with pytest.raises(InputError, match="weak_model_sha256"):
        generate_set(config, tmp_path / "set")


def test_a_card_from_before_has_the_content_that_it_had() -> None:
    """The number is that of version 0.1 before there was autoguidance, by a card of then."""
    config = unflatten({"loss": "classifier", "strength": 0.2, "seed": 3, "cfg_scale": 1.5})
    flat = {name: value for name, value in flatten(config).items() if name not in AUTOGUIDANCE}
    card = {
        "kind": "generated",
        "dataset": "fashion-mnist",
        "config": flat,
        "model": {"sha256": "34f6ec109f77453c6b7b00780b0fdc7723a68b6c8b0a3c255d2f181d8cec1b28"},
        "encoder": {"sha256": "aa"},
    }
    assert card_content("old", card) == "66b0764ec47954c0efce63aa"


def test_both_arms_of_a_preview_are_autoguided() -> None:
    save("weak")
    guide = {"loss": "classifier", "strength": 0.2}
    *_, (guided, unguided) = sample_batch_pair(small(weak_model="weak", **guide), 0)
    np.testing.assert_array_equal(to_uint8(unguided.x), images(small(weak_model="weak")))
    np.testing.assert_array_equal(to_uint8(guided.x), images(small(weak_model="weak", **guide)))
    assert not np.array_equal(to_uint8(guided.x), to_uint8(unguided.x))


def test_the_estimate_counts_the_second_call_inside_the_interval() -> None:
    config = small(count=64, batch=64, steps=10, weak_model="w", autoguidance_stop=0.6)
    config = unflatten({"loss": "supcon", "strength": 0.1}, config)
    assert sorts_of_steps(config) == {"guided": 6, "autoguided": 3, "both": 1}
    assert network_calls(config) == 14
    assert network_calls(small(steps=10)) == 10
    seconds = {"autoguided": 1.0, "both": 2.0, "guided": 1.5}
    ticks = [
        *[Tick(64 * seconds["autoguided"], False, True)] * 2,  # the first step is not timed
        Tick(64 * seconds["both"], True, True),
        *[Tick(64 * seconds["guided"], True)] * 6,
    ]
    learn_generation(config, compare=True, ticks=ticks, tail=0.0)
    assert generation_seconds(config, compare=True) == pytest.approx(64 * (3 + 2 + 6 * 1.5))
    assert generation_seconds(unflatten({"weak_model": "v"}, config), compare=True) is None
    assert generation_seconds(unflatten({"weak_model": ""}, config), compare=True) is None
