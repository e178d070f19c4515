"""The strength profile: windows, schedules and the noise limit, as numbers."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.config.generate import Guidance, Sampler
from cdp.guidance.schedule import noise_cap, profile, raw_weight, relative_strength, schedule_weight
from cdp.models import noise_schedule as noise

LEVEL = st.floats(1e-9, 1 - 1e-9)
FRACTION = st.floats(0, 0.999)


@given(
    LEVEL,
    FRACTION,
    st.sampled_from(["constant", "linear", "cosine", "noise_scaled"]),
    st.floats(0, 2),
    st.floats(0.01, 100),
)
def test_effective_strength_never_exceeds_strength_nor_moves_the_image_beyond_the_limit(
    level: float, t: float, schedule: str, strength: float, limit: float
) -> None:
    guidance = Guidance(schedule=schedule, strength=strength, noise_limit=limit)  # type: ignore[arg-type]
    effective = relative_strength(guidance, t, level)
    assert 0 <= effective <= strength
    assert effective * math.sqrt((1 - level) / level) <= strength * limit * (1 + 1e-9)


def test_without_a_limit_the_cap_is_one() -> None:
    assert noise_cap(Guidance(noise_limit=0), 1e-9) == 1


@pytest.mark.parametrize(
    ("t", "linear", "cosine"), [(0.8, 0.0, 0.0), (0.5, 0.5, 0.5), (0.2, 1.0, 1.0)]
)
def test_ramps_rise_towards_the_clean_end(t: float, linear: float, cosine: float) -> None:
    window = {"window_start": 0.8, "window_stop": 0.2}
    assert schedule_weight(Guidance(schedule="linear", **window), t, 0.5) == pytest.approx(linear)
    assert schedule_weight(Guidance(schedule="cosine", **window), t, 0.5) == pytest.approx(cosine)


def test_a_schedule_may_be_constant_or_follow_the_noise_or_the_limit_of_it() -> None:
    assert schedule_weight(Guidance(schedule="constant"), 0.3, 0.36) == 1
    assert schedule_weight(Guidance(schedule="noise_scaled"), 0.3, 0.36) == pytest.approx(0.8)
    assert noise_cap(Guidance(noise_limit=0.5), 0.36) == pytest.approx(0.5 / (0.8 / 0.6))
    assert noise_cap(Guidance(noise_limit=2), 0.36) == 1


def test_the_noise_factor_belongs_to_raw_strength_alone() -> None:
    base = {"schedule": "constant", "noise_limit": 0.0, "raw_lambda": 100.0}
    one, exact = Guidance(factor="one", **base), Guidance(factor="sqrt_one_minus_alpha_bar", **base)  # type: ignore[arg-type]
    assert raw_weight(one, 0.5, 0.36) == 100 and raw_weight(exact, 0.5, 0.36) == pytest.approx(80)
    assert relative_strength(one, 0.5, 0.36) == relative_strength(exact, 0.5, 0.36) == one.strength


def test_the_profile_has_one_point_a_step_and_is_zero_outside_the_window() -> None:
    points = profile(Guidance(window_start=0.6, window_stop=0.2), Sampler(steps=25))
    assert len(points) == 25 and points == sorted(points, reverse=True)
    for t, strength in points:
        assert (strength > 0) == (0.2 <= t < 0.6)
    assert all(s == 0 for _, s in profile(Guidance(loss="none"), Sampler()))


@pytest.mark.parametrize(
    ("loss", "positives"), [("info_nce", "previous"), ("supcon", "real"), ("classifier", "auto")]
)
def test_the_first_step_is_not_guided_by_looking_back(loss: str, positives: str) -> None:
    points = profile(Guidance(loss=loss, positives=positives, window_start=1.0), Sampler(steps=10))  # type: ignore[arg-type]
    assert (points[0][1] > 0) == (loss != "info_nce")
    assert all(strength > 0 for _, strength in points[1:])


def test_trailing_spacing_starts_at_pure_noise() -> None:
    assert noise.timesteps(noise.COSINE, 20)[0] == 999
