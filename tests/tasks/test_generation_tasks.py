"""The shipped model and encoders at work: reproducible batches, fair comparison, cancel."""

import json

import numpy as np
import pytest

from cdp.config.generate import GenerateConfig, unflatten
from cdp.errors import InputError, MissingError
from cdp.figures.generation import MEASURES, finding, report_rows
from cdp.models.denoiser import Denoiser, compiled
from cdp.tasks import loaded
from cdp.tasks.batches import batch_count, generate_batch, set_card
from cdp.tasks.live import live
from cdp.tasks.sources import balanced_rows
from cdp.values.types import Frame, LiveResult
from cdp.work.session import Session


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDP_HOME", str(tmp_path_factory.getbasetemp() / "home"))


def small(**flat: object) -> GenerateConfig:
    return unflatten({"count": 12, "batch": 12, "steps": 4, "precision": "fp32"} | flat)


def watch(config: GenerateConfig, **options: object) -> tuple[list[Frame], LiveResult]:
    *frames, result = live(config, **options)  # type: ignore[arg-type]
    assert isinstance(result, LiveResult)
    return [frame for frame in frames if isinstance(frame, Frame)], result


def test_a_live_generation_compares_both_arms_from_the_same_noise() -> None:
    frames, result = watch(small(strength=0.3))
    assert [frame.i for frame in frames] == [1, 2, 3, 4] and frames[0].total == 4
    assert result.unguided is not None and result.complete and result.finished == 12
    assert result.guided.shape == result.unguided.shape == (12, 28, 28, 1)
    assert result.guided.dtype == np.uint8
    np.testing.assert_array_equal(frames[0].guided, frames[0].unguided)
    assert not np.array_equal(result.guided, result.unguided)
    np.testing.assert_array_equal(result.unguided, watch(small(loss="none"))[1].guided)
    np.testing.assert_array_equal(result.label, np.arange(12) % 10)


def test_before_the_window_and_at_strength_0_both_arms_are_identical() -> None:
    stops = iter([False, True])
    _, stopped = watch(
        small(strength=0.3, window_start=0.4), session=Session(should_stop=lambda: next(stops))
    )
    for result in (stopped, watch(small(strength=0.0))[1]):
        assert result.identical and result.fewest == 1
        assert all(
            "identical so far" in finding(measure, result)[0]
            for measure in MEASURES
            if getattr(result.difference, measure.field)
        )
        assert {row["arm"] for row in report_rows(result)} == {"guided", "unguided"}
    assert (
        not watch(small(strength=0.3))[1].identical and not watch(small(loss="none"))[1].identical
    )


def test_what_the_judge_sees_in_each_image_is_what_its_agreement_counts() -> None:
    _, result = watch(small(strength=0.3))
    for view, report in (
        (result.guided_view, result.guided_report),
        (result.unguided_view, result.unguided_report),
    ):
        assert view is not None and report is not None and report.agreement is not None
        assert report.agreement.value == pytest.approx(
            float((view.predicted == result.label).mean())
        )
        assert view.confidence.shape == (12,)
        assert 0.1 <= view.confidence.min() <= view.confidence.max() <= 1
    assert watch(small(loss="none"))[1].unguided_view is None


def test_guidance_shows_its_loss_ratio_and_strength_only_where_it_acts() -> None:
    frames, _ = watch(small(strength=0.3, window_start=0.6, window_stop=0.3))
    for frame in frames:
        acts = 0.3 <= frame.t_fraction < 0.6
        assert (
            (frame.loss is not None)
            == (frame.ratio is not None)
            == (frame.strength is not None)
            == acts
        )
        if acts:
            assert frame.ratio == pytest.approx(frame.strength, rel=1e-4)


def test_a_batch_of_a_big_set_is_the_same_as_the_live_one() -> None:
    config = small(count=20, batch=8)
    _, result = watch(config)
    parts = [generate_batch(config, index) for index in range(batch_count(config))]
    images, labels = (
        np.concatenate(part) for part in zip(*[part for part in parts if part], strict=True)
    )
    np.testing.assert_array_equal(images, result.guided)
    np.testing.assert_array_equal(labels, result.label)


def test_a_last_batch_of_another_size_is_not_compiled_for(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def recording(denoiser: Denoiser) -> Denoiser:
        twin = compiled(denoiser, backend="eager")
        twin.register_forward_pre_hook(lambda module, given: sizes.append(len(given[0])))
        return twin

    monkeypatch.setattr(loaded, "compiled", recording)
    loaded._compiled.cache_clear()
    try:
        config = small(count=12, batch=8, compile=True, loss="none")
        parts = [generate_batch(config, index) for index in range(2)]
        alone = generate_batch(small(count=4, compile=True, loss="none"), 0)
    finally:
        loaded._compiled.cache_clear()
    assert sizes == [8] * 4 + [4] * 4, "but where it is the only one"
    eager = [generate_batch(small(count=12, batch=8, loss="none"), index) for index in range(2)]
    for (image, _), (other, _) in zip(parts, eager, strict=True):  # type: ignore[misc]
        assert np.abs(image.astype(int) - other.astype(int)).max() <= 1
    assert alone is not None


def test_real_positives_and_negatives_make_images_independent_of_the_batch() -> None:
    whole, _ = generate_batch(small(), 0)  # type: ignore[misc]
    parts = [generate_batch(small(batch=6), index)[0] for index in range(2)]  # type: ignore[index]
    # Different batch sizes may round differently in the last bit of fp32, which a uint8 step can
    # show.
    assert np.abs(whole.astype(int) - np.concatenate(parts)).max() <= 2


def test_cancel_keeps_the_finished_batches() -> None:
    seen: list[int] = []
    _, result = watch(
        small(count=24, batch=8),
        session=Session(should_stop=lambda: len(seen) >= 10 or bool(seen.append(1))),
    )
    assert (result.finished, result.complete) == (16, False)
    np.testing.assert_array_equal(result.guided, watch(small(count=16, batch=8))[1].guided)


def test_cancel_in_the_first_batch_gives_the_estimates_and_calls_none_finished() -> None:
    frames, result = watch(small(), session=Session(should_stop=lambda: True))
    assert len(frames) == 1 and (result.finished, result.complete) == (0, False)
    np.testing.assert_array_equal(result.guided, frames[0].guided)


def test_reports_carry_intervals_and_n() -> None:
    _, result = watch(small(count=40, batch=40))
    for report in (result.guided_report, result.unguided_report, result.difference):
        assert report is not None
        for interval in (report.agreement, report.separation, report.nearest):
            assert interval is not None and interval.low <= interval.value <= interval.high
            assert interval.n == 40


def test_the_card_is_json_and_makes_the_set_again() -> None:
    config = small(temperature=0.2)
    card = json.loads(json.dumps(set_card(config)))
    assert unflatten(card["config"]) == config.model_copy(update={"dataset": "fashion-mnist"})
    assert len(card["model"]["sha256"]) == len(card["encoder"]["sha256"]) == 64


def test_classes_take_turns_among_the_chosen_ones() -> None:
    _, result = watch(small(classes=(3, 7)), compare=False)
    np.testing.assert_array_equal(result.label, [3, 7] * 6)
    assert result.unguided is None and result.difference is None


def test_balanced_rows_give_every_class_its_share() -> None:
    label = np.array([0] * 50 + [1] * 5 + [2] * 20)
    counts = np.bincount(label[balanced_rows(label, 30)])
    assert counts.tolist() == [13, 5, 12]
    assert len(balanced_rows(label, 1000)) == 75


@pytest.mark.parametrize(
    ("flat", "error", "word"),
    [
        ({"model": "nope"}, MissingError, "nope"),
        ({"encoder": "nope"}, MissingError, "nope"),
        ({"classes": (10,)}, InputError, "0 to 9"),
        ({"steps": 1000, "dataset": "nope"}, MissingError, "nope"),
    ],
)
def test_what_is_missing_or_does_not_fit_is_named(
    flat: dict[str, object], error: type[Exception], word: str
) -> None:
    with pytest.raises(error, match=word):
        watch(small(**flat))
