"""A choice known to hurt is never made in silence; the default carries no warning."""

from __future__ import annotations

import pytest

from cdp.config.generate import GenerateConfig, unflatten
from cdp.config.presets import preset
from cdp.tasks.generate_warnings import warnings


def test_the_default_and_the_control_arm_carry_no_warning() -> None:
    assert warnings(GenerateConfig(), conditional=True) == {}
    assert warnings(preset("unguided"), conditional=True) == {}


@pytest.mark.parametrize("loss", ["info_nce", "hard_negative"])
def test_a_label_free_loss_is_warned_of_on_a_conditional_model_only(loss: str) -> None:
    config = unflatten({"loss": loss})
    assert (
        "also pushes images of the same class apart" in warnings(config, conditional=True)["loss"]
    )
    assert "loss" not in warnings(config, conditional=False)


@pytest.mark.parametrize(
    ("flat", "warned"),
    [
        ({"strength": 0.2}, False),
        ({"strength": 0.2, "noise_limit": 0}, True),
        ({"strength": 0.2, "window_start": 0.8}, True),
        ({"strength": 0.19, "window_start": 1.0, "noise_limit": 0}, False),
        ({"strength": 0.0}, True),
    ],
)
def test_strong_guidance_at_high_noise_is_warned_of(flat: dict[str, float], warned: bool) -> None:
    assert ("strength" in warnings(unflatten(flat), conditional=True)) is warned


def test_a_gradient_at_x_t_wants_a_noise_aware_encoder() -> None:
    assert "point" in warnings(unflatten({"point": "x_t"}), conditional=True)
    assert "point" not in warnings(
        unflatten({"point": "x_t", "encoder": "noise-aware"}), conditional=True
    )


def test_raw_strength_and_the_online_head_are_warned_of() -> None:
    found = warnings(unflatten({"strength_mode": "raw", "head": True}), conditional=True)
    assert set(found) == {"raw_lambda", "head"}


def test_a_class_aware_loss_is_warned_of_on_an_unconditional_model() -> None:
    assert "unconditional" in warnings(GenerateConfig(), conditional=False)["loss"]
