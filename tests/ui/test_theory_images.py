"""From theory to images, driven without a browser: sets and encoders to choose, a place on the map,
and what the model leaves out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cdp.config.knobs import parse
from cdp.config.theory import TheoryConfig
from cdp.data.registry import load_split
from cdp.data.sets import save_set
from cdp.tasks.theory import Place, caveats, place_of, place_rows
from cdp.theory.from_features import FeatureEstimate
from cdp.ui.kit.ask import side
from cdp.ui.theory.images import LEAST, finding, matched, spotted
from cdp.values.types import Interval
from tests.ui.pages import ran, served
from tests.ui.theory_app import address, alt, alts, knob, knobs, page, texts

VIEW = {"view": "images"}


@pytest.fixture(autouse=True)
def images_served(monkeypatch: pytest.MonkeyPatch, cdp_home: Path) -> Iterator[None]:
    served(monkeypatch)
    side.clear()
    yield
    side("looks").close()
    side.clear()


def some(value: float, half: float = 0.05) -> Interval:
    return Interval(value, value - half, value + half, 500)


def placed(ratio: Interval | None = None, angle: Interval | None = None, **change: object) -> Place:
    figures = FeatureEstimate(
        some(2.0),
        some(12.0, 1.0),
        angle,
        ratio,
        some(2.5) if ratio else None,
        ((0, 1, 1.25), (0, 2, 2.5)),
    )
    plain = {
        "name": "mine",
        "class_names": ("shirt", "shoe", "bag"),
        "against": "x:test",
        "missing": "",
        "figures": figures,
    }
    return Place(**(plain | change))  # type: ignore[arg-type]


def small_set(name: str, count: int = 200) -> None:
    """A saved set of real test images, so that its place is known to be near that of real data."""
    real = load_split("fashion-mnist", "test")
    save_set(
        name,
        real.image[:count],
        real.label[:count],
        {"dataset": "fashion-mnist", "class_names": list(real.info.classes)},
    )


def test_what_is_not_measured_yet_is_asked_of_the_helper_and_then_lands_on_the_map() -> None:
    small_set("mine")
    app = page(**VIEW, set="mine", encoder="pixels")
    assert not alts(app)
    assert not app.error
    (errand,) = side("looks")._errands.values()
    assert errand.settings == {"name": "mine", "encoder": "pixels"}
    assert errand.wait(60) and errand.error is None
    ran(app)
    assert "mine is as separable as real images" in alt(app)
    assert "asymptotic in the dimension" in alt(app)
    assert "Effective dimension" in [metric.label for metric in app.metric]
    assert (
        "Features are not Gaussian" in texts(app)
        and "the model has two" in texts(app)
        and "A budget in pixels" in texts(app)
    )
    assert address(app) == VIEW | {"set": "mine", "encoder": "pixels"}


def test_moving_a_knob_moves_the_map_under_the_set_and_measures_nothing_anew() -> None:
    small_set("mine")
    place_of("mine", encoder="pixels").get()
    app = page(**VIEW, set="mine", encoder="pixels")
    before = alt(app)
    ran(knob(app, "n").set_value(100))
    assert "n = 100" in alt(app) and alt(app) != before
    assert not side("looks")._errands
    assert not {"separation", "angle", "target", "strength", "draws", "seed"} & knobs(app)


def test_classes_that_cannot_be_told_apart_are_the_reason_for_no_place() -> None:
    real = load_split("fashion-mnist", "test")
    card = {"dataset": "fashion-mnist", "class_names": list(real.info.classes)}
    save_set(
        "mixed", real.image[:200], np.random.default_rng(0).permutation(real.label[:200]), card
    )
    place_of("mixed", encoder="pixels").get()
    app = page(**VIEW, set="mixed", encoder="pixels")
    assert not alts(app)
    said = str(app.info[0].value).replace("\\", "")
    assert said.startswith(
        "mixed has no place on the map: the classes of mixed, or of the real images, cannot be told"
        " apart"
    )


def test_the_model_can_be_set_to_the_images() -> None:
    small_set("mine")
    found = place_of("mine", encoder="pixels").get()
    app = page(**VIEW, set="mine", encoder="pixels")
    ran(app.button(key="theory_match").click())
    assert (
        knob(app, "dim").value == knob(app, "nonzero").value == round(found.figures.dimension.value)
    )
    assert found.figures.real is not None
    assert knob(app, "size").value == pytest.approx(found.figures.real.value, rel=0.01)
    assert app.button(key="theory_match").disabled


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({"set": "gone"}, "set: 'gone' is not here"),
        ({"set": "../../etc"}, "is not here"),
        ({"encoder": "mine"}, "encoder: 'mine' is not here for this set"),
        ({"set": "s" * 900}, "is not a name"),
        ({"encoder": "/etc/passwd"}, "so judge is used"),
    ],
)
def test_a_set_or_encoder_that_is_not_here_is_said_and_another_taken(
    params: dict[str, str], word: str
) -> None:
    app = page(**VIEW, **params)
    (warning,) = app.warning
    assert word in str(warning.value).replace("\\", "")
    assert [box.value for box in app.selectbox if box.label in ("Sample set", "Encoder")] == [
        "fashion-mnist:test",
        "judge",
    ]
    assert address(app) == VIEW


def test_a_learner_without_a_map_still_shows_the_figures() -> None:
    small_set("mine")
    place_of("mine", encoder="pixels").get()
    app = page(**VIEW, set="mine", encoder="pixels", learner="adversarial-logistic")
    assert "Effective dimension" in [metric.label for metric in app.metric]
    assert "has no formula for a map" in str(app.info[0].value)


@pytest.mark.parametrize(
    ("off", "angle", "span"),
    [
        (0.0, Interval(30, 20, 40, 9), (20, 40)),
        (22.0, Interval(0, 0, 1, 9), (21, 23)),
        (22.0, Interval(30, 20, 40, 9), (0, 62)),
        (22.0, Interval(60, 50, 70, 9), (28, 92)),
        (90.0, Interval(170, 160, 180, 9), (70, 110)),
        (90.0, Interval(90, 80, 100, 9), (0, 180)),
    ],
)
def test_whiskers_cover_every_direction_that_the_angle_to_mu_leaves(
    off: float, angle: Interval, span: tuple[float, float]
) -> None:
    spot = spotted("mine", some(1.0), angle, off)
    assert spot.angle.low == pytest.approx(span[0], abs=1e-6)
    assert spot.angle.high == pytest.approx(span[1], abs=1e-6)
    straight = math.degrees(
        math.acos(math.cos(math.radians(off)) * math.cos(math.radians(angle.value)))
    )
    assert spot.angle.value == pytest.approx(straight, abs=1e-6)


def test_a_separation_of_nothing_has_a_place_at_the_edge_and_is_called_so() -> None:
    none = Interval(0, 0, 0.02, 500)
    assert spotted("mine", none, some(10.0), 0.0).separation.value == LEAST
    assert (
        finding(placed(none, some(10.0)))
        == "The classes of mine cannot be told apart in these features"
    )


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        (some(1.0), "as separable as real"),
        (some(1.4), "more separable than real"),
        (some(0.6), "less separable than real"),
    ],
)
def test_the_title_claims_what_the_interval_allows(ratio: Interval, said: str) -> None:
    assert said in finding(placed(ratio, some(10.0)))


def test_nothing_is_claimed_of_fewer_than_ten_images_a_class() -> None:
    place = placed(replace(some(1.4), n=1), some(10.0))
    assert finding(place) == "Nothing is claimed of mine: fewer than 10 images a class"


def test_caveats_name_the_nearest_pair_and_warn_of_encoders_that_may_have_guided() -> None:
    found = placed(some(1.0), some(10.0))
    assert any("shirt and shoe, is 1.25 apart" in one for one in caveats(found, "judge"))
    assert any("flatters" in one for one in caveats(found, "robust"))
    assert not any("flatters" in one for one in caveats(found, "judge"))


def test_rows_hold_every_figure_and_every_pair() -> None:
    rows = place_rows(placed(some(1.0), some(10.0)))
    assert [row["figure"] for row in rows][:5] == [
        "separation |m|/s",
        "separation of real images",
        "separation c",
        "angle to the real class means [degrees]",
        "effective dimension",
    ]
    assert rows[-1]["figure"] == "separation of shirt and bag" and rows[-1]["value"] == 2.5
    assert len(place_rows(placed())) == 4


@pytest.mark.parametrize(
    ("separation", "dimension"), [(5.7, 18.8), (1e-9, 1.0), (1e9, 9_000.0), (5.7, 20_000.0)]
)
def test_a_model_set_to_images_is_a_valid_one(separation: float, dimension: float) -> None:
    parse(TheoryConfig, matched(separation, dimension, 1.0))
